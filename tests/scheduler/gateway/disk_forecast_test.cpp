#include "scheduler/gateway/disk_forecast.h"

#include <gtest/gtest.h>

namespace rushes::scheduler {
namespace {

constexpr std::uint64_t kGiB = 1ull << 30;

// A look a minute while free bytes move by `per_minute`.
double fill(DiskForecast& disk, double at, double free, double per_minute, int minutes) {
  for (int i = 0; i < minutes; ++i, at += 60, free += per_minute)
    disk.see(at, static_cast<std::uint64_t>(free));
  return free - per_minute;
}

TEST(DiskForecast, ASteadyRateGivesTheTimeThatIsLeft) {
  DiskForecast disk;
  const double left = fill(disk, 0, 100.0 * kGiB, -1.0 * kGiB, 40);
  ASSERT_TRUE(disk.seconds_until_full());
  EXPECT_NEAR(*disk.seconds_until_full(), 60 * left / kGiB, 1);
}

TEST(DiskForecast, NothingIsSaidBeforeSomethingIsKnown) {
  DiskForecast disk;
  EXPECT_FALSE(disk.seconds_until_full());
  fill(disk, 0, 100.0 * kGiB, -1.0 * kGiB, 20);
  EXPECT_FALSE(disk.seconds_until_full()) << "twenty minutes are too few";
}

TEST(DiskForecast, ADiskThatDoesNotFillHasNoTime) {
  DiskForecast same, empties;
  fill(same, 0, 100.0 * kGiB, 0, 100);
  EXPECT_FALSE(same.seconds_until_full());
  fill(empties, 0, 10.0 * kGiB, 1.0 * kGiB, 100);
  EXPECT_FALSE(empties.seconds_until_full());
}

TEST(DiskForecast, OnlyTheLastHoursCount) {
  DiskForecast disk;
  const double left = fill(disk, 0, 1000.0 * kGiB, -2.0 * kGiB, 120);
  ASSERT_TRUE(disk.seconds_until_full());
  fill(disk, 7200, left, 0, 7 * 60);
  EXPECT_FALSE(disk.seconds_until_full()) << "it has not filled for seven hours";
}

TEST(DiskForecast, AFileThatComesAndGoesIsNoTrend) {
  DiskForecast disk;
  for (int i = 0; i < 300; ++i) {
    const std::uint64_t trend = 100 * kGiB - static_cast<std::uint64_t>(i) * (kGiB / 10);
    disk.see(60.0 * i, i == 150 ? trend - 20 * kGiB : trend);
  }
  ASSERT_TRUE(disk.seconds_until_full());
  const double left = 70.1 * 10 * 60;
  EXPECT_NEAR(*disk.seconds_until_full(), left, left / 10);
}

TEST(DiskForecast, AFullDiskIsFullNow) {
  DiskForecast disk;
  fill(disk, 0, 1.0 * kGiB * 59, -1.0 * kGiB, 60);
  ASSERT_TRUE(disk.seconds_until_full());
  EXPECT_EQ(*disk.seconds_until_full(), 0);
}

}  // namespace
}  // namespace rushes::scheduler
