// Which takes give their disk space back, and when.
#include "scheduler/core/policy/retention.h"

#include <gtest/gtest.h>

#include <limits>

namespace rushes::scheduler::policy {
namespace {

constexpr std::int64_t kDay = 24 * 3600 * 1000;
constexpr double kForever = std::numeric_limits<double>::infinity();

RetainedTake unapproved() {
  RetainedTake take;
  take.shot_at_rest = true;
  take.changed_wall_ms = 10 * kDay;
  return take;
}

TEST(Retention, AnUnapprovedTakeLeavesOnceItsShotIsAtRest) {
  RetainedTake take = unapproved();
  ASSERT_TRUE(may_leave(take));
  EXPECT_EQ(may_leave(take)->as, LeavesAs::kUnapproved);
  EXPECT_EQ(may_leave(take)->since_wall_ms, 10 * kDay);
  take.shot_at_rest = false;
  EXPECT_FALSE(may_leave(take));
  take = unapproved();
  take.was_approved = true;
  EXPECT_FALSE(may_leave(take)) << "somebody wanted it once";
}

TEST(Retention, ADroppedTakeLeavesWhateverItsShotDoes) {
  RetainedTake take;
  take.dropped = true;
  take.changed_wall_ms = 3 * kDay;
  ASSERT_TRUE(may_leave(take));
  EXPECT_EQ(may_leave(take)->as, LeavesAs::kDropped);
  take.kept_by_person = true;
  EXPECT_TRUE(may_leave(take)) << "it was dropped after that";
}

TEST(Retention, AShotThatIsOverLetsGoFromThenOn) {
  RetainedTake take;
  take.shot_over = true;
  take.changed_wall_ms = 3 * kDay;
  take.shot_over_wall_ms = 5 * kDay;
  ASSERT_TRUE(may_leave(take));
  EXPECT_EQ(may_leave(take)->as, LeavesAs::kShotOver);
  EXPECT_EQ(may_leave(take)->since_wall_ms, 5 * kDay);
  take.kept_by_person = true;
  EXPECT_FALSE(may_leave(take));
}

TEST(Retention, WhatIsChosenOrNeededStays) {
  for (const auto keep : {&RetainedTake::approved, &RetainedTake::delivered, &RetainedTake::in_work,
                          &RetainedTake::needed, &RetainedTake::upgrade_under_way})
    for (const auto reason :
         {&RetainedTake::dropped, &RetainedTake::shot_over, &RetainedTake::shot_at_rest}) {
      RetainedTake take;
      take.*reason = true;
      ASSERT_TRUE(may_leave(take));
      take.*keep = true;
      EXPECT_FALSE(may_leave(take));
    }
  RetainedTake kept = unapproved();
  kept.kept_by_person = true;
  EXPECT_FALSE(may_leave(kept));
}

TEST(Retention, DaysCountFromTheLastChangeAndForEverIsLong) {
  const Leave draft{LeavesAs::kUnapproved, 10 * kDay};
  EXPECT_FALSE(is_due(draft, {0, 30}, 40 * kDay - 1));
  EXPECT_TRUE(is_due(draft, {kForever, 30}, 40 * kDay));
  EXPECT_FALSE(is_due(draft, {0, kForever}, std::numeric_limits<std::int64_t>::max()));
  EXPECT_TRUE(is_due({LeavesAs::kDropped, 0}, {7, kForever}, 7 * kDay));
  EXPECT_TRUE(is_due({LeavesAs::kShotOver, 0}, {7, kForever}, 7 * kDay));
  EXPECT_FALSE(is_due({LeavesAs::kDropped, 8 * kDay}, {0, 0}, 7 * kDay)) << "a clock that was set back";
}

}  // namespace
}  // namespace rushes::scheduler::policy
