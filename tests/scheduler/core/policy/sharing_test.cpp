// Who goes first: shows, priorities, deadlines, paths, loaded models, shared limits.
#include <gtest/gtest.h>

#include "scheduler/core/policy/affinity.h"
#include "scheduler/core/policy/deadline.h"
#include "scheduler/core/policy/fair_share.h"
#include "scheduler/core/policy/limits.h"
#include "scheduler/core/policy/path.h"
#include "scheduler/core/policy/priority.h"

namespace rushes::scheduler::policy {
namespace {

using Order = std::vector<std::uint32_t>;

TEST(FairShare, FloorsFirstThenVirtualTime) {
  EXPECT_EQ(fair_order(std::vector<ShowLoad>{{4, true, 1, 0, 8}, {1, true, 1, 0, 3}}, 10), (Order{1, 0}));
  EXPECT_EQ(fair_order(std::vector<ShowLoad>{{0, true, 9, 0, 0}, {1, true, 1, 0.3, 99}}, 10), (Order{1, 0}));
  EXPECT_EQ(fair_order(std::vector<ShowLoad>{{1, true, 1, 0.3, 0}, {1, true, 1, 0.4, 9}}, 10), (Order{1, 0}));
  EXPECT_EQ(fair_order(std::vector<ShowLoad>{{3, true, 1, 0.3, 5}, {9, true, 1, 0, 4}}, 10), (Order{1, 0}));
  EXPECT_EQ(fair_order(std::vector<ShowLoad>{{0, false, 1, 0, 0}, {5, true, 1, 0, 7}}, 10), (Order{1}));
  EXPECT_DOUBLE_EQ(below_floor({2, true, 1, 0.5, 0}, 10), 3);
  EXPECT_DOUBLE_EQ(below_floor({7, true, 1, 0.5, 0}, 10), 0);
}

TEST(Priority, TenPointsDoubleTheRate) {
  EXPECT_DOUBLE_EQ(rate_of(50), 1);
  EXPECT_DOUBLE_EQ(rate_of(60), 2);
  EXPECT_DOUBLE_EQ(rate_of(30), 0.25);
  EXPECT_GT(rate_of(0), 0);
  EXPECT_DOUBLE_EQ(rate_of(effective_priority(50, true)), 16);
}

TEST(Deadline, IsAtRiskBeforeTheSlackIsGone) {
  EXPECT_DOUBLE_EQ(seconds_left(100, 300, 2), 150);
  EXPECT_DOUBLE_EQ(seconds_left(200, 300, 2), 200);
  EXPECT_DOUBLE_EQ(slack_seconds(1'000'000, 0, 400), 600);
  EXPECT_FALSE(at_risk(600, 400));
  EXPECT_FALSE(at_risk(161, 400));
  EXPECT_TRUE(at_risk(159, 400));
  EXPECT_TRUE(at_risk(-50, 400));
}

TEST(Path, DecidesTheEndOnlyWhenLittleElseIsLeft) {
  EXPECT_FALSE(decides_the_end(100, 4000, 10));
  EXPECT_TRUE(decides_the_end(100, 1000, 10));
  EXPECT_TRUE(decides_the_end(100, 0, 0));
}

TEST(Affinity, StaysForALoadOfTheWholeFarmOrFourTasks) {
  EXPECT_TRUE(may_stay(-5, 1, 1, 1));
  EXPECT_TRUE(may_stay(60, 1, 1, 1));
  EXPECT_FALSE(may_stay(61, 1, 1, 1));
  EXPECT_TRUE(may_stay(400, 100, 1, 1));
  EXPECT_FALSE(may_stay(401, 100, 1, 1));
  EXPECT_TRUE(may_stay(2400, 1, 1, 40));
  EXPECT_FALSE(may_stay(601, 1, 0.25, 40));
}

TEST(Limits, ByStageOrByName) {
  State state;
  const config::SharedLimit storage{"storage", 3, {"finish", "deliver"}}, licence{"licence", 1, {}};
  state.sharing.limits = {storage, licence};
  const std::vector<std::string> none, named{"licence"};
  EXPECT_TRUE(claims(storage, Stage::kDeliver, none));
  EXPECT_FALSE(claims(storage, Stage::kDecode, named));
  EXPECT_TRUE(claims(licence, Stage::kDecode, named));
  EXPECT_FALSE(claims(licence, Stage::kDecode, none));
  EXPECT_EQ(full_limit(state, Stage::kFinish, none), nullptr);
  state.held_by_stage[static_cast<int>(Stage::kFinish)] = 2;
  EXPECT_EQ(full_limit(state, Stage::kDeliver, none), nullptr);
  state.held_by_stage[static_cast<int>(Stage::kDeliver)] = 1;
  ASSERT_NE(full_limit(state, Stage::kDeliver, none), nullptr);
  EXPECT_EQ(full_limit(state, Stage::kDeliver, none)->name, "storage");
  EXPECT_EQ(full_limit(state, Stage::kDecode, named), nullptr);
  state.held_by_name["licence"] = 1;
  EXPECT_EQ(full_limit(state, Stage::kDecode, named)->name, "licence");
  EXPECT_EQ(full_limit(state, Stage::kDecode, none), nullptr);
}

}  // namespace
}  // namespace rushes::scheduler::policy
