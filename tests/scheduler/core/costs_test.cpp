// What shots cost: the seconds for which attempts held a slot, those in vain too.
#include "scheduler/core/state/costs.h"

#include <gtest/gtest.h>

#include "scheduler/core/journal/snapshot.h"
#include "scheduler/core/report/costs_report.h"
#include "scheduler/core/report/view.h"
#include "tests/scheduler/core/sim_farm.h"

namespace rushes::scheduler {
namespace {

DeviceSeconds cost_of_shot(const TestFarm& farm, const char* key = "demo/sh010") {
  return view::shot(farm.state(), key, farm.now)->cost;
}

// The first attempt that the worker holds runs for `seconds`.
AttemptId run_for(TestFarm& farm, SimWorker& worker, int seconds) {
  worker.receive();
  const AttemptId ref = worker.held.front();
  worker.start(ref);
  for (int second = 0; second < seconds; ++second) {
    farm.pass_ms(1000);
    worker.beat();
  }
  return ref;
}

TEST(Costs, AnAttemptThatFailsCostsTheTimeOfItsSlot) {
  TestFarm farm;
  farm.submit({test_shot("sh010", 33, 1)});
  SimWorker a(farm, "a", 1, 0);
  a.hello();
  const AttemptId ref = run_for(farm, a, 40);
  EXPECT_NEAR(cost_of_shot(farm).used[SlotKind::kCpu], 40, 1) << "while it runs";
  EXPECT_EQ(cost_of_shot(farm).all_wasted(), 0);
  a.fail(ref);
  EXPECT_NEAR(cost_of_shot(farm).wasted[SlotKind::kCpu], 40, 1);
  EXPECT_EQ(cost_of_shot(farm).used[SlotKind::kCpu], 0);
  const Failure& failure = farm.state().task(ref.task).bad_attempts.back();
  EXPECT_NEAR(failure.slot_seconds, 40, 1);
  EXPECT_EQ(failure.wall_ms - failure.started_wall_ms, 40'000);
  EXPECT_NEAR(view::workers(farm.state(), farm.now).at(0).cost.all_wasted(), 40, 1);
}

TEST(Costs, WhatWasCalledOffOrLostIsWastedToo) {
  TestFarm farm;
  farm.submit({test_shot("sh010", 33, 1), test_shot("sh020", 33, 1)});
  SimWorker a(farm, "a", 1, 0);
  a.hello();
  run_for(farm, a, 10);
  farm.step(event::Cancel{7, "demo/sh010", "ann"});
  a.receive();  // stops
  EXPECT_NEAR(cost_of_shot(farm).all_wasted(), 10, 1);
  run_for(farm, a, 5);
  a.lose_everything();
  farm.pass_ms(120'000);  // the worker is silent: its lease runs out
  EXPECT_GE(cost_of_shot(farm, "demo/sh020").all_wasted(), 5);
  EXPECT_LE(cost_of_shot(farm, "demo/sh020").all_wasted(), 5 + 60);
}

TEST(Costs, AnAttemptThatNeverBeganCostsNothing) {
  TestFarm farm;
  farm.submit({test_shot("sh010", 33, 1)});
  SimWorker a(farm, "a", 1, 0);
  a.hello();
  a.receive();
  farm.pass_ms(5000);
  a.beat();
  farm.step(event::Cancel{7, "demo/sh010", "ann"});
  a.receive();
  EXPECT_EQ(cost_of_shot(farm).total(), 0);
}

TEST(Costs, SlotsAreCountedByTheirKind) {
  TestFarm farm;
  farm.submit({test_shot("sh010", 33, 1)});
  SimWorker a(farm, "a", 1, 0);
  use_gpu(a, "cuda-sm90-bf16", 1);
  a.hello();
  run_to_end(farm, {&a});
  ASSERT_EQ(farm.shot("demo/sh010").state, ShotState::kDelivered);
  const StageCosts& costs = farm.shot("demo/sh010").costs;
  const auto of = [&](Stage stage) { return costs[static_cast<std::size_t>(stage)]; };
  EXPECT_GT(of(Stage::kDenoise).used[SlotKind::kGpu], 0);
  EXPECT_EQ(of(Stage::kDenoise).used[SlotKind::kCpu], 0);
  EXPECT_GT(of(Stage::kDeliver).used[SlotKind::kCpu], 0);
  EXPECT_EQ(of(Stage::kDeliver).used[SlotKind::kGpu], 0);
}

// The report sums what view::shot() says of each shot, with the attempts that run and those in vain.
TEST(Costs, AReportHasTheMostExpensiveFirst) {
  TestFarm farm;
  farm.submit({test_shot("sh010", 33, 1), test_shot("sh020", 33, 1)});
  farm.submit({test_shot("sh010", 33, 1, "other")});
  SimWorker a(farm, "a", 1, 0);
  a.hello();
  a.fail(run_for(farm, a, 40));
  run_for(farm, a, 7);
  const auto all = [](const Shot&) { return true; };
  const view::CostsReport report = view::costs(farm.state(), farm.now, all);
  EXPECT_NEAR(report.total.all_wasted(), 40, 1);
  EXPECT_NEAR(report.total.used[SlotKind::kCpu], 7, 1) << "while it runs";
  ASSERT_EQ(report.shots.size(), 3u);
  double before = report.total.total();
  for (const view::ShotCost& shot : report.shots) {
    EXPECT_DOUBLE_EQ(shot.cost.total(), cost_of_shot(farm, shot.shot.c_str()).total()) << shot.shot;
    EXPECT_LE(shot.cost.total(), before);
    before = shot.cost.total();
  }
  ASSERT_EQ(report.shows.size(), 2u);
  EXPECT_EQ(report.batches.size(), 2u);
  EXPECT_DOUBLE_EQ(report.shows[0].cost.total() + report.shows[1].cost.total(), report.total.total());
  const auto one =
      view::costs(farm.state(), farm.now, [](const Shot& shot) { return shot.spec.show == "other"; });
  ASSERT_EQ(one.shots.size(), 1u);
  EXPECT_EQ(one.shots[0].shot, "other/sh010");
}

TEST(Costs, OutliveARestartFromASnapshotAndFromTheJournal) {
  for (const bool with_snapshot : {false, true}) {
    TestFarm farm;
    farm.submit({test_shot("sh010", 33, 2)});
    SimWorker a(farm, "a", 1, 0);
    use_gpu(a, "cuda-sm90-bf16", 1);
    a.hello();
    a.fail(run_for(farm, a, 8));
    run_to_end(farm, {&a});
    const DeviceSeconds before = cost_of_shot(farm);
    const DeviceSeconds of_worker = view::workers(farm.state(), farm.now).at(0).cost;
    EXPECT_NEAR(before.all_wasted(), 8, 1);
    if (with_snapshot) farm.snapshot();
    farm.restart();
    const DeviceSeconds after = cost_of_shot(farm), worker = view::workers(farm.state(), farm.now).at(0).cost;
    for (const SlotKind kind : kEverySlotKind) {
      EXPECT_DOUBLE_EQ(after.used[kind], before.used[kind]);
      EXPECT_DOUBLE_EQ(after.wasted[kind], before.wasted[kind]);
      EXPECT_DOUBLE_EQ(worker.used[kind], of_worker.used[kind]);
      EXPECT_DOUBLE_EQ(worker.wasted[kind], of_worker.wasted[kind]);
      EXPECT_DOUBLE_EQ(sum_of(farm.shot("demo/sh010").costs).of(kind), before.of(kind));
    }
  }
}

TEST(Costs, AnAttemptThatRunsAcrossARestartIsCountedFromItsBeginning) {
  TestFarm farm;
  farm.submit({test_shot("sh010", 33, 1)});
  SimWorker a(farm, "a", 1, 0);
  a.hello();
  const AttemptId ref = run_for(farm, a, 20);
  farm.restart();
  a.hello();
  farm.pass_ms(1000);
  EXPECT_NEAR(cost_of_shot(farm).total(), 21, 1);
  EXPECT_EQ(farm.state().task(ref.task).state, TaskState::kRunning);
}

// A worker's claim of a time that cannot be, or none at all, does not spoil the sums.
TEST(Costs, ClaimsAreBounded) {
  for (const double claim : {-5.0, 1e300}) {
    TestFarm farm;
    farm.submit({test_shot("sh010", 33, 1)});
    SimWorker a(farm, "a", 1, 0);
    a.hello();
    a.receive();
    const AttemptId ref = a.held.front();
    TaskResult result = result_for(farm.state(), farm.state().task(ref.task), {});
    result.wall_seconds = claim;
    farm.step(event::FromWorker{"a", protocol::Completed{ref, result, ""}});
    EXPECT_GE(cost_of_shot(farm).total(), 0);
    EXPECT_LE(cost_of_shot(farm).total(), 7 * 24 * 3600);
  }
}

// The budget of a take's revisions counts what its failed attempts took.
TEST(Costs, FailedAttemptsOfRevisionsUseUpTheBudget) {
  for (const double budget : {1e6, 30.0}) {
    TestFarm farm;
    config::Shot shot = test_shot("sh010", 53, 1);
    shot.approve = config::Approve::kPerson;
    shot.budget.windows = 4;
    shot.budget.device_seconds = budget;
    farm.submit({shot});
    SimWorker a(farm, "a", 1, 0);
    a.critic = [](const Task& task) {
      Critique critique;
      critique.verdict = task.plan.whole_take ? Verdict::kRevise : Verdict::kPass;
      critique.score = 0.4f;
      critique.findings = {{"flicker", 0.7f, {3, 8}, 1, {}, "it flickers", "", 2, 1}};
      return critique;
    };
    a.hello();
    bool failed = false;
    for (int i = 0; i < 400 && farm.shot("demo/sh010").state != ShotState::kReview; ++i) {
      a.receive();
      if (!a.held.empty()) {
        const AttemptId ref = a.held.front();
        const bool fails = !failed && farm.state().task(ref.task).plan.revision == 1;
        a.start(ref);
        if (fails) {
          for (int second = 0; second < 60; ++second) {
            farm.pass_ms(1000);
            a.beat();
          }
          a.fail(ref);
          failed = true;
        } else {
          a.complete(ref);
        }
      }
      farm.pass_ms(1000);
      a.beat();
    }
    ASSERT_TRUE(failed);
    const std::size_t versions = farm.shot("demo/sh010").take(1).versions.size();
    if (budget < 60)
      EXPECT_EQ(versions, 2u) << "the first revision and its failed attempt used the budget up";
    else
      EXPECT_GT(versions, 2u);
  }
}

}  // namespace
}  // namespace rushes::scheduler
