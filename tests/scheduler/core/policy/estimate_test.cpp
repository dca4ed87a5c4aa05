// How long tasks take: the part that grows with their work, and the fixed one.
#include "scheduler/core/policy/estimate.h"

#include <gtest/gtest.h>

#include <cmath>

namespace rushes::scheduler::policy {
namespace {

constexpr double kFixed = 5, kUnit = 2;  // seconds a task, seconds a unit

// -1..1, another value for every i.
double noise(int i) { return std::sin(i * 12.9898); }

Estimate learned_many(Estimate estimate, double work, int count, double spread = 0) {
  for (int i = 0; i < count; ++i)
    estimate = learned(estimate, (kFixed + kUnit * work) * (1 + spread * noise(i)), work);
  return estimate;
}

TEST(Estimate, LearnsAFixedPartFromTasksOfTwoSizes) {
  const Estimate long_ones = learned_many({}, 100, 20);
  EXPECT_DOUBLE_EQ(long_ones.offset(), 0) << "one size tells nothing about others";
  EXPECT_NEAR(long_ones.seconds(100), 205, 1e-6);
  const Estimate both = learned_many(long_ones, 1, 1);
  EXPECT_NEAR(both.seconds(1), 7, 1) << "the first short task is enough";
  EXPECT_NEAR(both.seconds(100), 205, 5);
  const Estimate more = learned_many(both, 10, 20);
  EXPECT_NEAR(more.seconds(1), 7, 0.3);
  EXPECT_NEAR(more.seconds(10), 25, 0.3);
  EXPECT_NEAR(more.seconds(100), 205, 5);
  EXPECT_NEAR(more.seconds(30, 3), 3 * 25, 1) << "three tasks with their sum of work";
}

TEST(Estimate, LearnsItFromNoisyTasks) {
  Estimate estimate;
  for (int round = 0; round < 30; ++round)
    for (const double work : {1.0, 4.0, 20.0, 100.0}) {
      const double seconds = (kFixed + kUnit * work) * (1 + 0.25 * noise(round * 7 + static_cast<int>(work)));
      estimate = learned(estimate, seconds, work);
    }
  for (const double work : {1.0, 4.0, 20.0, 100.0}) {
    const double right = kFixed + kUnit * work;
    EXPECT_NEAR(estimate.seconds(work), right, 0.15 * right) << work;
  }
  EXPECT_GT(estimate.spread(1), 0);
  EXPECT_LT(estimate.spread(1), 0.5 * estimate.seconds(1));
}

TEST(Estimate, RemembersTheFixedPartOverManyLongTasks) {
  Estimate estimate = learned_many(learned_many({}, 100, 5), 1, 5);
  estimate = learned_many(estimate, 100, 2000, 0.1);
  EXPECT_NEAR(estimate.seconds(1), 7, 1);
  EXPECT_NEAR(estimate.seconds(100), 205, 20);
}

TEST(Estimate, FindsNoFixedPartWhereThereIsNone) {
  Estimate estimate;
  for (int i = 0; i < 200; ++i) {
    const double work = i % 2 == 0 ? 1 : 30;
    estimate = learned(estimate, kUnit * work * (1 + 0.2 * noise(i)), work);
  }
  EXPECT_NEAR(estimate.seconds(1), kUnit, 0.3 * kUnit);
  EXPECT_NEAR(estimate.seconds(30), 30 * kUnit, 0.1 * 30 * kUnit);
}

TEST(Estimate, OneStrangeAttemptDoesNotMoveItFar) {
  const Estimate before = learned_many(learned_many({}, 100, 20), 1, 20);
  for (const double work : {1.0, 100.0}) {
    const double right = kFixed + kUnit * work;
    const Estimate late = learned(before, 100 * right, work), early = learned(before, right / 100, work);
    for (const double size : {1.0, 100.0}) {
      EXPECT_NEAR(late.seconds(size), kFixed + kUnit * size, 0.35 * (kFixed + kUnit * size)) << work;
      EXPECT_NEAR(early.seconds(size), kFixed + kUnit * size, 0.35 * (kFixed + kUnit * size)) << work;
    }
  }
  // The first short task meets a busy disk: it counts for no more than a long one.
  const Estimate hung = learned(learned_many({}, 100, 20), 1e6, 1);
  EXPECT_LT(hung.seconds(100), 2 * 205);
  // And one that loads weights says nothing about the others.
  EXPECT_DOUBLE_EQ(learned(learned_many({}, 100, 20), 60, 1, true).offset(), 0);
}

TEST(Estimate, ADeviceThatBecomesFasterDoesSoInBothParts) {
  Estimate estimate = learned_many(learned_many({}, 100, 50), 1, 50);
  for (int i = 0; i < 200; ++i) estimate = learned(estimate, (kFixed + kUnit * 100) / 2, 100);
  EXPECT_NEAR(estimate.seconds(1), 3.5, 1);
}

}  // namespace
}  // namespace rushes::scheduler::policy
