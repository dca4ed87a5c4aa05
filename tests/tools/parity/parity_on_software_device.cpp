// rushes-parity on a CUDA device in software: `--backend cuda` without a GPU.
//
// Arguments and exit codes of rushes-parity; 1 as well where the device saw a call or a kernel that a GPU does not take.
//
// Thread contract: as rushes-parity.
#include <cstdio>

#include "tests/kernels/emulator/software_device.h"
#include "tools/parity/parity.h"

int main(int argc, char** argv) {
  rushes::emulator::SoftwareDevice device({.guard = false});  // it computes one small operation after another
  rushes::kernels::cuda::install(&device);
  const int code = rushes::parity::run_program(argc, argv);
  if (const std::string fault = device.fault(); !fault.empty()) {
    std::fprintf(stderr, "parity-on-software-device: %s\n", fault.c_str());
    return 1;
  }
  return code;
}
