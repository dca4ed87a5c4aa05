// libFuzzer's entry (https://llvm.org/docs/LibFuzzer.html) for the one target that RUSHES_FUZZ_TARGET names.
#include <cstddef>

#include "tests/fuzz/targets.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  rushes::fuzz::RUSHES_FUZZ_TARGET({reinterpret_cast<const char*>(data), size});
  return 0;
}
