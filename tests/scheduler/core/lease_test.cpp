// Leases, fencing, loss of workers, restarts of the scheduler.
#include <algorithm>

#include "tests/scheduler/core/sim_farm.h"

namespace rushes::scheduler {
namespace {

// Worker a holds the first task of a shot; b is connected and has sent nothing yet.
class HeldLease : public testing::Test {
 protected:
  HeldLease() {
    farm.submit({test_shot("sh010", 33, 1)});
    a.hello();
    a.receive();
    EXPECT_EQ(a.held.size(), 1u);
    first = a.held.front();
  }
  TestFarm farm;
  SimWorker a{farm, "a", 1, 0}, b{farm, "b", 1, 0};
  AttemptId first;
};

TEST_F(HeldLease, AHeartbeatRenewsAndSilenceEndsIt) {
  for (int i = 0; i < 20; ++i) {
    farm.pass_ms(2000);
    a.beat();
  }
  EXPECT_TRUE(is_held(farm.state().task(first.task).state)) << "forty seconds, renewed every two";
  farm.pass_ms(14'000);
  EXPECT_TRUE(is_held(farm.state().task(first.task).state));
  farm.pass_ms(2000);
  EXPECT_EQ(farm.state().task(first.task).state, TaskState::kReady);
  EXPECT_EQ(farm.state().task(first.task).lost_attempts, 1u);
  EXPECT_FALSE(farm.state().find_worker("a")->connected) << "silent for a lease: gets nothing new";
}

// A scheduler that was stopped, or a machine that slept: no worker was silent, and no message was read.
void sleep_ms(TestFarm& farm, std::int64_t ms) {
  farm.now.boot_ms += ms;
  farm.now.wall_ms += ms;
}

TEST_F(HeldLease, APauseOfTheSchedulerIsNotTheSilenceOfAWorker) {
  const AttemptId ref = first;
  farm.pass_ms(1000);
  sleep_ms(farm, 8 * 3600 * 1000);
  farm.step(event::Tick{});  // before the heartbeats that wait in the socket
  EXPECT_TRUE(is_held(farm.state().task(ref.task).state));
  EXPECT_TRUE(farm.state().find_worker("a")->connected);
  a.beat();
  a.complete(ref);
  a.receive();
  EXPECT_EQ(a.accepted, 1u);
}

TEST_F(HeldLease, APauseDoesNotKeepADeadWorkerAlive) {
  const TaskId task = first.task;
  farm.pass_ms(1000);
  for (int i = 0; i < 6; ++i) {  // it is always late, and counts two seconds of five
    sleep_ms(farm, 5000);
    farm.step(event::Tick{});
    EXPECT_TRUE(is_held(farm.state().task(task).state)) << i;
  }
  farm.pass_ms(2000);
  EXPECT_EQ(farm.state().task(task).state, TaskState::kReady);
  EXPECT_FALSE(farm.state().find_worker("a")->connected);
}

TEST(Lease, ALeaseThatWasGivenBehindAPauseIsNotLonger) {
  TestFarm farm;
  farm.submit({test_shot("sh010", 33, 1)});
  farm.pass_ms(1000);
  sleep_ms(farm, 8 * 3600 * 1000);
  SimWorker a(farm, "a", 1, 0);
  a.hello();  // received before the clock is looked at
  a.receive();
  farm.step(event::Tick{});
  farm.pass_ms(16'000);
  EXPECT_EQ(farm.state().task(a.held.front().task).state, TaskState::kReady);
}

TEST_F(HeldLease, AnotherWorkerGoesOnAndTheOldResultIsRefused) {
  const AttemptId old = first;
  farm.pass_ms(20'000);
  b.hello();
  b.receive();
  ASSERT_EQ(b.held.size(), 1u);
  const AttemptId fresh = b.held.front();
  EXPECT_EQ(fresh.task, old.task);
  EXPECT_EQ(fresh.attempt, old.attempt + 1);
  EXPECT_GT(fresh.lease, old.lease);
  a.complete(old);
  a.receive();
  EXPECT_EQ(a.refused, 1u);
  EXPECT_EQ(farm.state().counters.stale_results, 1u);
  b.complete(fresh);
  b.receive();
  EXPECT_EQ(b.accepted, 1u);
  b.complete(fresh);  // the acknowledgement was lost: resent, accepted again, counted once
  b.receive();
  EXPECT_EQ(b.accepted, 2u);
  EXPECT_EQ(farm.state().counters.repeated_results, 1u);
  EXPECT_EQ(farm.state().task(fresh.task).accepted_attempt, fresh.attempt);
}

TEST_F(HeldLease, ASilentWorkerThatComesBackIsToldToStopWhatIsNotItsOwnAnyMore) {
  const AttemptId old = first;
  farm.pass_ms(20'000);
  b.hello();
  a.beat();
  const bool told = std::any_of(farm.sent.begin(), farm.sent.end(), [&](const Command& c) {
    const auto* revoke = message_in<protocol::Revoke>(c);
    return revoke != nullptr && std::get<command::ToWorker>(c).worker == "a" && revoke->id.task == old.task;
  });
  EXPECT_TRUE(told);
}

TEST_F(HeldLease, AWorkerThatStartedAgainLosesWhatItDoesNotNameAtOnce) {
  const AttemptId old = first;
  a.start(old);
  a.lose_everything();
  a.hello();
  a.receive();  // asked whether it has stopped
  a.receive();
  ASSERT_EQ(a.held.size(), 1u) << "leased again without waiting for the lease to run out";
  EXPECT_EQ(a.held.front().task, old.task);
  EXPECT_EQ(a.held.front().attempt, 2u);
  EXPECT_EQ(farm.state().task(old.task).lost_attempts, 1u) << "it may have taken the worker with it";
}

TEST(Lease, AnAssignmentThatCrossesAHelloIsNotGivenToAnother) {
  TestFarm farm;
  farm.submit({test_shot("sh010", 33, 1)});
  SimWorker a(farm, "a", 1, 0), b(farm, "b", 1, 0);
  a.hello();
  b.hello();
  a.hello();  // sent again before the answer came: it cannot name the Assign that is on its way
  const TaskId task(1);
  ASSERT_TRUE(is_held(farm.state().task(task).state));
  EXPECT_EQ(farm.state().task(task).attempt, 1u);
  EXPECT_TRUE(farm.state().task(task).lease().revoking);
  a.receive();  // the Assign, then the Revoke: it sends Stopped
  b.receive();
  EXPECT_EQ(farm.state().task(task).attempt, 2u);
  EXPECT_EQ(farm.state().task(task).lost_attempts, 0u) << "nothing was lost with a worker";
}

TEST(Lease, ASchedulerRestartKeepsRunningAttempts) {
  TestFarm farm;
  farm.submit({test_shot("sh010", 33, 2)});
  SimWorker a(farm, "a", 1, 0);
  a.hello();
  for (int i = 0; i < 3; ++i) {
    a.receive();
    a.start(a.held.front());
    a.complete(a.held.front());
  }
  a.receive();
  ASSERT_EQ(a.held.size(), 1u);
  a.start(a.held.front());
  const AttemptId running = a.held.front();
  const std::uint64_t epoch = farm.state().epoch;
  farm.now.boot_ms += 60'000;  // longer than a lease: recovery renews it once
  farm.restart();
  EXPECT_EQ(farm.state().epoch, epoch + 1);
  farm.step(event::Tick{});
  EXPECT_TRUE(is_held(farm.state().task(running.task).state));
  a.hello();
  a.receive();
  ASSERT_EQ(a.held, std::vector<AttemptId>{running});
  a.complete(running);
  a.receive();
  EXPECT_EQ(farm.state().task(running.task).state, TaskState::kSucceeded);
  EXPECT_EQ(farm.state().task(running.task).attempt, 1u) << "not rendered twice";
}

TEST(Lease, ALeaseThatWasWrittenButNeverSentIsGivenAgain) {
  TestFarm farm;
  farm.submit({test_shot("sh010", 33, 1)});
  SimWorker a(farm, "a", 1, 0);
  a.hello();
  farm.restart();  // the Assign was lost with the process
  a.hello();
  a.receive();
  a.receive();
  ASSERT_EQ(a.held.size(), 1u);
  EXPECT_EQ(a.held.front().attempt, 2u);
  a.work();
  EXPECT_EQ(farm.shot("demo/sh010").state, ShotState::kDelivered);
}

TEST_F(HeldLease, AResultOfAnotherNumericClassOrWithoutItsOutputIsAFailure) {
  const AttemptId ref = first;
  protocol::Completed completed{ref, result_for(farm.state(), farm.state().task(ref.task), {}), ""};
  completed.result.numeric_class = "cuda-sm90-bf16";
  farm.step(event::FromWorker{"a", completed});
  EXPECT_EQ(farm.state().task(ref.task).failures, 1u);
  EXPECT_EQ(farm.state().task(ref.task).state, TaskState::kReady);
}

TEST(Lease, AFailedTaskPrefersAnotherWorkerAndWaitsItsBackoff) {
  TestFarm farm;
  farm.submit({test_shot("sh010", 33, 1)});
  SimWorker a(farm, "a", 1, 0), b(farm, "b", 1, 0);
  a.hello();
  b.hello();
  a.receive();
  b.receive();
  SimWorker& first = a.held.empty() ? b : a;
  SimWorker& other = a.held.empty() ? a : b;
  const TaskId task = first.held.front().task;
  first.fail(first.held.front());
  first.receive();
  EXPECT_EQ(farm.state().task(task).state, TaskState::kReady);
  EXPECT_GT(farm.state().task(task).retry_at_ms, farm.now.boot_ms);
  farm.pass_ms(3000);
  other.receive();
  ASSERT_EQ(other.held.size(), 1u);
  EXPECT_EQ(other.held.front().task, task);
}

TEST(Lease, AShotStaysInTheClassThatBeganIt) {
  TestFarm farm;
  farm.submit({test_shot("sh010", 33, 2)});
  SimWorker a(farm, "a", 1, 0), b(farm, "b", 4, 0);
  b.offer.numeric_classes = {"cpu-amx-bf16"};
  a.hello();
  EXPECT_EQ(farm.shot("demo/sh010").numeric_class, "cpu-avx512-bf16");
  b.hello();
  run_to_end(farm, {&a, &b});
  EXPECT_EQ(farm.shot("demo/sh010").state, ShotState::kDelivered);
  for (const Task& task : farm.state().tasks)
    if (computes_tensors(task.plan)) {
      EXPECT_EQ(task.accepted_worker, WorkerId(0));
    }
  EXPECT_GT(b.accepted, 0u) << "pictures are of no class";
}

TEST(Lease, AWorkerWithoutTheModelOrTheMemoryGetsNothing) {
  TestFarm farm;
  farm.submit({test_shot("sh010", 33, 1)});
  SimWorker a(farm, "a"), b(farm, "b");
  a.offer.models.clear();
  b.offer.resources.host_bytes = 1 << 20;
  a.hello();
  b.hello();
  EXPECT_EQ(held_by(farm.state().workers[WorkerId(0)]), 0u);
  EXPECT_EQ(held_by(farm.state().workers[WorkerId(1)]), 0u);
}

TEST(Lease, PrefetchIsGivenOnlyWhileThereIsMoreWorkThanSlots) {
  TestFarm farm;
  farm.submit({test_shot("sh010", 33, 8)});
  SimWorker a(farm, "a", 1, 2), b(farm, "b", 1, 2);
  a.hello();
  b.hello();
  a.receive();
  b.receive();
  EXPECT_EQ(a.held.size() + b.held.size(), 1u) << "only the encode is ready: no slot is kept for later";
  (a.held.empty() ? b : a).work();
  std::size_t held = held_by(farm.state().workers[WorkerId(0)]) + held_by(farm.state().workers[WorkerId(1)]);
  EXPECT_GT(held, 2u) << "eight takes are ready for two slots";
}

}  // namespace
}  // namespace rushes::scheduler
