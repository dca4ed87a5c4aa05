// The mutation proof: every deliberate bug of config/mutation.h is found within fifty seeds, and the
// invariant that it breaks is named. The files that hold the bugs are compiled into this test a second time.
#include "config/mutation.h"

#include <gtest/gtest.h>

#include "tests/simulation/shrink.h"

namespace rushes::simulation {
namespace {

constexpr std::uint64_t kSeeds = 50;
constexpr std::uint32_t kTasks = 400;

struct Case {
  const char* name;
  Mutation mutation;
  std::set<int> invariants;  // one of them is violated first
};

struct Planted {
  explicit Planted(Mutation mutation) { planted_mutation = mutation; }
  ~Planted() { planted_mutation = Mutation::kNone; }
};

class Mutations : public testing::TestWithParam<Case> {};

TEST_P(Mutations, IsCaught) {
  const Planted planted(GetParam().mutation);
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    const Report report = simulate(plan_of(seed, kTasks, every_fault()));
    if (report.violations.empty()) continue;
    EXPECT_TRUE(GetParam().invariants.contains(report.violations.front().invariant))
        << "invariant " << report.violations.front().invariant << ": " << report.violations.front().what;
    RecordProperty("seed", static_cast<int>(seed));
    return;
  }
  FAIL() << "not found within " << kSeeds << " seeds";
}

INSTANTIATE_TEST_SUITE_P(
    All, Mutations,
    testing::Values(Case{"AcceptStaleAttempt", Mutation::kAcceptStaleAttempt, {2, 3}},
                    Case{"ReleaseBeforeStop", Mutation::kReleaseBeforeStop, {3, 7}},
                    Case{"AckBeforeSync", Mutation::kAckBeforeSync, {1}},
                    Case{"ForgetDependency", Mutation::kForgetDependency, {5, 6}},
                    Case{"CountSlotTwice", Mutation::kCountSlotTwice, {4}},
                    Case{"DropOutboxEntry", Mutation::kDropOutboxEntry, {1}},
                    Case{"ResurrectCancelled", Mutation::kResurrectCancelled, {5}},
                    Case{"SkipCheckpointVerdict", Mutation::kSkipCheckpointVerdict, {5}},
                    Case{"StarveShow", Mutation::kStarveShow, {8}},
                    Case{"LoseLeaseOnRestart", Mutation::kLoseLeaseOnRestart, {1, 3}},
                    Case{"ResultOfAnotherAttempt", Mutation::kResultOfAnotherAttempt, {2, 3}},
                    Case{"LeaseNeverExpires", Mutation::kLeaseNeverExpires, {7}},
                    Case{"BackOffForever", Mutation::kBackOffForever, {7}},
                    Case{"ForgetRenewal", Mutation::kForgetRenewal, {3}},
                    Case{"CountPauses", Mutation::kCountPauses, {3}},
                    Case{"WelcomeTwins", Mutation::kWelcomeTwins, {3}},
                    Case{"ForgetOpenTasks", Mutation::kForgetOpenTasks, {10}},
                    Case{"StaleRow", Mutation::kStaleRow, {1}}),
    [](const auto& one) { return std::string(one.param.name); });

TEST(Mutations, TheUnchangedFarmIsNotBlamed) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    const Report report = simulate(plan_of(seed, kTasks, every_fault()));
    EXPECT_TRUE(report.violations.empty()) << "seed " << seed << ": " << report.violations.front().what;
  }
}

TEST(Mutations, AFailureShrinksToTheFaultsThatCauseIt) {
  const Planted planted(Mutation::kForgetRenewal);
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    const Plan plan = plan_of(seed, kTasks, every_fault());
    const Report report = simulate(plan);
    if (report.violations.empty()) continue;
    const Plan shrunk = shrink(plan, report);
    const Report again = simulate(shrunk);
    ASSERT_FALSE(again.violations.empty());
    EXPECT_EQ(again.violations.front().invariant, report.violations.front().invariant);
    EXPECT_LT(shrunk.faults.size(), plan.faults.size());
    for (std::size_t i = 0; i < shrunk.faults.size(); ++i) {
      Plan without = shrunk;
      without.faults.erase(without.faults.begin() + static_cast<std::ptrdiff_t>(i));
      EXPECT_TRUE(simulate(without).violations.empty()) << to_string(shrunk.faults[i]) << " is not needed";
    }
    return;
  }
  FAIL() << "nothing to shrink";
}

}  // namespace
}  // namespace rushes::simulation
