// Whose fault a failed attempt is: a shot that asks for what cannot be done costs no host its work.
#include <gtest/gtest.h>

#include "tests/scheduler/core/sim_farm.h"

namespace rushes::scheduler {
namespace {

bool is_of(const TestFarm& farm, const AttemptId& ref, const std::string& name) {
  const State& state = farm.state();
  return state.shots[state.task(ref.task).shot].spec.name.rfind(name, 0) == 0;
}

// One round of a farm on which every attempt of a shot named "bad..." fails and all others finish.
void work(TestFarm& farm, const std::vector<SimWorker*>& workers, FailKind kind) {
  for (SimWorker* worker : workers) {
    worker->receive();
    for (const AttemptId& ref : std::vector<AttemptId>(worker->held)) {
      worker->start(ref);
      if (is_of(farm, ref, "bad"))
        worker->fail(ref, kind);
      else
        worker->complete(ref);
    }
  }
  farm.pass_ms(1000);
  for (SimWorker* worker : workers) worker->beat();
}

std::size_t failed_attempts(const TestFarm& farm) {
  std::size_t sum = 0;
  for (const char* name : {"a", "b"})
    if (const Worker* worker = farm.state().find_worker(name)) sum += worker->failed;
  return sum;
}

TEST(Faults, AFaultOfTheInputGoesToAPersonAtOnce) {
  TestFarm farm;
  farm.submit({test_shot("bad", 33, 1), test_shot("good", 33, 1)});
  SimWorker a(farm, "a"), b(farm, "b");
  a.hello();
  b.hello();
  for (int second = 0; second < 60; ++second) work(farm, {&a, &b}, FailKind::kRefused);
  EXPECT_EQ(farm.shot("demo/bad").state, ShotState::kAttention);
  EXPECT_NE(farm.shot("demo/bad").reason.find("refused: it broke"), std::string::npos);
  EXPECT_EQ(farm.shot("demo/good").state, ShotState::kDelivered);
  EXPECT_EQ(failed_attempts(farm), 1u);
  for (const char* name : {"a", "b"}) EXPECT_TRUE(farm.state().find_worker(name)->failed_shots.empty());
}

TEST(Faults, ABatchOfShotsThatFailEverywhereLeavesWorkersForTheOthers) {
  for (const FailKind kind : {FailKind::kRefused, FailKind::kCrash, FailKind::kEngine, FailKind::kMemory}) {
    TestFarm farm;
    std::vector<config::Shot> shots;
    for (const char* name : {"bad1", "bad2", "bad3", "bad4", "bad5", "bad6"})
      shots.push_back(test_shot(name, 33, 1));
    shots.push_back(test_shot("good", 33, 1));
    farm.submit(shots);
    SimWorker a(farm, "a"), b(farm, "b");
    a.hello();
    b.hello();
    for (int second = 0; second < 200; ++second) work(farm, {&a, &b}, kind);
    EXPECT_EQ(farm.shot("demo/good").state, ShotState::kDelivered) << to_string(kind);
    for (std::size_t bad = 0; bad < 6; ++bad)
      EXPECT_EQ(farm.shot("demo/bad" + std::to_string(bad + 1)).state, ShotState::kAttention)
          << to_string(kind);
    EXPECT_FALSE(farm.state().find_worker("a")->quarantined_until_ms > 0 &&
                 farm.state().find_worker("b")->quarantined_until_ms > 0);
  }
}

TEST(Faults, OneBadShotQuarantinesNobody) {
  TestFarm farm;
  farm.submit({test_shot("sh010", 65, 4)});
  SimWorker a(farm, "a", 2), b(farm, "b", 2);
  a.hello();
  b.hello();
  // Encoded by one of them; then every window fails wherever it runs.
  for (int second = 0; second < 300 && farm.shot("demo/sh010").state != ShotState::kAttention; ++second) {
    for (SimWorker* worker : {&a, &b}) {
      worker->receive();
      for (const AttemptId& ref : std::vector<AttemptId>(worker->held)) {
        worker->start(ref);
        if (farm.state().task(ref.task).plan.stage == Stage::kEncode)
          worker->complete(ref);
        else
          worker->fail(ref, FailKind::kCrash);
      }
    }
    farm.pass_ms(1000);
    a.beat();
    b.beat();
    for (const char* name : {"a", "b"}) ASSERT_EQ(farm.state().find_worker(name)->quarantined_until_ms, 0);
  }
  EXPECT_EQ(farm.shot("demo/sh010").state, ShotState::kAttention);
}

TEST(Faults, AWorkerThatFailsTasksOfOneShotThatAnotherFinishesIsQuarantined) {
  TestFarm farm;
  farm.submit({test_shot("sh010", 129, 4)});
  SimWorker broken(farm, "broken", 1, 0), good(farm, "good", 1, 0);
  broken.hello();
  good.hello();
  for (int second = 0; second < 300 && farm.shot("demo/sh010").state != ShotState::kDelivered; ++second) {
    broken.receive();
    for (const AttemptId& ref : std::vector<AttemptId>(broken.held)) broken.fail(ref, FailKind::kCrash);
    good.receive();
    for (const AttemptId& ref : std::vector<AttemptId>(good.held)) {
      good.start(ref);
      good.complete(ref);
    }
    farm.pass_ms(1000);
    broken.beat();
    good.beat();
    if (second == 20) farm.restart();  // what speaks against a worker outlives a restart
  }
  EXPECT_EQ(farm.shot("demo/sh010").state, ShotState::kDelivered);
  EXPECT_LE(farm.state().find_worker("broken")->failed, 12u);
  const auto quarantined = [](const Record& record) {
    return std::holds_alternative<record::WorkerQuarantined>(record);
  };
  EXPECT_TRUE(std::ranges::any_of(farm.journal, quarantined));
}

}  // namespace
}  // namespace rushes::scheduler
