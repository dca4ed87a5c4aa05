#include "scheduler/core/report/event_line.h"

#include <gmock/gmock.h>

#include <algorithm>

#include "tests/scheduler/core/sim_farm.h"

namespace rushes::scheduler {
namespace {

using testing::HasSubstr;

std::string last_line(const TestFarm& farm, const std::string& kind) {
  const auto events = farm.state().events.since(0);
  const auto found = std::find_if(events.rbegin(), events.rend(),
                                  [&](const FarmEvent& event) { return event.kind == kind; });
  return found == events.rend() ? "nothing of this kind" : line_of(farm.state(), *found);
}

TEST(EventLine, NamesShotsTasksAndWorkersInWords) {
  TestFarm farm;
  farm.submit({test_shot("sh010", 33, 1)});
  SimWorker a(farm, "a");
  a.process = {"1", "lock", "bay1", 7, "10.0.0.1", {}};
  a.hello();
  EXPECT_EQ(last_line(farm, "worker.joined"), "worker a: joined: 1 slots on bay1 (10.0.0.1), process 7");
  EXPECT_THAT(last_line(farm, "shot.planned"), HasSubstr("demo/sh010: planned: 1 takes of 33 frames"));
  EXPECT_EQ(last_line(farm, "task.leased"), "demo/sh010 encode (task 1): leased: attempt 1 [a]");
  a.receive();
  a.start(a.held.front());
  a.fail(a.held.front(), FailKind::kMemory);
  EXPECT_THAT(last_line(farm, "task.attempt_ended"),
              HasSubstr("demo/sh010 encode (task 1): attempt ended: failed"));
}

TEST(EventLine, WhatWentWrongIsTrouble) {
  FarmEvent event;
  event.kind = "task.attempt_ended";
  event.text = "failed: out of memory";
  EXPECT_EQ(weight_of(event), Weight::kTrouble);
  event.text = "stopped: the worker gave it back";
  EXPECT_EQ(weight_of(event), Weight::kDetail);
  event.kind = "task.leased";
  EXPECT_EQ(weight_of(event), Weight::kDetail);
  event.kind = "worker.stopped";
  EXPECT_EQ(weight_of(event), Weight::kNews);
}

}  // namespace
}  // namespace rushes::scheduler
