#include "config/repeats.h"

#include <gtest/gtest.h>

namespace rushes::log {
namespace {

using Time = Repeats::Time;

TEST(Repeats, ALineThatRepeatsComesLessAndLessOften) {
  Repeats repeats;
  int said = 0;
  std::uint64_t left_out = 0;
  for (Time now{0}; now < Time(600'000); now += Time(100))
    if (const auto before = repeats.admit("the disk is full", now)) ++said, left_out += *before;
  EXPECT_EQ(said, 7 + 8) << "after 0, 1, 3, 7, 15, 31, 63 s, and then every minute";
  EXPECT_GT(left_out + static_cast<std::uint64_t>(said), 5'400u) << "and says how many were left out";
}

TEST(Repeats, DigitsDoNotMakeAnotherLine) {
  Repeats repeats;
  EXPECT_TRUE(repeats.admit("task 1: the disk is full", Time(0)));
  EXPECT_FALSE(repeats.admit("task 22: the disk is full", Time(10)));
  EXPECT_TRUE(repeats.admit("task 1: no such file", Time(10)));
}

TEST(Repeats, AfterALongSilenceItIsNewsAgain) {
  Repeats repeats;
  for (Time now{0}; now < Time(100'000); now += Time(100)) repeats.admit("lost", now);
  EXPECT_TRUE(repeats.admit("lost", Time(300'000)));
  EXPECT_TRUE(repeats.admit("lost", Time(301'000))) << "a second later, as at first";
}

TEST(Repeats, NeverHoldsMoreThanItsBound) {
  Repeats repeats;
  for (std::size_t i = 0; i < 3 * Repeats::kLines; ++i)
    EXPECT_TRUE(repeats.admit(std::string(1 + i, 'x'), Time(static_cast<std::int64_t>(i))));
}

}  // namespace
}  // namespace rushes::log
