// What the policies do together, in farms of a few simulated workers: limits, rates, deadlines, wide tasks,
// run-ahead, stragglers, and the reason that every waiting task has.
#include <gtest/gtest.h>

#include "scheduler/core/journal/snapshot.h"
#include "scheduler/core/report/explain.h"
#include "scheduler/core/report/forecast.h"
#include "scheduler/core/report/view.h"
#include "scheduler/core/state/apply.h"
#include "scheduler/plan/plan.h"
#include "tests/scheduler/core/sim_farm.h"

namespace rushes::scheduler {
namespace {

Waiting reason(const TestFarm& farm, TaskId id) {
  return explain(farm.state(), farm.state().task(id), farm.now).waiting;
}

std::size_t held_of(const TestFarm& farm, const std::string& shot) {
  std::size_t held = 0;
  for (const TaskId id : farm.shot(shot).tasks) held += is_held(farm.state().task(id).state) ? 1 : 0;
  return held;
}

void complete_first(SimWorker& worker) {
  worker.receive();
  ASSERT_FALSE(worker.held.empty());
  const AttemptId ref = worker.held.front();
  worker.start(ref);
  worker.complete(ref);
  worker.receive();
}

TEST(Sharing, ALimitBoundsWhatRunsAtOnceAndIsTheReason) {
  Settings settings = test_settings();
  settings.limits.shared = {{"licence", 1, {}}, {"storage", 1, {Stage::kDeliver}}};
  TestFarm farm(settings);
  SimWorker worker(farm, "a", 4, 0);
  worker.hello();
  config::Shot first = test_shot("sh010"), second = test_shot("sh020");
  first.limits = second.limits = {"licence"};
  farm.submit({first, second, test_shot("sh030")});
  EXPECT_EQ(held_of(farm, "demo/sh010") + held_of(farm, "demo/sh020"), 1u);
  EXPECT_EQ(held_of(farm, "demo/sh030"), 1u);
  EXPECT_EQ(reason(farm, farm.shot("demo/sh020").encode), Waiting::kLimit);
  const auto why = explain(farm.state(), farm.state().task(farm.shot("demo/sh020").encode), farm.now);
  EXPECT_EQ(why.text, "the limit licence is used up: 1 of 1 are held");
  run_to_end(farm, {&worker});
  for (const Shot& shot : farm.state().shots) EXPECT_EQ(shot.state, ShotState::kDelivered) << shot.key;
  config::Shot unknown = test_shot("sh040");
  unknown.limits = {"licens"};
  farm.submit({unknown});
  ASSERT_FALSE(farm.last_reply().result);
  EXPECT_EQ(farm.last_reply().result.error().kind, ErrorKind::kInvalid);
  EXPECT_NE(farm.last_reply().result.error().message.find("no limit 'licens'"), std::string::npos);
}

TEST(Sharing, PriorityIsARateAndTheLowerOneMovesToo) {
  TestFarm farm;
  config::Shot high = test_shot("high", 33, 32), low = test_shot("low", 33, 32);
  high.priority = 60;
  low.priority = 50;
  farm.submit({low, high});
  SimWorker worker(farm, "a", 1, 0);
  worker.hello();
  for (int i = 0; i < 60; ++i) complete_first(worker);
  std::map<std::string, int> done;
  for (const Task& task : farm.state().tasks)
    done[farm.state().shots[task.shot].spec.name] += task.state == TaskState::kSucceeded ? 1 : 0;
  EXPECT_NEAR(done["high"], 40, 3);
  EXPECT_NEAR(done["low"], 20, 3);
}

// One slot and two equal shows: in turns, whatever each held a moment ago.
TEST(Sharing, ShowsShareASingleSlotOverTime) {
  Settings settings = test_settings();
  settings.shows = {{"big", 3, 0}};
  TestFarm farm(settings);
  farm.submit({test_shot("sh010", 33, 32, "big"), test_shot("sh010", 33, 32, "small")});
  SimWorker worker(farm, "a", 1, 0);
  worker.hello();
  for (int i = 0; i < 60; ++i) complete_first(worker);
  std::map<std::string, int> done;
  for (const Task& task : farm.state().tasks)
    done[farm.state().shots[task.shot].spec.show] += task.state == TaskState::kSucceeded ? 1 : 0;
  EXPECT_NEAR(done["big"], 45, 3);
  EXPECT_NEAR(done["small"], 15, 3);
}

TEST(Sharing, ADeadlineInDangerIsServedFaster) {
  TestFarm farm;
  config::Shot late = test_shot("late", 33, 16), other = test_shot("other", 33, 16);
  late.deadline = farm.now.wall_ms + 2'000;
  farm.submit({other, late});
  farm.pass_ms(1000);
  EXPECT_TRUE(farm.shot("demo/late").urgent);
  EXPECT_FALSE(farm.shot("demo/other").urgent);
  EXPECT_TRUE(view::shot(farm.state(), "demo/late", farm.now)->at_risk);
  SimWorker worker(farm, "a", 1, 0);
  worker.hello();
  for (int i = 0; i < 30; ++i) complete_first(worker);
  std::map<std::string, int> done;
  for (const Task& task : farm.state().tasks)
    done[farm.state().shots[task.shot].spec.name] += task.state == TaskState::kSucceeded ? 1 : 0;
  EXPECT_GT(done["late"], 25);
  EXPECT_GT(done["other"], 0);  // served faster, never alone
}

// A task that fits the worker only alone, and small ones that would take every byte that is freed.
TEST(Sharing, AWideTaskStartsAlthoughSmallOnesKeepComing) {
  TestFarm farm;
  SimWorker worker(farm, "a", 2, 0);
  worker.offer.resources.host_bytes = 420ull << 20;
  worker.hello();
  std::vector<config::Shot> shots{test_shot("wide", 160, 1)};
  for (int i = 0; i < 6; ++i) shots.push_back(test_shot("sh" + std::to_string(i), 33, 4));
  farm.submit(std::move(shots));
  const auto wide_decode = [&]() -> const Task* {
    for (const TaskId id : farm.shot("demo/wide").tasks)
      if (farm.state().task(id).plan.stage == Stage::kDecode) return &farm.state().task(id);
    return nullptr;
  };
  worker.receive();
  int waited = 0;
  bool reserved = false;
  for (int i = 0; i < 400 && farm.state().queue.ready() > 0; ++i) {
    const Task* wide = wide_decode();
    if (wide != nullptr && wide->state == TaskState::kReady) {
      ASSERT_GT(wide->plan.host_bytes + wide->plan.tensor_bytes, 280ull << 20);
      ++waited;
      const Waiting why = reason(farm, wide->plan.id);
      EXPECT_TRUE(why == Waiting::kReserved || why == Waiting::kCapacity || why == Waiting::kShare);
      reserved = reserved || why == Waiting::kReserved;
    }
    if (wide != nullptr && wide->state == TaskState::kSucceeded) break;
    farm.now.boot_ms += 1000;  // every attempt takes about as long
    complete_first(worker);
  }
  EXPECT_EQ(wide_decode()->state, TaskState::kSucceeded);
  EXPECT_GT(farm.state().queue.ready(), 0u);  // small ones still waited
  EXPECT_LE(waited, 12);  // seconds: what ran already, by its estimate and four deviations
  EXPECT_TRUE(reserved);
}

class RunAhead : public testing::Test {
 protected:
  void start(bool run_ahead) {
    Settings settings = test_settings();
    settings.scheduling.run_ahead = run_ahead;
    farm_.emplace(settings);
    worker_.emplace(*farm_, "a", 8, 0);
    worker_->hello();
    config::Shot shot = test_shot("sh010", 53, 1);
    shot.gate = true;
    farm_->submit({shot});
  }
  const Task& task(TaskId id) const { return farm_->state().task(id); }
  // Completes what is held, except critiques, until nothing else is held.
  void finish_all_but_critiques() {
    for (bool more = true; more;) {
      more = false;
      worker_->receive();
      const std::vector<AttemptId> held = worker_->held;
      for (const AttemptId& ref : held) {
        if (task(ref.task).plan.stage == Stage::kCritique) continue;
        worker_->start(ref);
        worker_->complete(ref);
        more = true;
      }
    }
  }
  void judge(Verdict verdict) {
    worker_->critic = [verdict](const Task&) {
      Critique critique;
      critique.verdict = verdict;
      critique.score = 0.5f;
      return critique;
    };
    worker_->receive();
    const std::vector<AttemptId> held = worker_->held;
    for (const AttemptId& ref : held)
      if (task(ref.task).plan.stage == Stage::kCritique) worker_->complete(ref);
    worker_->receive();
  }
  std::vector<TaskId> behind_gates(TaskState state) const {
    std::vector<TaskId> found;
    for (const Task& each : farm_->state().tasks)
      if (each.gates > 0 && each.state == state) found.push_back(each.plan.id);
    return found;
  }

