#include "tools/gpu_check/fragments.h"

#include <ptx/e4m3.h>

// After e4m3.h:
#include "tools/gpu_check/fragment_codes.h"

namespace rushes::gpu_check {
namespace {

using namespace kernels::device;

RUSHES_KERNEL(32)
mma_e4m3_kernel(RUSHES_ARGUMENTS(FragmentArguments) a) {
  const int lane = thread_index(), chosen = block_x() * a.stride;
  const auto choice = [&](int place) { return pack_e4m3(place == chosen ? 1.0f : 0.0f, 0, 0, 0); };
  const auto code = [&](int place) {
    return pack_e4m3(static_cast<float>(digit_of(place, a.digit, kE4m3Base)), 0, 0, 0);
  };
  std::uint32_t left[4];
  RUSHES_UNROLL
  for (int i = 0; i < 4; ++i) left[i] = four_bytes(lane * 16 + i * 4, choice);
  float d[4] = {};
  multiply_add_e4m3(d, left, four_bytes(lane * 8, code), four_bytes(lane * 8 + 4, code));
  RUSHES_UNROLL
  for (int i = 0; i < 4; ++i) a.out[block_x() * kMmaWords + lane * 4 + i] = static_cast<std::uint32_t>(d[i]);
}

}  // namespace

void RUSHES_FORM::add_fragments_f8(FragmentTable& table) {
  table.mma_e4m3 = RUSHES_HANDLE("fragments_mma_e4m3", false, mma_e4m3_kernel);
  table.mma_e4m3.since = 89;
}

}  // namespace rushes::gpu_check
