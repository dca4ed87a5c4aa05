// Where the time of a shot went.
#include "scheduler/core/report/shot_times.h"

#include <gtest/gtest.h>

#include "scheduler/core/report/view.h"
#include "tests/scheduler/core/sim_farm.h"

namespace rushes::scheduler {
namespace {

using view::shot_times;

constexpr WallSpan kLife{100'000, 200'000};

void expect_times(const view::ShotTimes& times, double queued, double running, double person) {
  EXPECT_DOUBLE_EQ(times.queued_seconds, queued);
  EXPECT_DOUBLE_EQ(times.running_seconds, running);
  EXPECT_DOUBLE_EQ(times.person_seconds, person);
}

TEST(ShotTimes, WhatNeverRanWasQueued) { expect_times(shot_times(kLife, {}, {}), 100, 0, 0); }

TEST(ShotTimes, TasksSideBySideCountOnceAndGapsAreQueued) {
  expect_times(
      shot_times(kLife, {{150'000, 160'000}, {110'000, 130'000}, {115'000, 120'000}, {125'000, 140'000}}, {}),
      60, 40, 0);
}

TEST(ShotTimes, NobodyIsWaitedForWhileSomethingRuns) {
  expect_times(shot_times(kLife, {{110'000, 130'000}}, {{120'000, 150'000}, {160'000, 170'000}}), 50, 20, 30);
  expect_times(shot_times(kLife, {{110'000, 130'000}}, {{115'000, 120'000}}), 80, 20, 0);
}

TEST(ShotTimes, WhatHasNoEndLastsUntilTheShotsEnd) {
  expect_times(shot_times(kLife, {}, {{170'000, 0}}), 70, 0, 30);
  expect_times(shot_times(kLife, {{190'000, 0}}, {{170'000, 0}}), 70, 10, 20);
  expect_times(shot_times(kLife, {}, {{200'000, 0}}), 100, 0, 0);  // over, and nobody changed their mind
}

TEST(ShotTimes, NobodyIsWaitedForWhileAShotIsOver) {
  expect_times(shot_times(kLife, {{110'000, 130'000}}, {{130'000, 160'000, true}, {160'000, 170'000}}), 40,
               20, 10);
  expect_times(shot_times(kLife, {}, {{170'000, 0, true}}), 70, 0, 0);
}

TEST(ShotTimes, TheHoursForWhichAShotLiesDeliveredAreNoWait) {
  TestFarm farm;
  SimWorker worker(farm, "a");
  config::Shot shot = test_shot("sh010", 33, 2);
  shot.approve = config::Approve::kPerson;
  farm.submit({shot, test_shot("sh020", 33, 1)});
  worker.hello();
  run_to_end(farm, {&worker});
  const auto person_seconds = [&](const std::string& key) {
    return view::shot(farm.state(), key, farm.now)->times.value().person_seconds;
  };
  const double before = person_seconds("demo/sh010");
  farm.pass_ms(5000);
  worker.beat();
  EXPECT_DOUBLE_EQ(person_seconds("demo/sh010"), before + 5) << "it waits for somebody to approve";
  farm.step(event::Approve{1, "demo/sh010", 1, "ann"});
  run_to_end(farm, {&worker});
  const double approved = person_seconds("demo/sh010");
  for (const char* key : {"demo/sh010", "demo/sh020"}) {
    ASSERT_EQ(farm.shot(key).state, ShotState::kDelivered);
    farm.now.wall_ms += 3'600'000;
    farm.step(event::Retry{2, key, 1, {}, "", "ann"});
    run_to_end(farm, {&worker});
    if (key == std::string("demo/sh010")) {
      EXPECT_LT(person_seconds(key), approved + 60);
    }
  }
  EXPECT_DOUBLE_EQ(person_seconds("demo/sh020"), 0) << "`approve: best` asked nobody";
  farm.restart();
  EXPECT_DOUBLE_EQ(person_seconds("demo/sh020"), 0);
}

TEST(ShotTimes, NothingCountsOutsideTheShotsLife) {
  expect_times(shot_times(kLife, {{50'000, 110'000}}, {{190'000, 250'000}}), 80, 10, 10);
}

TEST(ShotTimes, AClockThatWasSetBackGivesNoTimeBelowZero) {
  expect_times(shot_times({200'000, 100'000}, {{150'000, 120'000}}, {{210'000, 0}}), 0, 0, 0);
  expect_times(shot_times(kLife, {{150'000, 120'000}}, {{180'000, 170'000}}), 100, 0, 0);
}

TEST(ShotTimes, AShotSaysThemOfItsAttemptsAndPauses) {
  TestFarm farm;
  farm.submit({test_shot("sh010", 33, 1)});
  const auto times = [&] { return view::shot(farm.state(), "demo/sh010", farm.now)->times.value(); };
  farm.pass_ms(12'000);
  expect_times(times(), 12, 0, 0);
  SimWorker a(farm, "a", 1, 0);
  a.hello();
  a.receive();
  const AttemptId ref = a.held.front();
  a.start(ref);
  for (int i = 0; i < 10; ++i) {
    farm.pass_ms(1000);
    a.beat();
  }
  expect_times(times(), 12, 10, 0);  // while it runs
  farm.step(event::Pause{7, "demo/sh010", "ann"});
  a.complete(ref);
  farm.pass_ms(5000);
  expect_times(times(), 12, 10, 5);
  EXPECT_FALSE(view::shots(farm.state(), farm.now).at(0).times) << "only of one shot";
}

}  // namespace
}  // namespace rushes::scheduler
