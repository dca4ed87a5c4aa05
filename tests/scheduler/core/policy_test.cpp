// One test per policy of core/policy/.
#include <gtest/gtest.h>

#include "scheduler/core/dispatch/placement.h"
#include "scheduler/core/policy/fit.h"
#include "scheduler/core/policy/locality.h"
#include "scheduler/core/policy/ranking.h"
#include "scheduler/core/policy/retry.h"
#include "scheduler/core/report/explain.h"
#include "scheduler/core/report/view.h"
#include "tests/scheduler/core/sim_farm.h"

namespace rushes::scheduler {
namespace {

using policy::Fit;

Worker worker_with(std::vector<std::string> classes, std::uint64_t memory = 8ull << 30,
                   std::uint32_t slots = 2) {
  Worker worker;
  worker.connected = true;
  worker.offer.numeric_classes = std::move(classes);
  worker.offer.resources = resources_of({slots, memory}, worker.offer.numeric_classes);
  worker.offer.models = {{"tabletop", digest_named("m")}};
  return worker;
}

TEST(Policy, SlotsGoToShowsByWeight) {
  Settings settings = test_settings();
  settings.shows = {{"big", 3, 0}, {"small", 1, 0}};
  TestFarm farm(settings);
  for (int i = 0; i < 2; ++i) {
    const char* show = i == 0 ? "big" : "small";
    std::vector<config::Shot> shots;
    for (int n = 0; n < 16; ++n) shots.push_back(test_shot("sh" + std::to_string(n), 33, 1, show));
    farm.submit(std::move(shots));
  }
  SimWorker a(farm, "a", 16, 0);
  a.hello();
  std::map<std::string, int> held;
  for (const TaskId id : farm.state().workers[WorkerId(0)].leases[SlotKind::kCpu])
    ++held[farm.state().shots[farm.state().task(id).shot].spec.show];
  EXPECT_EQ(held["big"], 12);
  EXPECT_EQ(held["small"], 4);
}

TEST(Policy, FitAsksModelThenClassThenMemory) {
  const Worker worker = worker_with({"cpu-a"});
  const auto fit = [&](Digest model, const char* numeric_class, std::uint64_t bytes) {
    policy::Requirements needs;
    needs.model = model;
    needs.numeric_class = numeric_class;
    needs.tensor_bytes = bytes;
    return policy::fit(worker.offer, needs);
  };
  EXPECT_EQ(fit(digest_named("m"), "cpu-a", 4ull << 30), Fit::kFits);
  EXPECT_EQ(fit(digest_named("x"), "cpu-a", 1), Fit::kNoModel);
  EXPECT_EQ(fit(digest_named("m"), "cpu-b", 1), Fit::kNoClass);
  EXPECT_EQ(fit(digest_named("m"), "", (8ull << 30) + 1), Fit::kNoMemory);
  EXPECT_EQ(fit({}, "", 1), Fit::kFits);
}

// One model under two names: engines find it by the name that the recipe gives.
TEST(Policy, FitAsksForTheModelUnderItsName) {
  const Worker worker = worker_with({"cpu-a"});
  policy::Requirements needs;
  needs.model = worker.offer.models.front().digest;
  needs.model_name = worker.offer.models.front().name;
  EXPECT_EQ(policy::fit(worker.offer, needs), Fit::kFits);
  needs.model_name += "-copy";
  EXPECT_EQ(policy::fit(worker.offer, needs), Fit::kNoModel);
}

TEST(Policy, ACpuLeavesTheChoiceOfTheClassToAGpu) {
  State state;
  state.workers = {worker_with({"cpu-a"}), worker_with({"cuda-sm90-bf16", "cpu-a"})};
  Requirements needs;
  needs.model = digest_named("m");
  needs.tensor_bytes = 1;
  EXPECT_EQ(class_to_begin(state, state.workers[WorkerId(0)], needs), "");
  EXPECT_EQ(class_to_begin(state, state.workers[WorkerId(1)], needs), "cuda-sm90-bf16");
  state.workers[WorkerId(1)].connected = false;
  EXPECT_EQ(class_to_begin(state, state.workers[WorkerId(0)], needs), "cpu-a");
}

TEST(Policy, TheNearestCandidateHasTheFewestBytesToFetch) {
  using policy::Candidate;
  EXPECT_EQ(policy::nearest(std::vector<Candidate>{{0, 100}, {80, 100}, {90, 200}}), 1u);
  EXPECT_EQ(policy::nearest(std::vector<Candidate>{{0, 100}, {0, 100}}), 0u);
}

TEST(Policy, BackoffDoublesUpToAMinuteAndGivesUp) {
  config::Retries retries;
  EXPECT_EQ(policy::backoff_ms(retries, 1, 0), 1000);
  EXPECT_EQ(policy::backoff_ms(retries, 3, 0), 4000);
  EXPECT_EQ(policy::backoff_ms(retries, 30, 0), 60'000);
  for (std::uint64_t r = 0; r < 1000; ++r) EXPECT_LE(policy::backoff_ms(retries, 1, r * 7919), 1250);
  EXPECT_FALSE(policy::give_up(retries, 3, 0));
  EXPECT_TRUE(policy::give_up(retries, 4, 0));
  EXPECT_TRUE(policy::give_up(retries, 0, 16));
}

TEST(Policy, AWorkerIsBlamedForFaultsThatMayBeItsOwn) {
  EXPECT_TRUE(policy::blames_worker(Fault::kHost, false));
  EXPECT_TRUE(policy::blames_worker(Fault::kDevice, false));
  EXPECT_TRUE(policy::blames_worker(Fault::kModel, false));
  EXPECT_FALSE(policy::blames_worker(Fault::kInput, false));
  EXPECT_FALSE(policy::blames_worker(Fault::kCancelled, false));
  EXPECT_FALSE(policy::blames_worker(Fault::kHost, true));
}

TEST(Policy, AtMostHalfOfTheWorkersAreQuarantined) {
  config::Retries retries;
  EXPECT_TRUE(policy::should_quarantine(retries, {3, 0}, 2, 0));
  EXPECT_TRUE(policy::should_quarantine(retries, {0, 3}, 2, 0));
  EXPECT_FALSE(policy::should_quarantine(retries, {2, 2}, 2, 0));
  EXPECT_FALSE(policy::should_quarantine(retries, {9, 9}, 1, 0));
  EXPECT_FALSE(policy::should_quarantine(retries, {9, 9}, 3, 1));
  EXPECT_TRUE(policy::should_quarantine(retries, {9, 9}, 4, 1));
  retries.worker_failures = 0;
  EXPECT_FALSE(policy::should_quarantine(retries, {9, 9}, 9, 0));
}

TEST(Policy, RankingPutsPassedTakesFirst) {
  EXPECT_EQ(policy::rank(std::vector<policy::Judged>{
                {1, Verdict::kRevise, 0.9f}, {2, Verdict::kPass, 0.5f}, {3, Verdict::kPass, 0.7f}}),
            (std::vector<std::uint32_t>{3, 2, 1}));
  EXPECT_TRUE(policy::is_better({1, Verdict::kPass, 0.6f}, {0, Verdict::kRevise, 0.5f}));
  EXPECT_FALSE(policy::is_better({1, Verdict::kPass, 0.5f}, {0, Verdict::kRevise, 0.5f}));
  EXPECT_FALSE(policy::is_better({1, Verdict::kReject, 0.9f}, {0, Verdict::kRevise, 0.5f}));
  EXPECT_EQ(policy::worst(std::vector{Verdict::kPass, Verdict::kUnknown, Verdict::kRevise}),
            Verdict::kRevise);
}

TEST(Explain, EveryWaitingTaskHasAReason) {
  TestFarm farm;
  farm.submit({test_shot("sh010", 53, 2)});
  const auto reason = [&](TaskId id) {
    return explain(farm.state(), farm.state().task(id), farm.now).waiting;
  };
  EXPECT_EQ(reason(TaskId(1)), Waiting::kNoWorker);
  SimWorker a(farm, "a", 1, 0);
  a.offer.models.clear();
  a.hello();
  EXPECT_EQ(reason(TaskId(1)), Waiting::kNoModel);
  SimWorker b(farm, "b", 1, 0);
  b.offer.resources.host_bytes = 1 << 20;
  b.hello();
  EXPECT_EQ(reason(TaskId(1)), Waiting::kNoMemory);
  farm.step(event::Pause{1, "demo/sh010", "ann"});
  EXPECT_EQ(reason(TaskId(1)), Waiting::kPaused);
  farm.step(event::Resume{1, "demo/sh010", "ann"});
  SimWorker c(farm, "c", 1, 0);
  c.hello();
  EXPECT_EQ(reason(TaskId(2)), Waiting::kInputs);
  run_to_end(farm, {&a, &b, &c});  // what needs no model may run on the others
  EXPECT_EQ(farm.shot("demo/sh010").state, ShotState::kDelivered);
  farm.submit({test_shot("sh020", 53, 2)});
  c.receive();
  ASSERT_FALSE(c.held.empty());
  c.start(c.held.front());
  c.complete(c.held.front());  // the encode: both takes are ready, one slot
  std::size_t capacity = 0;
  for (const Task& task : farm.state().tasks) {
    const Explanation why = explain(farm.state(), task, farm.now);
    const bool waits = task.state == TaskState::kPending || task.state == TaskState::kReady;
    EXPECT_EQ(waits, why.waiting != Waiting::kNot) << task.plan.id.number();
    EXPECT_EQ(waits || is_held(task.state), !why.text.empty());
    capacity += why.waiting == Waiting::kCapacity ? 1 : 0;
  }
  EXPECT_GT(capacity, 0u);
}

TEST(Explain, OfATaskThatAWorkerHasItSaysWhereAndWhatIsOdd) {
  TestFarm farm;
  farm.submit({test_shot("sh010", 33, 1)});
  SimWorker a(farm, "a", 1, 0);
  a.hello();
  a.receive();
  const AttemptId encode = a.held.front();
  const auto text = [&] { return explain(farm.state(), farm.state().task(encode.task), farm.now).text; };
  EXPECT_EQ(text(), "is on a");
  a.start(encode);
  a.beat();
  farm.pass_ms(4000);
  EXPECT_EQ(text().find("ago"), std::string::npos) << text();
  farm.pass_ms(3000);
  EXPECT_NE(text().find("a was last heard of 7 s ago"), std::string::npos) << text();
}

TEST(Explain, AFreeWorkerIsNotCalledBusy) {
  TestFarm farm;
  farm.submit({test_shot("sh010", 33, 2)});
  SimWorker a(farm, "a", 1, 0), b(farm, "b", 1, 0);
  a.hello();
  a.receive();
  const AttemptId encode = a.held.front();
  a.start(encode);
  a.complete(encode);
  b.hello();
  a.receive();
  b.receive();
  ASSERT_EQ(a.held.size() + b.held.size(), 2u);  // one take each
  const AttemptId failing = a.held.front();
  a.start(failing);
  b.start(b.held.front());
  a.fail(failing);
  for (int i = 0; i < 10; ++i) {  // longer than the back-off
    farm.pass_ms(1000);
    a.beat();
    b.beat();
  }
  const Explanation why = explain(farm.state(), farm.state().task(failing.task), farm.now);
  EXPECT_EQ(why.waiting, Waiting::kCapacity);
  EXPECT_NE(why.text.find("failed on worker a"), std::string::npos) << why.text;
}

TEST(Explain, AShotThatWaitsForAFasterClassSaysSo) {
  TestFarm farm;
  SimWorker a(farm, "a", 4, 0), b(farm, "b", 4, 0);
  use_gpu(a, "cuda-sm86");
  use_gpu(b, "cuda-sm90");
  a.hello();
  b.hello();
  // No pace is known yet: many takes of one shot each are enough for both classes.
  farm.submit({test_shot("sh010", 33, 24), test_shot("sh020", 33, 24), test_shot("sh030", 33, 24)});
  std::vector<std::string> reasons;
  for (const char* key : {"demo/sh010", "demo/sh020", "demo/sh030"}) {
    const Shot& shot = farm.shot(key);
    if (shot.numeric_class.empty())
      reasons.push_back(explain(farm.state(), farm.state().task(shot.encode), farm.now).text);
  }
  ASSERT_EQ(reasons.size(), 1u);
  EXPECT_NE(reasons[0].find("numeric class cuda-sm"), std::string::npos) << reasons[0];
}

TEST(View, ShowsWindowsVersionsAndCritiques) {
  TestFarm farm;
  farm.submit({test_shot("sh010", 53, 1)});
  SimWorker a(farm, "a");
  a.critic = [](const Task& task) {
    Critique critique;
    critique.verdict = task.plan.revision == 0 && task.plan.whole_take ? Verdict::kRevise : Verdict::kPass;
    critique.score = task.plan.revision == 0 ? 0.4f : 0.8f;
    critique.findings = {{"flicker", 0.7f, {3, 8}, 1, {}, "it flickers", "", 2, 1}};
    return critique;
  };
  a.hello();
  run_to_end(farm, {&a});
  const auto shot = view::shot(farm.state(), "demo/sh010", farm.now);
  ASSERT_TRUE(shot.has_value());
  EXPECT_EQ(shot->state, ShotState::kDelivered);
  EXPECT_FLOAT_EQ(shot->fraction, 1);
  ASSERT_EQ(shot->takes.size(), 1u);
  const view::TakeInfo& take = shot->takes[0];
  ASSERT_EQ(take.windows.size(), 2u);
  EXPECT_FLOAT_EQ(take.windows[1].fraction, 1);
  EXPECT_EQ(take.windows[1].revision, 1u);
  EXPECT_EQ(take.windows[0].revision, 0u);
  ASSERT_EQ(take.versions.size(), 2u);
  EXPECT_FLOAT_EQ(take.versions[0].score, 0.4f);
  EXPECT_FLOAT_EQ(take.versions[1].score, 0.8f);
  EXPECT_TRUE(take.versions[1].kept);
  EXPECT_GT(take.versions[1].cost.total(), 0);
  EXPECT_EQ(take.rank, 1u);
  EXPECT_FALSE(take.seconds.empty());
  EXPECT_EQ(view::critiques(farm.state(), "demo/sh010").size(), 2u + 1u + 1u + 1u);
  EXPECT_EQ(view::workers(farm.state(), farm.now).at(0).accepted, a.accepted);
  EXPECT_FALSE(view::shot(farm.state(), "demo/nope", farm.now).has_value());
  const auto events = farm.state().events.since(0);
  for (std::size_t i = 1; i < events.size(); ++i) EXPECT_EQ(events[i].sequence, events[i - 1].sequence + 1);
  EXPECT_EQ(farm.state().events.since(events.back().sequence).size(), 0u);
}

}  // namespace
}  // namespace rushes::scheduler
