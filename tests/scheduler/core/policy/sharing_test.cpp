// Who goes first: shows, priorities, deadlines, paths, loaded models, shared limits.
#include <gtest/gtest.h>

#include "scheduler/core/policy/affinity.h"
#include "scheduler/core/policy/deadline.h"
#include "scheduler/core/policy/fair_share.h"
#include "scheduler/core/policy/limits.h"
#include "scheduler/core/policy/path.h"
#include "scheduler/core/policy/priority.h"
#include "scheduler/core/policy/revisions.h"

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
  EXPECT_FALSE(at_risk(401, 400));
  EXPECT_TRUE(at_risk(399, 400));
  EXPECT_TRUE(at_risk(-50, 400));
}

TEST(Path, DecidesTheEndOnlyWhenLittleElseIsLeft) {
  EXPECT_FALSE(decides_the_end(100, 5001, 10, false));
  EXPECT_TRUE(decides_the_end(100, 4999, 10, false));
  EXPECT_FALSE(decides_the_end(100, 10'001, 10, true));
  EXPECT_TRUE(decides_the_end(100, 9999, 10, true));
  EXPECT_TRUE(decides_the_end(100, 0, 0, false));
}

TEST(Path, TheFirstTaskOfAShotHasItsTakesAndWhatFollowsThemBehindIt) {
  const auto first = ways_behind(Stage::kEncode, 0, false, true);
  EXPECT_TRUE(first.takes && first.after_takes && !first.siblings);
  const auto planned = ways_behind(Stage::kEncode, 0, false, false);
  EXPECT_FALSE(planned.takes || planned.after_takes || planned.siblings);
  const auto verdict = ways_behind(Stage::kCritique, 0, true, false);
  EXPECT_TRUE(!verdict.takes && verdict.after_takes && !verdict.siblings);
  const auto of_window = ways_behind(Stage::kCritique, 0, false, false);
  EXPECT_TRUE(!of_window.takes && of_window.after_takes && of_window.siblings);
  EXPECT_FALSE(ways_behind(Stage::kCritique, 1, true, false).after_takes)
      << "no take waits for a master's verdict";
}

TEST(Path, IsTheLongestOfTheWaysBehindATask) {
  EXPECT_EQ(path_behind({}), 0);
  EXPECT_EQ(path_behind({3, 4, 6, 5}), 7) << "what follows the takes begins when they end";
  EXPECT_EQ(path_behind({3, 4, 8, 5}), 8);
  EXPECT_EQ(path_behind({3, 4, 6, 9}), 9);
}

TEST(Affinity, StaysForALoadOfTheWholeFarmOrTwoTasks) {
  const auto stays = [](double lag, double seconds, double rate, std::uint32_t slots) {
    return may_stay({lag, rate, 0, 0.5}, seconds, 60, slots);
  };
  EXPECT_TRUE(stays(-5, 1, 1, 2));
  EXPECT_TRUE(stays(120, 1, 1, 2));
  EXPECT_FALSE(stays(121, 1, 1, 2));
  EXPECT_TRUE(stays(200, 100, 1, 2));
  EXPECT_FALSE(stays(201, 100, 1, 2));
  EXPECT_TRUE(stays(2400, 1, 1, 40));
  EXPECT_FALSE(stays(601, 1, 0.25, 40));
}

TEST(Affinity, StaysWhileWhatIsPassedOverHasItsShareOfTheSlots) {
  EXPECT_FALSE(may_stay({9e9, 1, 9, 0.25}, 1, 60, 40));
  EXPECT_TRUE(may_stay({9e9, 1, 10, 0.25}, 1, 60, 40));
}

TEST(Affinity, LoadsOnlyWhatIsWorthSeveralLoads) {
  constexpr double kLoad = 60;
  EXPECT_TRUE(worth_loading({1, 0, 1, 0}, {}, kLoad));  // no worker has it loaded
  // Two slots have it: what waits keeps them busy for two loads, or what runs does.
  EXPECT_FALSE(worth_loading({239, 0, 239, 2}, {}, kLoad));
  EXPECT_TRUE(worth_loading({241, 0, 241, 2}, {}, kLoad));
  EXPECT_TRUE(worth_loading({1, 482, 1, 2}, {}, kLoad));
  // Little waits now, but much is left: four loads more than of the slot's own model.
  EXPECT_TRUE(worth_loading({10, 0, 2000, 2}, {0, 0, 755, 1}, kLoad));
  EXPECT_FALSE(worth_loading({10, 0, 2000, 2}, {0, 0, 765, 1}, kLoad));
}

TEST(Revisions, AreLearnedAndTheLastOfSeveralTakesDecides) {
  EXPECT_DOUBLE_EQ(revised_share(0, 0), kPrior);
  EXPECT_NEAR(revised_share(10'000, 5'000), 0.5, 1e-3);
  EXPECT_DOUBLE_EQ(expected_rounds(0.5, 2), 0.75);
  EXPECT_DOUBLE_EQ(expected_rounds(0.5, 0), 0);
  EXPECT_DOUBLE_EQ(expected_rounds_of_all(0.5, 1, 1), 0.5);
  EXPECT_DOUBLE_EQ(expected_rounds_of_all(0.5, 2, 2), 0.75 + 0.4375);
  EXPECT_DOUBLE_EQ(expected_rounds_of_all(0.5, 2, 0), 0);
}

TEST(Limits, ByStageOrByName) {
  HeldLimits held;
  const config::SharedLimit storage{"storage", 3, {Stage::kFinish, Stage::kDeliver}},
      licence{"licence", 1, {}};
  const std::vector<config::SharedLimit> limits{storage, licence};
  const std::vector<std::string> none, named{"licence"};
  EXPECT_TRUE(claims(storage, Stage::kDeliver, none));
  EXPECT_FALSE(claims(storage, Stage::kDecode, named));
  EXPECT_TRUE(claims(licence, Stage::kDecode, named));
  EXPECT_FALSE(claims(licence, Stage::kDecode, none));
  EXPECT_EQ(full_limit(limits, held, Stage::kFinish, none), nullptr);
  held.by_stage[static_cast<int>(Stage::kFinish)] = 2;
  EXPECT_EQ(full_limit(limits, held, Stage::kDeliver, none), nullptr);
  held.by_stage[static_cast<int>(Stage::kDeliver)] = 1;
  ASSERT_NE(full_limit(limits, held, Stage::kDeliver, none), nullptr);
  EXPECT_EQ(full_limit(limits, held, Stage::kDeliver, none)->name, "storage");
  EXPECT_EQ(full_limit(limits, held, Stage::kDecode, named), nullptr);
  held.by_name["licence"] = 1;
  EXPECT_EQ(full_limit(limits, held, Stage::kDecode, named)->name, "licence");
  EXPECT_EQ(full_limit(limits, held, Stage::kDecode, none), nullptr);
}

}  // namespace
}  // namespace rushes::scheduler::policy