  std::optional<TestFarm> farm_;
  std::optional<SimWorker> worker_;
};

TEST_F(RunAhead, IdleWorkersGoOnBehindAGateAndNothingUsesItBeforeTheVerdict) {
  start(true);
  finish_all_but_critiques();
  const std::vector<TaskId> ahead = behind_gates(TaskState::kSucceeded);
  ASSERT_FALSE(ahead.empty());
  for (const TaskId id : ahead)
    for (const TaskId dependent : task(id).dependents)
      EXPECT_EQ(task(dependent).state, TaskState::kPending) << dependent.number();
  for (const Task& each : farm_->state().tasks)
    EXPECT_TRUE(each.plan.stage != Stage::kDecode || each.state == TaskState::kPending)
        << each.plan.id.number();
  judge(Verdict::kPass);
  EXPECT_TRUE(behind_gates(TaskState::kSucceeded).empty());
  worker_->critic = nullptr;
  run_to_end(*farm_, {&*worker_});
  EXPECT_EQ(farm_->shot("demo/sh010").state, ShotState::kDelivered);
}

TEST_F(RunAhead, ABadVerdictEndsIt) {
  start(true);
  finish_all_but_critiques();
  judge(Verdict::kReject);
  for (const Task& each : farm_->state().tasks) {
    const bool over = is_final(each.state) || (is_held(each.state) && each.lease().revoking);
    EXPECT_TRUE(over) << each.plan.id.number() << " is " << to_string(each.state);
  }
  EXPECT_EQ(farm_->shot("demo/sh010").takes[0].state, TakeState::kDropped);
}

TEST_F(RunAhead, SurvivesARestart) {
  start(true);
  finish_all_but_critiques();
  const auto ahead = behind_gates(TaskState::kSucceeded);
  farm_->restart();
  EXPECT_EQ(behind_gates(TaskState::kSucceeded), ahead);
  worker_->hello();
  judge(Verdict::kPass);
  worker_->critic = nullptr;
  run_to_end(*farm_, {&*worker_});
  EXPECT_EQ(farm_->shot("demo/sh010").state, ShotState::kDelivered);
}

TEST_F(RunAhead, NotWhereTheFarmSaysNo) {
  start(false);
  finish_all_but_critiques();
  EXPECT_TRUE(behind_gates(TaskState::kSucceeded).empty());
  const auto waiting = behind_gates(TaskState::kPending);
  ASSERT_FALSE(waiting.empty());
  EXPECT_EQ(reason(*farm_, waiting.front()), Waiting::kCheckpoint);
}

TEST_F(RunAhead, GivesWayToWorkThatIsWanted) {
  start(true);
  std::vector<AttemptId> ahead;
  for (int i = 0; i < 50 && ahead.empty(); ++i) {
    worker_->receive();
    const std::vector<AttemptId> held = worker_->held;
    for (const AttemptId& ref : held) {
      worker_->start(ref);
      if (task(ref.task).missing > 0)
        ahead.push_back(ref);
      else if (task(ref.task).plan.stage != Stage::kCritique)
        worker_->complete(ref);
    }
  }
  ASSERT_FALSE(ahead.empty());
  std::vector<config::Shot> more;
  for (int i = 0; i < 20; ++i) more.push_back(test_shot("more" + std::to_string(i)));
  farm_->submit(std::move(more));
  EXPECT_TRUE(task(ahead.front().task).lease().revoking);
  EXPECT_EQ(task(ahead.front().task).state, TaskState::kRunning);  // until its stop is confirmed
  worker_->receive();                                              // Stopped
  EXPECT_NE(task(ahead.front().task).state, TaskState::kRunning);
}

TEST(Sharing, AStragglerBeginsAgainOnAnIdleWorker) {
  TestFarm farm;
  farm.submit({test_shot("sh010", 33, 1)});
  SimWorker quick(farm, "quick", 1, 0), slow(farm, "slow", 1, 0);
  quick.hello();
  run_to_end(farm, {&quick});  // one second each: that is what is learned
  farm.submit({test_shot("sh020", 33, 1)});
  complete_first(quick);  // its encode
  quick.receive();
  const AttemptId ref = quick.held.front();
  quick.start(ref);
  slow.hello();
  for (int i = 0; i < 59; ++i) {
    farm.pass_ms(1000);
    quick.beat();
    slow.beat();
  }
  EXPECT_FALSE(farm.state().task(ref.task).lease().revoking);
  for (int i = 0; i < 70; ++i) {
    farm.pass_ms(1000);
    quick.beat();
    slow.beat();
  }
  ASSERT_TRUE(farm.state().task(ref.task).lease().revoking);
  EXPECT_EQ(farm.state().task(ref.task).attempt, ref.attempt);  // no other worker has it yet
  quick.receive();                                              // Stopped
  const Task& again = farm.state().task(ref.task);
  EXPECT_EQ(again.attempt, ref.attempt + 1);
  EXPECT_EQ(farm.state().workers[again.lease().worker].name, "slow");
  EXPECT_EQ(farm.state().workers[again.slow_on].name, "quick");
  run_to_end(farm, {&slow, &quick});
  EXPECT_EQ(farm.shot("demo/sh020").state, ShotState::kDelivered);
}

// At the end of a batch a task that was fetched ahead is taken back for a worker that has nothing to do.
TEST(Sharing, WhatWaitsBehindARunningAttemptGoesToAnIdleWorker) {
  TestFarm farm;
  SimWorker busy(farm, "busy", 1, 1);
  busy.hello();
  farm.submit({test_shot("sh010"), test_shot("sh020"), test_shot("sh030")});
  busy.receive();
  ASSERT_EQ(busy.held.size(), 2u);
  busy.start(busy.held.front());
  const AttemptId waiting = busy.held.back();
  for (int i = 0; i < 5; ++i) {  // longer than such a task is expected to take
    farm.pass_ms(1000);
    busy.beat();
  }
  SimWorker idle(farm, "idle", 8, 0);
  idle.hello();
  const Task& task = farm.state().task(waiting.task);
  EXPECT_TRUE(task.lease().revoking);
  busy.receive();
  EXPECT_EQ(farm.state().workers[task.lease().worker].name, "idle");
}

TEST(Sharing, AWorkerStaysWithItsModelWhileNobodyFallsFarBehind) {
  TestFarm farm;
  farm.submit({test_shot("sh010", 33, 64, "one")});
  auto other = std::make_shared<config::ModelManifest>(*test_model("other"));
  other->files["vae"] = {"vae", std::string(64, 'b')};
  farm.model = other;
  config::Shot shot = test_shot("sh010", 33, 64, "two");
  shot.model = "other";
  farm.submit({shot});
  SimWorker worker(farm, "a", 1, 0);
  worker.offer.models = {{"tabletop", *digest_of_model(*test_model())}, {"other", *digest_of_model(*other)}};
  ASSERT_NE(worker.offer.models[0].digest, worker.offer.models[1].digest);
  worker.hello();
  int switches = 0;
  std::map<std::string, int> done;
  Digest loaded{};
  for (int i = 0; i < 400; ++i) {
    worker.receive();
    const Task& task = farm.state().task(worker.held.front().task);
    ++done[farm.state().shots[task.shot].spec.show];
    complete_first(worker);
    const Digest now_loaded = farm.state().workers[WorkerId(0)].model_loaded;
    switches += now_loaded != loaded ? 1 : 0;
    loaded = now_loaded;
  }
  EXPECT_LE(switches, 400 / 30);
  EXPECT_GE(std::min(done["one"], done["two"]), 140);
}

// A few short tasks are not worth a load of weights, unless their show has less than its floor.
// A batch that comes first must not bind every slot to its model by what is fetched ahead, and who makes a
// slot load pays for it.
TEST(Sharing, WhatIsFetchedAheadNeedsNoOtherWeights) {
  TestFarm farm;
  farm.submit({test_shot("sh010", 33, 1, "one")});
  auto other = std::make_shared<config::ModelManifest>(*test_model("other"));
  other->files["vae"] = {"vae", std::string(64, 'b')};
  farm.model = other;
  std::vector<config::Shot> shots;
  for (int i = 0; i < 8; ++i) shots.push_back(test_shot("sh" + std::to_string(i), 33, 1, "two"));
  for (config::Shot& shot : shots) shot.model = "other";
  farm.submit(std::move(shots));
  SimWorker a(farm, "a", 1, 2), b(farm, "b", 1, 2);
  for (SimWorker* worker : {&a, &b}) {
    worker->offer.models = {{"tabletop", *digest_of_model(*test_model())},
                            {"other", *digest_of_model(*other)}};
    worker->hello();
  }
  const auto show_of = [&](TaskId task) {
    return farm.state().shots[farm.state().task(task).shot].spec.show;
  };
  std::map<std::string, std::size_t> held;
  for (const Worker& worker : farm.state().workers) {
    const std::vector<TaskId> leases = all_leases(worker);
    ASSERT_FALSE(leases.empty());
    for (const TaskId task : leases) EXPECT_EQ(show_of(task), show_of(leases.front()));
    held[show_of(leases.front())] = leases.size();
    const Task& first = farm.state().task(leases.front());
    EXPECT_GE(first.holding.charge.seconds, 60) << "a guess of what loading takes";
    if (leases.size() > 1) {
      EXPECT_LT(farm.state().task(leases.back()).holding.charge.seconds, 60);
    }
  }
  EXPECT_EQ(held["one"], 1u);
  EXPECT_EQ(held["two"], 3u);
}

TEST(Sharing, AFloorIsWorthEveryLoad) {
  for (const double floor : {0.0, 0.5}) {
    Settings settings = test_settings();
    settings.shows = {{"one", 1, 0}, {"two", 1, floor}};
    TestFarm farm(settings);
    farm.submit({test_shot("sh010", 33, 64, "one")});
    auto other = std::make_shared<config::ModelManifest>(*test_model("other"));
    other->files["vae"] = {"vae", std::string(64, 'b')};
    std::vector<std::unique_ptr<SimWorker>> workers;
    for (const char* name : {"a", "b", "c", "d"}) {
      SimWorker& worker = *workers.emplace_back(std::make_unique<SimWorker>(farm, name, 1, 0));
      use_gpu(worker, "cuda-sm90-bf16");
      worker.offer.models = {{"tabletop", *digest_of_model(*test_model())},
                             {"other", *digest_of_model(*other)}};
      worker.hello();
    }
    const auto work = [&] {
      for (auto& worker : workers) {
        worker->receive();
        if (!worker->held.empty()) complete_first(*worker);
      }
    };
    for (int i = 0; i < 20; ++i) work();
    farm.model = other;
    config::Shot shot = test_shot("sh010", 33, 16, "two");
    shot.model = "other";
    farm.submit({shot});
    std::uint32_t held = 0;
    for (int i = 0; i < 10; ++i) {
      work();
      held = std::max(held, farm.state().shows[farm.shot("two/sh010").show].slots[SlotKind::kGpu]);
    }
    EXPECT_EQ(held, floor > 0 ? 2u : 1u);
  }
}

TEST(Explain, SaysByHowMuchMemoryIsMissingAndWhenATaskStarts) {
  TestFarm farm;
  farm.submit({test_shot("sh010"), test_shot("sh020"), test_shot("sh030")});
  SimWorker small(farm, "small", 1, 0);
  small.offer.resources.host_bytes = 100ull << 20;
  small.hello();
  const auto why = explain(farm.state(), farm.state().task(TaskId(1)), farm.now);
  EXPECT_EQ(why.waiting, Waiting::kNoMemory);
  EXPECT_EQ(
      why.text,
      "needs a CPU slot and 128 MiB of host memory; the largest worker that could run it, small, has a CPU "
      "slot and 100 MiB of host memory");
  Forecast none(farm.state(), farm.now);
  EXPECT_FALSE(none.starts_in(farm.state().task(TaskId(1))));
  SimWorker worker(farm, "a", 1, 0);
  worker.hello();
  Forecast forecast(farm.state(), farm.now);
  EXPECT_FALSE(forecast.starts_in(farm.state().task(TaskId(1))));  // it is leased
  const auto second = forecast.starts_in(farm.state().task(TaskId(2))),
             third = forecast.starts_in(farm.state().task(TaskId(3)));
  ASSERT_TRUE(second && third);
  EXPECT_GT(*second, 0);
  EXPECT_GT(*third, *second);
  EXPECT_EQ(to_string(explain(farm.state(), farm.state().task(TaskId(2)), farm.now).waiting),
            std::string("capacity"));
}

TEST(Explain, AShowThatHadItsShareWaitsForTheOther) {
  TestFarm farm;
  SimWorker worker(farm, "a", 1, 0);
  worker.hello();
  farm.submit({test_shot("sh010", 33, 4, "one")});
  for (int i = 0; i < 3; ++i) complete_first(worker);
  farm.submit({test_shot("sh010", 33, 4, "two")});
  for (const TaskId id : farm.shot("one/sh010").tasks) {
    const auto why = explain(farm.state(), farm.state().task(id), farm.now);
    EXPECT_TRUE(farm.state().task(id).state != TaskState::kReady || why.waiting == Waiting::kShare)
        << why.text;
  }
}

TEST(Estimates, AreTheSameAfterAReplay) {
  TestFarm farm;
  farm.submit({test_shot("sh010", 53, 2)});
  SimWorker worker(farm, "a", 2, 1);
  worker.hello();
  run_to_end(farm, {&worker});
  const auto learned = farm.state().rates;
  ASSERT_FALSE(learned.empty());
  State restored;
  for (const Record& record : snapshot(farm.state())) apply(restored, record);
  EXPECT_EQ(restored.rates, learned);
  farm.restart();
  EXPECT_EQ(farm.state().rates, learned);
}

}  // namespace
}  // namespace rushes::scheduler
