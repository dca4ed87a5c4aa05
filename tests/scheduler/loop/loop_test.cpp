#include "scheduler/loop.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "scheduler/core/journal/snapshot.h"
#include "scheduler/protocol/wire.capnp.h"
#include "scheduler/recovery.h"
#include "tests/scheduler/loop/fake_farm.h"
#include "tests/scheduler/protocol/records.h"

namespace rushes::scheduler {
namespace {

using testing::HasSubstr;

class LoopTest : public testing::Test {
 protected:
  void SetUp() override { farm_.start(); }
  FakeFarm farm_;
};

TEST_F(LoopTest, ABatchRunsFromSubmitToDelivery) {
  const auto answer = farm_.submit(batch_text({"sh010", "sh020"}, 2));
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(std::get<command::Submitted>(*answer).shots.size(), 2u);
  auto& a = farm_.add_worker("a");
  auto& b = farm_.add_worker("b");
  ASSERT_TRUE(farm_.wait_done()) << farm_.shot_state("sh010");
  EXPECT_EQ(farm_.shot_state("sh010"), "delivered");
  EXPECT_EQ(farm_.shot_state("sh020"), "delivered");
  const auto tasks = farm_.loop().query([](const State& state, Now) { return state.tasks.size(); });
  EXPECT_EQ(static_cast<std::size_t>(a.ran + b.ran), *tasks) << "a task ran twice";
}

TEST_F(LoopTest, AnAcknowledgedSubmitSurvivesAtAnyMoment) {
  ASSERT_TRUE(farm_.submit(batch_text({"sh010"})));
  const Digest before = farm_.state_hash_now();
  for (int i = 0; i < 3; ++i) {
    farm_.stop();
    farm_.start();
    EXPECT_NE(farm_.shot_state("sh010"), "");
  }
  EXPECT_NE(before, Digest{});
  farm_.add_worker("a");
  ASSERT_TRUE(farm_.wait_done());
  EXPECT_EQ(farm_.shot_state("sh010"), "delivered");
}

TEST_F(LoopTest, AStopInTheMiddleRendersNothingAcceptedAgain) {
  ASSERT_TRUE(farm_.submit(batch_text({"sh010", "sh020", "sh030"}, 2)));
  farm_.add_worker("a");
  std::size_t accepted_before = 0;
  for (int i = 0; i < 200 && accepted_before < 4; ++i) {
    accepted_before = farm_.loop()
                          .query([](const State& state, Now) {
                            return static_cast<std::size_t>(std::count_if(
                                state.tasks.begin(), state.tasks.end(),
                                [](const Task& task) { return task.state == TaskState::kSucceeded; }));
                          })
                          .value();
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  farm_.stop();
  farm_.start();
  const auto kept = farm_.loop().query([](const State& state, Now) {
    std::size_t count = 0;
    for (const auto& task : state.tasks) count += task.state == TaskState::kSucceeded ? 1 : 0;
    return std::pair(count, state.tasks.size());
  });
  EXPECT_GE(kept->first, accepted_before);
  auto& again = farm_.add_worker("a");
  ASSERT_TRUE(farm_.wait_done());
  const auto total = farm_.loop().query([](const State& state, Now) { return state.tasks.size(); });
  EXPECT_EQ(static_cast<std::size_t>(again.ran), *total - kept->first);
}

TEST_F(LoopTest, AnIdempotencyKeyGivesTheSameAnswerAndRefusesAnotherText) {
  const auto first = farm_.submit(batch_text({"sh010"}), "key-1");
  ASSERT_TRUE(first);
  farm_.stop();
  farm_.start();
  const auto again = farm_.submit(batch_text({"sh010"}), "key-1");
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(std::get<command::Submitted>(*again).batch, std::get<command::Submitted>(*first).batch);
  EXPECT_TRUE(std::get<command::Submitted>(*again).repeated);
  const auto other = farm_.submit(batch_text({"sh020"}), "key-1");
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().kind, ErrorKind::kConflict);
}

TEST_F(LoopTest, AResultWithoutItsBytesIsNotAccepted) {
  auto& worker = farm_.add_worker("a");
  worker.lose_outputs = true;
  ASSERT_TRUE(farm_.submit(batch_text({"sh010"})));
  for (int i = 0; i < 300 && worker.ran == 0; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  ASSERT_GT(worker.ran, 0);
  const auto failure = [&] {
    return farm_.loop()
        .query([](const State& state, Now) {
          for (const auto& task : state.tasks)
            if (!task.bad_attempts.empty())
              return std::string(to_string(task.bad_attempts.back().kind)) + ": " +
                     task.bad_attempts.back().message;
          return std::string();
        })
        .value();
  };
  std::string seen;
  for (int i = 0; i < 300 && seen.empty(); ++i) {
    seen = failure();
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  EXPECT_THAT(seen, HasSubstr("artifact"));
  EXPECT_THAT(seen, HasSubstr("is not in the vault"));
  EXPECT_EQ(worker.accepted, 0);
  worker.lose_outputs = false;
  EXPECT_TRUE(farm_.wait_done());
}

TEST_F(LoopTest, ASnapshotGivesTheSameStateAsTheJournal) {
  farm_.stop();
  farm_.start(20);  // many snapshots
  ASSERT_TRUE(farm_.submit(batch_text({"sh010", "sh020"})));
  farm_.add_worker("a");
  ASSERT_TRUE(farm_.wait_done());
  const auto kept = farm_.loop().query(
      [](const State& state, Now) { return std::pair(state_hash(state), state.tasks.size()); });
  farm_.stop();
  auto ledger = storage::Ledger::open(farm_.folder() / "ledger");
  ASSERT_TRUE(ledger);
  const auto nothing = [](std::string_view) { return Status(); };
  ASSERT_GT((*ledger)->snapshot(nothing).value(), 0u);
  State state;
  const auto recovered = recover_state(**ledger, state);
  ASSERT_TRUE(recovered) << recovered.error().message;
  EXPECT_EQ(state.tasks.size(), kept->second);
  EXPECT_EQ(state_hash(state), kept->first);
}

TEST_F(LoopTest, LogsAndReferencesAreKept) {
  ASSERT_TRUE(farm_.submit(batch_text({"sh010"})));
  farm_.add_worker("a");
  ASSERT_TRUE(farm_.wait_done());
  const auto logs = farm_.ledger().logs(1).value();
  ASSERT_EQ(logs.size(), 1u);
  EXPECT_THAT(logs[0].second, HasSubstr("log of output"));
  farm_.janitor().flush();
  const auto made = farm_.loop().query([](const State& state, Now) {
    std::vector<Digest> digests;
    for (const auto& task : state.tasks)
      for (const auto& output : task.result.outputs) digests.push_back(output.digest);
    return digests;
  });
  ASSERT_FALSE(made->empty());
  EXPECT_EQ(farm_.vault().sweep(std::chrono::milliseconds(0)).value().artifacts, 0u);
  for (const auto& digest : *made) EXPECT_GE(farm_.vault().references(digest).value(), 1u);
}

TEST_F(LoopTest, WatchersAreWokenByEvents) {
  const auto last = farm_.loop().query([](const State& state, Now) { return state.events.last(); }).value();
  EXPECT_FALSE(farm_.loop().wait_events(last, std::chrono::milliseconds(30)));
  std::thread submit([&] { EXPECT_TRUE(farm_.submit(batch_text({"sh010"}))); });
  EXPECT_TRUE(farm_.loop().wait_events(last, std::chrono::seconds(10)));
  submit.join();
}

TEST_F(LoopTest, NobodyHangsOnAStoppedLoop) {
  farm_.loop().stop();
  const auto asked = farm_.loop().query([](const State&, Now) { return 1; });
  ASSERT_FALSE(asked);
  EXPECT_EQ(asked.error().kind, ErrorKind::kUnreachable);
  EXPECT_EQ(farm_.submit(batch_text({"sh010"})).error().kind, ErrorKind::kUnreachable);
}

TEST_F(LoopTest, AMalformedResultFailsTheAttemptAndNothingElse) {
  ASSERT_TRUE(farm_.submit(batch_text({"sh010"})));
  auto& worker = farm_.add_worker("a");
  worker.hold = true;
  for (const auto& [task, bytes] :
       {std::pair{1, std::string("\0\1\2garbage!", 11)}, {999, std::string(64, '\xff')}}) {
    capnp::MallocMessageBuilder message;
    auto root = message.initRoot<wire::FromWorker>();
    root.setVersion(wire::VERSION);
    auto id = root.initCompleted().initId();
    id.setTask(static_cast<std::uint64_t>(task));
    id.setAttempt(1);
    id.setLease(1);
    root.getCompleted().setResult({reinterpret_cast<const kj::byte*>(bytes.data()), bytes.size()});
    const auto read = protocol::decode_from_worker(protocol::test::flat(message));
    ASSERT_TRUE(read) << read.error().message;
    farm_.loop().post("a", *read);
  }
  EXPECT_NE(farm_.shot_state("sh010"), "");
  worker.hold = false;
  EXPECT_TRUE(farm_.wait_done());
}

}  // namespace
}  // namespace rushes::scheduler
