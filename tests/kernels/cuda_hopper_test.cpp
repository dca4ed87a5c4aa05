// The Hopper attention kernel against the reference: on the software device everywhere, on a GPU where there is one.
#include <gmock/gmock.h>

#include "tests/kernels/device_memory.h"
#include "tests/kernels/emulator/software_device.h"
#include "tests/kernels/hopper_runs.h"

namespace rushes::kernels::cuda {
namespace {

void expect_near_reference(DeviceApi& api, const AttentionCase& c, bool cluster, const std::string& fault) {
  SCOPED_TRACE("width " + std::to_string(c.width) +
               (c.listed  ? ", listed"
                : cluster ? ", cluster"
                          : "") +
               ", lq " + std::to_string(c.lq) + ", lk " + std::to_string(c.lk));
  const AttentionResult result = run_hopper(api, c, cluster);
  ASSERT_EQ(result.error, kSuccess) << fault;
  EXPECT_LE(distance(result.y, c.expected), 3e-3);
  const std::vector<float> log_sum = expected_log_sum(c);
  for (std::size_t i = 0; i < log_sum.size(); ++i) ASSERT_NEAR(result.log_sum[i], log_sum[i], 2e-3) << i;
}

void expect_forms_near_reference(DeviceApi& api, std::uint64_t cases, int longest) {
  for (std::uint64_t seed = 1; seed <= cases; ++seed)
    for (const int width : {64, 128}) {
      expect_near_reference(api, attention_case(seed, width, longest, false), false, "");
      expect_near_reference(api, attention_case(seed, width, longest, true, 64), false, "");
      if (width == 128) expect_near_reference(api, attention_case(seed, width, longest, false), true, "");
    }
}

TEST(CudaHopper, OnTheSoftwareDevice) {
  for (std::uint64_t seed = 1; seed <= 3; ++seed) {
    emulator::SoftwareDevice device({.seed = seed});
    expect_forms_near_reference(device, 2, 150 * static_cast<int>(seed));
    EXPECT_EQ(device.fault(), "");
  }
}

// Lengths below, at and above a tile of queries (64 of a warpgroup, 128 of a block) and of keys (128, 176).
TEST(CudaHopper, LengthsAtTheEdgesOfTiles) {
  emulator::SoftwareDevice device;
  for (const auto& [lq, lk] :
       std::vector<std::pair<int, int>>{{1, 1}, {64, 128}, {65, 129}, {128, 176}, {129, 352}, {7, 353}})
    for (const int width : {64, 128})
      for (const bool listed : {false, true}) {
        AttentionCase c;
        c.lq = lq, c.lk = lk, c.width = width, c.listed = listed;
        c.plan.query_tile = 128, c.plan.key_tile = width;  // 64 or 128
        complete(c, 3);
        expect_near_reference(device, c, false, "");
        if (width == 128 && !listed) expect_near_reference(device, c, true, "");
      }
  EXPECT_EQ(device.fault(), "");
}

TEST(CudaHopper, TheLogSumIsOptional) {
  emulator::SoftwareDevice device;
  const AttentionCase c = attention_case(1, 128, 100, false);
  const AttentionResult result = run_hopper(device, c, false, false);
  EXPECT_LE(distance(result.y, c.expected), 3e-3);
  for (const float value : result.log_sum) EXPECT_TRUE(std::isnan(value)) << "nothing may be written";
}

// Its code is for 9.0a alone: neither an older nor a newer device has it.
TEST(CudaHopper, IsRefusedByOtherDevices) {
  for (const int major : {8, 10}) {
    emulator::SoftwareDevice device({.major = major});
    Queue queue(device);
    HopperAttentionArguments a;
    a.lq = a.lk = 1;
    EXPECT_EQ(
        launch(device, device.kernels().attention_hopper[kHopper64],
               hopper_attention_shape(kHopper64, {.lq = 1, .lk = 1, .query_tile = 1}, 1), a, queue.stream),
        kNoKernel);
    EXPECT_THAT(device.fault(), testing::HasSubstr("attention_hopper_64: no code for compute capability"));
  }
}

TEST(CudaHopper, OnAGpu) {
  int count = 0;
  DeviceInfo info;
  if (!device_api() || device_api()->device_count(&count) != kSuccess || count == 0 ||
      device_api()->device_info(0, &info) != kSuccess || info.major != 9)
    GTEST_SKIP() << "no Hopper device on this machine";
  expect_forms_near_reference(*device_api(), 30, 1000);
}

}  // namespace
}  // namespace rushes::kernels::cuda
