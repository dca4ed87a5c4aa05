// The journal: records survive their bytes, a replay gives the same state, a snapshot loses nothing.
#include "scheduler/core/journal/replay.h"
#include "scheduler/core/journal/record_codec.h"
#include "scheduler/core/journal/snapshot.h"
#include "scheduler/core/state/apply.h"
#include "tests/scheduler/core/sim_farm.h"

namespace rushes::scheduler {
namespace {

Critique picky(const Task& task) {
  Critique critique;
  critique.verdict = task.plan.revision == 0 && task.plan.take == 1 ? Verdict::kRevise : Verdict::kPass;
  critique.score = 0.3f + 0.2f * static_cast<float>(task.plan.revision);
  critique.dimensions = {{"flicker", 0.4f, 0.5f}};
  critique.findings = {
      {"flicker", 0.7f, {3, 8}, 0, {0.1f, 0.2f, 0.3f, 0.4f}, "it flickers", "render again", 2.5, 1.0}};
  critique.critics = "flicker 1";
  return critique;
}

// A farm in the middle of interesting things: results, a failure, a revision, a paused shot, a running
// attempt.
void live_a_while(TestFarm& farm) {
  config::Shot upgraded = test_shot("sh010", 53, 2);
  upgraded.upgrade.enabled = true;
  upgraded.critics["flicker"] = {true, 0.5F, 0.1F, {}};
  farm.submit({upgraded, test_shot("sh020"), test_shot("sh030", 120, 1, "other")}, "key");
  SimWorker a(farm, "a"), b(farm, "b", 2, 1);
  a.critic = picky;
  b.critic = picky;
  a.hello();
  b.hello();
  a.receive();
  a.start(a.held.front());
  a.fail(a.held.front());
  for (int i = 0; i < 60; ++i) {
    a.receive();
    if (!a.held.empty()) a.complete(a.held.front());
    b.receive();
    if (!b.held.empty()) b.complete(b.held.back());
    if (i % 10 == 0) farm.pass_ms(1000);
    if (i % 10 == 0) a.beat();
    if (i % 10 == 0) b.beat();
  }
  farm.step(event::Pause{3, "other/sh030", "ann"});
  farm.step(event::Cancel{4, "demo/sh020", "ann"});
  farm.step(event::DrainWorker{5, "b", "ann"});
}

State replay(const std::vector<Record>& journal) {
  State state;
  for (const Record& record : journal) {
    EXPECT_TRUE(check(state, record).has_value());
    scheduler::apply(state, record);
  }
  return state;
}

std::vector<Record> read_snapshot(const State& state) {
  std::vector<Record> rows;
  for (const Record& record : snapshot(state)) {
    auto decoded = decode_record(encode_record(record));
    EXPECT_TRUE(decoded.has_value()) << decoded.error().message;
    rows.push_back(std::move(decoded.value()));
  }
  return rows;
}

TEST(Replay, TheJournalGivesTheSameState) {
  TestFarm farm;
  live_a_while(farm);
  State again = replay(farm.journal);
  EXPECT_EQ(state_hash(again), state_hash(farm.state()));
  EXPECT_EQ(again.events.last(), farm.state().events.last());
  EXPECT_EQ(again.next_lease, farm.state().next_lease);
  EXPECT_TRUE(check_invariants(again).empty());
  State shorter = replay({farm.journal.begin(), farm.journal.end() - 5});
  EXPECT_NE(state_hash(shorter), state_hash(farm.state())) << "the hash must see differences";
}

TEST(Replay, RecordsSurviveTheirBytes) {
  TestFarm farm;
  live_a_while(farm);
  std::vector<Record> again;
  std::set<std::size_t> kinds;
  for (const Record& record : farm.journal) {
    const Bytes bytes = encode_record(record);
    auto decoded = decode_record(bytes);
    ASSERT_TRUE(decoded.has_value()) << decoded.error().message;
    EXPECT_EQ(decoded->index(), record.index());
    EXPECT_EQ(encode_record(*decoded), bytes);
    kinds.insert(record.index());
    again.push_back(std::move(*decoded));
  }
  EXPECT_GE(kinds.size(), 15u) << "the story should write most kinds of records";
  EXPECT_EQ(state_hash(replay(again)), state_hash(farm.state()));
}

TEST(Replay, ASnapshotLosesNothingAndTheFarmGoesOnFromIt) {
  TestFarm farm;
  live_a_while(farm);
  const std::vector<Record> rows = read_snapshot(farm.state());
  State restored = replay(rows);
  EXPECT_EQ(state_hash(restored), state_hash(farm.state()));
  EXPECT_EQ(restored.events.last(), farm.state().events.last());
  const auto problems = check_invariants(restored);
  EXPECT_TRUE(problems.empty()) << problems.front();
  farm.journal = rows;  // everything older is gone
  farm.restart();
  farm.step(event::Resume{6, "other/sh030", "ann"});
  SimWorker c(farm, "c", 4, 0);
  c.hello();
  farm.pass_ms(20'000);
  c.beat();
  run_to_end(farm, {&c});
  for (const char* shot : {"demo/sh010", "other/sh030"}) {
    if (farm.shot(shot).state == ShotState::kReview)  // no take passed
      farm.step(event::Approve{7, shot, farm.shot(shot).ranking.front(), "ann"});
    run_to_end(farm, {&c});
    EXPECT_EQ(farm.shot(shot).state, ShotState::kDelivered);
  }
}

// The first leases of a worker have its slots, the others wait behind them: floors and what idle workers take
// back depend on it.
TEST(Replay, ASnapshotKeepsTheOrderOfLeases) {
  TestFarm farm;
  farm.submit({test_shot("sh010", 97, 3), test_shot("sh020", 33, 1, "other")});
  SimWorker worker(farm, "w", 1, 1);
  worker.hello();
  std::vector<TaskId> order;
  for (int i = 0; i < 20 && (order.size() < 2 || order[0] < order[1]); ++i) {
    worker.receive();
    worker.complete(worker.held.front());
    order = all_leases(farm.state().workers[WorkerId(0)]);
  }
  ASSERT_EQ(order.size(), 2u);
  ASSERT_GT(order[0], order[1]) << "an older lease of a later task";
  const auto shows = farm.state().shows;
  ASSERT_NE(shows[ShowId(0)].slots, shows[ShowId(1)].slots);
  farm.journal = read_snapshot(farm.state());
  farm.restart();
  EXPECT_EQ(all_leases(farm.state().workers[WorkerId(0)]), order);
  EXPECT_EQ(farm.state().shows[ShowId(0)].slots, shows[ShowId(0)].slots);
  EXPECT_EQ(farm.state().shows[ShowId(1)].slots, shows[ShowId(1)].slots);
}

// What is planned from a record's numbers is as large as they say: a flipped bit must not ask for all memory.
TEST(Replay, AShotIsNoLargerThanAShotCanBe) {
  TestFarm farm;
  farm.submit({test_shot("sh010")});
  const auto planned = std::find_if(farm.journal.begin(), farm.journal.end(), [](const Record& record) {
    return std::holds_alternative<record::ShotPlanned>(record);
  });
  ASSERT_NE(planned, farm.journal.end());
  record::ShotPlanned huge = std::get<record::ShotPlanned>(*planned);
  huge.spec.recipe.height = std::numeric_limits<int>::min();
  const auto read = decode_record(encode_record(huge));
  ASSERT_FALSE(read);
  EXPECT_NE(read.error().message.find("height: expected 0..65536, found 2147483648"), std::string::npos)
      << read.error().message;
}

TEST(Replay, DamagedBytesAreRefusedNotTrusted) {
  TestFarm farm;
  live_a_while(farm);
  std::mt19937_64 random(7);
  int refused = 0;
  for (int i = 0; i < 4000; ++i) {
    Bytes bytes = encode_record(farm.journal[random() % farm.journal.size()]);
    for (int n = 0; n < 3; ++n)
      bytes[random() % bytes.size()] ^= static_cast<std::uint8_t>(1u << (random() % 8));
    if (i % 3 == 0) bytes.resize(random() % bytes.size() / 8 * 8);
    const auto decoded = decode_record(bytes);  // must not crash, hang or read outside
    refused += decoded ? 0 : 1;
    if (!decoded) {
      EXPECT_EQ(decoded.error().kind, ErrorKind::kCorrupt);
    }
  }
  EXPECT_GT(refused, 1000);
}

TEST(Replay, ARecordThatDoesNotFitIsFoundBeforeItIsApplied) {
  TestFarm farm;
  farm.submit({test_shot("sh010")});
  EXPECT_FALSE(check(farm.state(), record::ShotMoved{ShotId(7), ShotState::kReview, "", {}, 0}).has_value());
  EXPECT_FALSE(
      check(farm.state(), record::ResultAccepted{{TaskId(1), 1, 1}, WorkerId(0), {}, 0}).has_value());
  EXPECT_FALSE(
      check(farm.state(), record::TaskClosed{TaskId(9999), TaskState::kCancelled, "", 0}).has_value());
  EXPECT_TRUE(check(farm.state(), record::TaskClosed{TaskId(1), TaskState::kCancelled, "", 0}).has_value());
}

// Older builds wrote why an attempt was called off as a sentence, and nothing about loads.
TEST(Replay, RecordsOfOlderBuildsAreMapped) {
  const auto again = [](const Record& record) { return decode_record(encode_record(record)).value(); };
  const auto cause_of = [&](const std::string& reason) {
    const Record revoked =
        record::RevokeAsked{{TaskId(1), 1, 1}, TaskState::kReady, RevokeCause::kUnknown, reason};
    return std::get<record::RevokeAsked>(again(revoked)).cause;
  };
  EXPECT_EQ(cause_of("the worker does not name it"), RevokeCause::kMissing);
  EXPECT_EQ(cause_of("cancelled by ann"), RevokeCause::kUnknown);
  const auto started =
      std::get<record::Started>(again(record::Started{{TaskId(1), 1, 1}, 500, 700, false, 0}));
  EXPECT_EQ(started.counted_from_ms, 500);

  TestFarm farm;
  farm.submit({test_shot("sh010")});
  SimWorker worker(farm, "a");
  worker.hello();
  record::TaskRow row{farm.state().task(TaskId(1))};
  ASSERT_TRUE(is_held(row.row.state));
  row.row.last_lease.revoking = true;
  row.row.last_lease.revoke_reason = "the worker does not name it";
  const auto read = std::get<record::TaskRow>(again(row));
  EXPECT_EQ(read.row.lease().revoke_cause, RevokeCause::kMissing);
}

}  // namespace
}  // namespace rushes::scheduler
