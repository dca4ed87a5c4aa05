#include "tests/simulation/simulation.h"

#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cstdlib>

#include "tests/folders.h"
#include "tests/simulation/disk.h"
#include "tests/simulation/shrink.h"

namespace rushes::simulation {
namespace {

std::string first_violation(const Report& report) {
  return report.violations.empty() ? "" : report.violations.front().what;
}

TEST(Simulation, ASeedRepeatsItselfBitForBit) {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    const Plan plan = plan_of(seed, 200, every_fault());
    const Report first = simulate(plan), second = simulate(plan);
    EXPECT_EQ(first.trace, second.trace);
    EXPECT_EQ(first.events, second.events);
    EXPECT_NE(first.trace, simulate(plan_of(seed + 1, 200, every_fault())).trace);
  }
}

TEST(Simulation, TheTraceIsTheSameWithAndWithoutItsText) {
  Plan plan = plan_of(3, 200, every_fault());
  const Report silent = simulate(plan);
  plan.trace_lines = 10;
  const Report told = simulate(plan);
  EXPECT_EQ(silent.trace, told.trace);
  EXPECT_EQ(silent.tail.size(), 0u);
  EXPECT_EQ(told.tail.size(), 10u);
}

TEST(Simulation, WithoutFaultsNothingIsLostOrRepeated) {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    const Report report = simulate(plan_of(seed, 300, *parse_faults("none")));
    EXPECT_EQ(first_violation(report), "") << "seed " << seed;
    EXPECT_EQ(report.expired + report.kills + report.crashes + report.lost_messages + report.stale_results,
              0u);
    EXPECT_GE(report.tasks, 300u);
    EXPECT_GT(report.accepted, 300u * 8 / 10);
  }
}

TEST(Simulation, FaultsReallyHappen) {
  Report sum;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    const Report report = simulate(plan_of(seed, 300, every_fault()));
    EXPECT_EQ(first_violation(report), "") << "seed " << seed;
    sum.expired += report.expired;
    sum.kills += report.kills;
    sum.crashes += report.crashes;
    sum.lost_messages += report.lost_messages;
    sum.stale_results += report.stale_results;
  }
  EXPECT_GE(sum.expired, 10u);
  EXPECT_GE(sum.kills, 10u);
  EXPECT_GE(sum.crashes, 10u);
  EXPECT_GE(sum.lost_messages, 100u);
  EXPECT_GE(sum.stale_results, 1u);
}

TEST(Faults, AListSurvivesItsOwnText) {
  const auto faults = plan_faults(7, 5, 200'000, every_fault().kinds);
  ASSERT_GT(faults.size(), 5u);
  const auto again = parse_faults(to_string(faults));
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_FALSE(again->planned);
  EXPECT_EQ(again->exact, faults);
  for (const Fault& fault : faults) EXPECT_LE(fault.at_ms + fault.for_ms, 200'000) << to_string(fault);
}

TEST(Faults, ABadListIsRefused) {
  for (const char* list :
       {"", "rain", "kill@", "kill@x", "kill@-5", "kill@10+", "loss@10:w", "kill@10*3x", "loss,,kill"})
    EXPECT_FALSE(parse_faults(list)) << list;
  EXPECT_TRUE(parse_faults("kill,loss@10+20:w3*40"));
}

TEST(Shrink, TheTwoFaultsThatMatterAreLeft) {
  const auto faults = plan_faults(3, 5, 400'000, every_fault().kinds);
  ASSERT_GT(faults.size(), 8u);
  const Fault first = faults[2], second = faults[faults.size() - 3];
  const auto left = shortest(faults, [&](const std::vector<Fault>& part) {
    return std::find(part.begin(), part.end(), first) != part.end() &&
           std::find(part.begin(), part.end(), second) != part.end();
  });
  EXPECT_EQ(left, (std::vector<Fault>{first, second}));
}

struct DiskTest : testing::Test {
  void append(const std::string& name) {
    Disk::Append append;
    append.records = {name};
    append.done = [this, name](const Status& status) { (status ? synced : failed).push_back(name); };
    disk.append(std::move(append));
  }
  void pass(std::int64_t ms) {
    bool over = false;
    timeline.in(ms, [&over] { over = true; });
    while (!over) timeline.step();
  }
  Timeline timeline;
  std::optional<std::int64_t> sync_ms = 10;
  std::vector<std::string> synced, failed;
  Disk disk{timeline, [this] { return sync_ms; }, 1};
};

TEST_F(DiskTest, NothingIsAcknowledgedBeforeItsSync) {
  append("a");
  append("b");
  append("c");
  pass(9);
  EXPECT_TRUE(synced.empty());
  pass(2);
  EXPECT_EQ(synced, std::vector<std::string>{"a"});
  pass(10);
  EXPECT_EQ(synced, (std::vector<std::string>{"a", "b", "c"})) << "what queued up is one group";
  EXPECT_EQ(disk.syncs(), 2u);
}

TEST_F(DiskTest, ACrashKeepsAPrefixAndCallsNobodyBack) {
  std::set<std::uint64_t> survivors;
  for (int i = 0; i < 50; ++i) {
    const std::uint64_t before = disk.synced();
    append("a");
    pass(20);
    for (const char* name : {"b", "c", "d"}) append(name);
    synced.clear();
    survivors.insert(disk.crash() - before);
    pass(50);
    EXPECT_TRUE(synced.empty());
  }
  EXPECT_EQ(survivors, (std::set<std::uint64_t>{1, 2}))
      << "only the append that was being written may survive";
}

TEST_F(DiskTest, AFullDiskRefusesUntilItIsOpenedAgain) {
  sync_ms.reset();
  append("a");
  pass(20);
  EXPECT_EQ(failed, std::vector<std::string>{"a"});
  sync_ms = 10;
  append("b");
  pass(20);
  EXPECT_EQ(failed, (std::vector<std::string>{"a", "b"}))
      << "a ledger that lost a write goes on with nothing";
  EXPECT_EQ(disk.crash(), 0u);
  append("c");
  pass(20);
  EXPECT_EQ(synced, std::vector<std::string>{"c"});
}

int exit_of(const std::string& arguments) {
  const int status = std::system(
      (test::build_folder().string() + "/bin/rushes-simulate " + arguments + " >/dev/null 2>&1").c_str());
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(Program, ExitCodes) {
  EXPECT_EQ(exit_of("--seeds 1..2 --tasks 50"), 0);
  EXPECT_EQ(exit_of("--seeds 1..2 --tasks 50 --faults none --json"), 0);
  for (const char* bad :
       {"", "--seeds 2..1", "--seeds x", "--seeds 1..2 --tasks 0", "--seeds 1 --faults rain", "--colour"})
    EXPECT_EQ(exit_of(bad), 2) << bad;
}

}  // namespace
}  // namespace rushes::simulation
