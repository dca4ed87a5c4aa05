// A GPU kernel as the host sees it: what to start, how wide, with which arguments.
//
// A kernel takes one struct by value. Its source (*.cu) is compiled twice: by nvcc for GPUs, and by the C++ compiler
// for the software device of the tests, which runs every thread of it on the CPU. Both give the same KernelTable
// (kernels/cuda/kernel_table.h).
//
// Thread contract: plain values.
#pragma once

#include <cstddef>
#include <cstdint>

namespace rushes::kernels::cuda {

struct KernelCode {
  const char* name = "";
  // nvcc: the address of the kernel. Software device: void (*)(const void* arguments), the body of one thread.
  const void* function = nullptr;
  std::size_t argument_bytes = 0;
  // No thread waits for another one and none uses shared memory: the software device runs them one by one.
  bool independent = false;
  int only_for = 0;  // 90: compiled for compute capability 9.0 alone; 0: for any from `since`
  int since = 80;    // the lowest compute capability that it is compiled for
};
template <typename Arguments>
struct Kernel : KernelCode {};

struct LaunchShape {
  std::uint32_t grid[3] = {1, 1, 1};  // blocks
  std::uint32_t threads = 1;          // of a block
  std::uint32_t shared_bytes = 0;     // dynamic shared memory of a block
  std::uint32_t cluster = 1;          // neighbouring blocks (along grid[0]) that share a cluster
};

}  // namespace rushes::kernels::cuda
