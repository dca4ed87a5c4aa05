// The GPU attention kernel against the reference: on the software device everywhere, on a GPU where there is one.
#include <gtest/gtest.h>

#include "tests/kernels/emulator/software_device.h"
#include "tests/kernels/hopper_runs.h"

namespace rushes::kernels::cuda {
namespace {

void expect_near_reference(DeviceApi& api, std::uint64_t cases, int longest) {
  for (std::uint64_t seed = 1; seed <= cases; ++seed)
    for (const int width : {64, 128})
      for (const bool listed : {false, true}) {
        const AttentionCase c = attention_case(seed, width, longest, listed);
        EXPECT_LE(distance(run_portable(api, c), c.expected), 3e-3)
            << "width " << width << " seed " << seed << ' ' << listed;
      }
}

TEST(CudaAttention, OnTheSoftwareDevice) {
  emulator::SoftwareDevice device;
  expect_near_reference(device, 3, 180);
  EXPECT_EQ(device.fault(), "");
}

TEST(CudaAttention, OnAGpu) {
  int count = 0;
  if (!device_api() || device_api()->device_count(&count) != kSuccess || count == 0)
    GTEST_SKIP() << "no CUDA device on this machine";
  expect_near_reference(*device_api(), 30, 600);
}

}  // namespace
}  // namespace rushes::kernels::cuda
