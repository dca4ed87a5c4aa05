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
        SCOPED_TRACE("width " + std::to_string(width) + " seed " + std::to_string(seed) +
                     (listed ? " listed" : ""));
        const AttentionResult result = run_portable(api, c);
        ASSERT_EQ(result.error, kSuccess);
        EXPECT_LE(distance(result.y, c.expected), 3e-3);
        const std::vector<float> log_sum = expected_log_sum(c);
        for (std::size_t i = 0; i < log_sum.size(); ++i)
          ASSERT_NEAR(result.log_sum[i], log_sum[i], 2e-3) << i;
      }
}

TEST(CudaAttention, TheLogSumIsOptional) {
  emulator::SoftwareDevice device;
  const AttentionCase c = attention_case(1, 128, 100, false);
  const AttentionResult result = run_portable(device, c, false);
  EXPECT_LE(distance(result.y, c.expected), 3e-3);
  for (const float value : result.log_sum) EXPECT_TRUE(std::isnan(value)) << "nothing may be written";
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
