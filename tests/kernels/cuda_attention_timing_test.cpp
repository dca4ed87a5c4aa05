// Which attention is faster, on a software device that plays times: what the events around each form say.
#include <gmock/gmock.h>

#include "kernels/cuda/attention_timing.h"
#include "kernels/cuda/device_fault.h"
#include "tests/kernels/emulator/software_device.h"

namespace rushes::kernels::cuda {
namespace {

using emulator::SoftwareDevice;
using emulator::SoftwareOptions;

const std::vector<AttentionShape> kShapes = {{2, 64, 40, 40}, {1, 128, 40, 24}};

// Kernels of ours and the library's take so long; all others a second, which no time may hold.
SoftwareOptions played(double own_ms, double library_ms) {
  SoftwareOptions options;
  options.plays_ms = [=](const std::string& name) {
    if (name == "sdpa") return library_ms;
    return name.starts_with("attention") ? own_ms : 1000.0;
  };
  return options;
}

AttentionTotals timed(const SoftwareOptions& options) {
  SoftwareDevice device(options);
  const auto times = time_attention(&device, 0, kShapes);
  EXPECT_EQ(device.fault(), "");
  EXPECT_EQ(times.size(), kShapes.size());
  for (const AttentionTime& time : times) EXPECT_TRUE(time.library_takes) << to_string(time.shape);
  return totals(times);
}

TEST(AttentionTiming, TheFasterFormIsKnownByItsEvents) {
  const AttentionTotals own = timed(played(2, 3));
  EXPECT_NEAR(own.own_ms, 4, 1e-3);
  EXPECT_NEAR(own.library_ms, 6, 1e-3);
  EXPECT_FALSE(own.library_is_faster());
  EXPECT_TRUE(timed(played(3, 2)).library_is_faster());
  EXPECT_FALSE(timed(played(2, 2)).library_is_faster()) << "a tie is ours";
  EXPECT_FALSE(timed(played(2, 1.97)).library_is_faster()) << "and so is what noise could be";
}

// The median: one call that something held up decides nothing.
TEST(AttentionTiming, OneSlowCallDecidesNothing) {
  SoftwareOptions options = played(2, 1);
  int calls = 0;
  options.plays_ms = [calls, plain = options.plays_ms](const std::string& name) mutable {
    return name == "sdpa" && ++calls % kTimingRounds == 3 ? 500.0 : plain(name);
  };
  EXPECT_TRUE(timed(options).library_is_faster());
}

TEST(AttentionTiming, WhatTheLibraryRefusesIsOurs) {
  SoftwareOptions options = played(3, 2);
  options.dnn_has_attention = false;
  SoftwareDevice device(options);
  const auto times = time_attention(&device, 0, kShapes);
  for (const AttentionTime& time : times) EXPECT_FALSE(time.library_takes);
  EXPECT_FALSE(totals(times).library_is_faster());
  EXPECT_EQ(device.fault(), "");
}

TEST(AttentionTiming, ByTheClockBothTakeSomeTime) {
  const AttentionTotals sum = timed({});
  EXPECT_GT(sum.own_ms, 0);
  EXPECT_GT(sum.library_ms, 0);
}

TEST(AttentionTiming, AFaultIsTheCallers) {
  SoftwareOptions options;
  options.vanish_at = 10;
  SoftwareDevice device(options);
  EXPECT_THROW((void)time_attention(&device, 0, kShapes), DeviceFault);
  SoftwareDevice small(SoftwareOptions{.memory_bytes = std::size_t{256} << 20});
  EXPECT_THROW((void)time_attention(&small, 0, {{8, 128, 1 << 16, 64}}), std::bad_alloc);
}

}  // namespace
}  // namespace rushes::kernels::cuda
