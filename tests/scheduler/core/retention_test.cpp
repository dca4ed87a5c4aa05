// Takes leave when their days are over, and nothing that anybody wants: the core over weeks, by a clock that is set.
#include "scheduler/core/state/retention.h"

#include "scheduler/core/journal/snapshot.h"
#include "scheduler/core/report/take_delivery.h"
#include "scheduler/core/report/view.h"
#include "scheduler/core/state/apply.h"
#include "storage/records/words_codec.h"
#include "tests/scheduler/core/sim_farm.h"

namespace rushes::scheduler {
namespace {

constexpr const char* kShot = "demo/sh010";
constexpr std::int64_t kDay = 24 * 3600 * 1000;

Settings with_days(double dropped, double drafts) {
  Settings settings = test_settings();
  settings.retention = {dropped, drafts};
  return settings;
}

class Retained : public testing::Test {
 protected:
  void render(config::Shot shot) {
    farm_.submit({std::move(shot)});
    worker_.hello();
    run_to_end(farm_, {&worker_});
  }
  static config::Shot for_review(int takes = 2) {
    config::Shot shot = test_shot("sh010", 53, takes);
    shot.approve = config::Approve::kPerson;
    return shot;
  }
  // The worker lives on, so nothing else happens meanwhile.
  void pass_days(double days) {
    const auto ms = static_cast<std::int64_t>(days * static_cast<double>(kDay));
    farm_.now.boot_ms += ms;
    farm_.now.wall_ms += ms;
    worker_.beat();
    farm_.step(event::Tick{});
    worker_.beat();
  }
  command::Collected collect(bool dry_run = false) {
    farm_.step(event::CollectGarbage{9, dry_run});
    return std::get<command::Collected>(*farm_.last_reply().result);
  }
  const Take& take(std::uint32_t number) { return farm_.shot(kShot).take(number); }
  bool left(std::uint32_t number) { return has_left(take(number)); }
  std::string refusal(const Event& event) {
    farm_.step(event);
    const auto& result = farm_.last_reply().result;
    return result ? std::string() : result.error().message;
  }

  TestFarm farm_{with_days(7, 30)};
  SimWorker worker_{farm_, "a"};
};

TEST_F(Retained, AnUnapprovedTakeLeavesAfterItsDaysAndTheApprovedOneNever) {
  render(for_review());
  farm_.step(event::Approve{1, kShot, 2, "ann"});
  run_to_end(farm_, {&worker_});
  ASSERT_EQ(farm_.shot(kShot).state, ShotState::kDelivered);
  pass_days(29.9);
  EXPECT_TRUE(collect(true).takes.empty());
  pass_days(0.2);
  EXPECT_TRUE(left(1)) << "by itself, at the tick";
  EXPECT_EQ(take(1).left.reason, "never approved, 30 days");
  pass_days(3000);
  EXPECT_FALSE(left(2));
  EXPECT_TRUE(delivery_of(farm_.state(), kShot, {TakeKind::kDraft, 2, {}}));
  const auto gone = delivery_of(farm_.state(), kShot, {TakeKind::kDraft, 1, {}});
  ASSERT_FALSE(gone);
  EXPECT_NE(gone.error().message.find("left on 2023-12-1"), std::string::npos) << gone.error().message;
  EXPECT_NE(gone.error().message.find("rushes retry demo/sh010 --take 1"), std::string::npos);
  EXPECT_FALSE(delivery_of(farm_.state(), kShot, {TakeKind::kProxy, 1, {}}));
}

TEST_F(Retained, ADryRunChangesNothingAndSaysWhatWouldLeave) {
  render(for_review());
  farm_.now.wall_ms += 31 * kDay;
  const Digest before = state_hash(farm_.state());
  const auto would = collect(true);
  ASSERT_EQ(would.takes.size(), 2u);
  EXPECT_EQ(state_hash(farm_.state()), before);
  EXPECT_EQ(would.takes[0].shot, kShot);
  EXPECT_EQ(would.takes[0].reason, "never approved, 30 days");
  EXPECT_GT(would.takes[0].bytes, 0u);
  EXPECT_EQ(would.bytes, would.takes[0].bytes + would.takes[1].bytes);
  const auto did = collect();
  EXPECT_EQ(did.bytes, would.bytes);
  EXPECT_EQ(did.artifacts, would.artifacts);
  EXPECT_EQ(unneeded_artifacts(farm_.state(), takes_that_left(farm_.state())).size(), would.artifacts);
  EXPECT_TRUE(collect(true).takes.empty()) << "it left once";
}

TEST_F(Retained, ADroppedTakeLeavesSoonerAndIsRenderedAgainFromItsSeed) {
  worker_.critic = [](const Task& task) {
    Critique critique;
    critique.verdict = task.plan.take == 1 && task.plan.revision == 0 ? Verdict::kReject : Verdict::kPass;
    critique.score = 0.5f;
    return critique;
  };
  render(for_review());
  ASSERT_EQ(take(1).state, TakeState::kDropped);
  pass_days(8);
  ASSERT_TRUE(left(1));
  EXPECT_FALSE(left(2));
  for (const Event& event :
       std::vector<Event>{event::RestoreTake{1, kShot, 1, "ann"}, event::Approve{2, kShot, 1, "ann"},
                          event::Keep{3, kShot, 1, "ann"}, event::Revert{4, kShot, 1, 0, "ann"},
                          event::Retry{5, kShot, 1, {0}, "", "ann"}}) {
    const std::string why = refusal(event);
    EXPECT_NE(why.find("left on 20"), std::string::npos) << why;
    EXPECT_NE(why.find("rushes retry demo/sh010 --take 1"), std::string::npos) << why;
  }
  ASSERT_EQ(refusal(event::Retry{6, kShot, 1, {}, "", "ann"}), "");
  EXPECT_EQ(take(1).versions.back().seed, farm_.shot(kShot).spec.seeds[0]);
  EXPECT_NE(refusal(event::Approve{7, kShot, 1, "ann"}).find("is being rendered again"), std::string::npos);
  run_to_end(farm_, {&worker_});
  EXPECT_FALSE(left(1));
  EXPECT_TRUE(has_left(take(1), take(1).versions[0]));
  EXPECT_TRUE(delivery_of(farm_.state(), kShot, {TakeKind::kDraft, 1, {}}));
  EXPECT_FALSE(delivery_of(farm_.state(), kShot, {TakeKind::kDraft, 1, 0}));
  ASSERT_EQ(refusal(event::Approve{9, kShot, 1, "ann"}), "");
  run_to_end(farm_, {&worker_});
  EXPECT_EQ(farm_.shot(kShot).state, ShotState::kDelivered);
}

TEST_F(Retained, ATakeWithWordsOfItsOwnEncodesThemAgain) {
  render(for_review(1));
  ASSERT_EQ(refusal(event::Retry{1, kShot, 1, {}, "", "ann", 7, "a blue ball"}), "");
  run_to_end(farm_, {&worker_});
  pass_days(31);
  ASSERT_TRUE(left(1)) << "a person had it rendered, and nobody kept it";
  const TaskId encode = take(1).versions[1].graph.encode;
  ASSERT_NE(encode, TaskId());
  ASSERT_EQ(refusal(event::Retry{2, kShot, 1, {}, "", "ann"}), "");
  const Version& again = take(1).versions.back();
  EXPECT_EQ(again.seed, 7u);
  EXPECT_EQ(again.recipe, take(1).versions[1].recipe);
  EXPECT_GE(again.graph.encode, take(1).left.before);
  run_to_end(farm_, {&worker_});
  EXPECT_EQ(farm_.shot(kShot).state, ShotState::kReview);
  EXPECT_FALSE(left(1));
  EXPECT_NE(refusal(event::Revert{3, kShot, 1, 0, "ann"}).find("version 0: the pictures"), std::string::npos);
}

TEST_F(Retained, ATakeOfSeveralSeedsAndPromptsComesBackWindowByWindow) {
  render(for_review(1));
  ASSERT_EQ(farm_.shot(kShot).spec.recipe.windows.size(), 2u);
  ASSERT_EQ(refusal(event::Retry{1, kShot, 1, {1}, "", "ann", 77, "a blue ball"}), "");
  run_to_end(farm_, {&worker_});
  pass_days(31);
  ASSERT_TRUE(left(1));
  const TaskId before = take(1).left.before;
  ASSERT_EQ(refusal(event::Retry{2, kShot, 1, {}, "", "ann"}), "");
  EXPECT_NE(
      std::get<command::Done>(*farm_.last_reply().result).message.find("the pixels that left come back"),
      std::string::npos);
  const Version& again = take(1).versions.back();
  EXPECT_TRUE(again.again);
  EXPECT_EQ(again.recipe, take(1).versions[1].recipe);
  // What is shown of window 0 has the first recipe, window 1 that of the revision, and nothing reads what left.
  const std::size_t segments = farm_.shot(kShot).spec.recipe.draft.segments.size();
  EXPECT_EQ(farm_.state().task(again.graph.denoise[segments - 1]).plan.replays, 0u);
  EXPECT_EQ(farm_.state().task(again.graph.denoise[2 * segments - 1]).plan.replays, 1u);
  EXPECT_EQ(farm_.state().task(again.graph.encode).plan.replays, 1u);
  for (TaskId id = before; farm_.state().has_task(id); ++id)
    for (const Dependency& need : farm_.state().task(id).plan.needs)
      EXPECT_TRUE(need.task >= before || farm_.state().task(need.task).plan.take == 0) << id.number();
  const Digest hash = state_hash(farm_.state());
  EXPECT_EQ(state_hash(farm_.recovered()), hash);
  farm_.snapshot();
  EXPECT_EQ(state_hash(farm_.recovered()), hash);
  run_to_end(farm_, {&worker_});
  ASSERT_EQ(farm_.shot(kShot).state, ShotState::kReview);
  EXPECT_FALSE(left(1));
  // The next revision starts from it, and its recipe knows each of them.
  ASSERT_EQ(refusal(event::Retry{3, kShot, 1, {0}, "", "ann", 79}), "");
  const auto recipe = decode_recipe(take(1).versions.back().recipe);
  ASSERT_EQ(recipe->revisions.size(), 2u);
  EXPECT_EQ(recipe->revisions[0].number, 1u);
  EXPECT_EQ(recipe->revisions[0].prompt, "a blue ball");
  EXPECT_EQ(recipe->revisions[1].number, 3u);
  EXPECT_EQ(recipe->prompt, farm_.shot(kShot).spec.recipe.prompt) << "the take's own";
  run_to_end(farm_, {&worker_});
  pass_days(31);  // and once more, from there
  ASSERT_TRUE(left(1));
  ASSERT_EQ(refusal(event::Retry{4, kShot, 1, {}, "", "ann"}), "");
  EXPECT_EQ(take(1).versions.back().recipe, take(1).versions[3].recipe);
  run_to_end(farm_, {&worker_});
  ASSERT_EQ(refusal(event::Approve{5, kShot, 1, "ann"}), "");
  run_to_end(farm_, {&worker_});
  EXPECT_EQ(farm_.shot(kShot).state, ShotState::kDelivered);
}

TEST_F(Retained, WithASeedOrWordsOfItsOwnItIsRenderedAnew) {
  render(for_review(1));
  pass_days(31);
  ASSERT_TRUE(left(1));
  ASSERT_EQ(refusal(event::Retry{1, kShot, 1, {}, "", "ann", 99}), "");
  const Version& version = take(1).versions.back();
  EXPECT_FALSE(version.again);
  EXPECT_EQ(version.seed, 99u);
  EXPECT_EQ(decode_recipe(version.recipe)->revisions.size(), 1u);
}

TEST_F(Retained, ManyTakesLeaveSomeAtATimeAndTheJournalSaysWhoAsked) {
  std::vector<config::Shot> shots;
  for (int i = 0; i < 150; ++i) {
    shots.push_back(test_shot("sh" + std::to_string(1000 + i), 9, 2));
    shots.back().approve = config::Approve::kPerson;
  }
  farm_.check_every_step = false;
  farm_.submit(shots);
  worker_.hello();
  run_to_end(farm_, {&worker_});
  farm_.now.wall_ms += 31 * kDay;
  const auto ask = [&](std::optional<event::CollectGarbage::Place> after, bool dry_run) {
    farm_.step(event::CollectGarbage{9, dry_run, "ann", after});
    return std::get<command::Collected>(*farm_.last_reply().result);
  };
  const auto would = ask({}, true);
  ASSERT_EQ(would.takes.size(), 256u);
  ASSERT_TRUE(would.next);
  EXPECT_EQ(ask(would.next, true).takes.size(), 44u);
  const auto first = ask({}, false), second = ask(first.next, false);
  EXPECT_EQ(first.takes.size(), 256u);
  EXPECT_EQ(second.takes.size(), 44u);
  EXPECT_FALSE(second.next);
  EXPECT_EQ(takes_that_left(farm_.state()).size(), 300u);
  std::size_t by_ann = 0;
  for (const Record& record : farm_.journal)
    if (const auto* left = std::get_if<record::TakeLeft>(&record)) by_ann += left->by == "ann" ? 1 : 0;
  EXPECT_EQ(by_ann, 300u);
}

TEST_F(Retained, WhatWasMadeLatelyIsSweptLater) {
  render(for_review(1));
  farm_.now.wall_ms += 31 * kDay;
  const auto later = [&](std::int64_t upload_sweep_ms) {
    farm_.step(event::CollectGarbage{9, true, "", {}, upload_sweep_ms});
    return std::get<command::Collected>(*farm_.last_reply().result);
  };
  EXPECT_EQ(later(30 * kDay).later_bytes, 0u);
  const auto all = later(32 * kDay);
  EXPECT_EQ(all.later_bytes, all.bytes);
  EXPECT_EQ(all.later_artifacts, all.artifacts);
  EXPECT_GT(all.bytes, 0u);
}

TEST_F(Retained, WhatAPersonKeepsStays) {
  render(for_review());
  farm_.step(event::Keep{1, kShot, 1, "ann"});
  pass_days(1000);
  EXPECT_FALSE(left(1));
  EXPECT_TRUE(left(2));
}

TEST_F(Retained, WhatWasDeliveredOnceStaysWhenAnotherIsChosen) {
  render(for_review());
  for (const std::uint32_t number : {1u, 2u}) {
    farm_.step(event::Approve{1, kShot, number, "ann"});
    run_to_end(farm_, {&worker_});
  }
  pass_days(1000);
  EXPECT_FALSE(left(1));
  EXPECT_FALSE(left(2));
}

TEST_F(Retained, ShotsThatAreCancelledOrRemovedLetGoAfterThat) {
  render(for_review());
  pass_days(5);
  farm_.step(event::Cancel{1, kShot, "ann"});
  pass_days(6.9);
  EXPECT_FALSE(left(1));
  pass_days(0.2);
  EXPECT_TRUE(left(1) && left(2));
  EXPECT_EQ(take(1).left.reason, "its shot is over, 7 days");
  farm_.step(event::RemoveShot{2, kShot, "ann"});
  const auto gone = delivery_of(farm_.state(), "demo/sh010@1", {TakeKind::kDraft, 1, {}});
  ASSERT_FALSE(gone);
  EXPECT_NE(gone.error().message.find("submit the shot again"), std::string::npos) << gone.error().message;
}

TEST_F(Retained, ARemovedDeliveryKeepsItsTake) {
  render(for_review());
  farm_.step(event::Approve{1, kShot, 1, "ann"});
  run_to_end(farm_, {&worker_});
  pass_days(5);
  farm_.step(event::RemoveShot{2, kShot, "ann"});
  pass_days(6);
  EXPECT_TRUE(takes_that_left(farm_.state()).empty());
  pass_days(2);
  const Shot& removed = farm_.shot("demo/sh010@1");
  EXPECT_FALSE(has_left(removed.take(1)));
  EXPECT_TRUE(has_left(removed.take(2)));
  EXPECT_TRUE(delivery_of(farm_.state(), "demo/sh010@1", {TakeKind::kDraft, 1, {}}));
}

// Two shots with the same seeds make the same bytes.
TEST_F(Retained, WhatIsSharedIsNeitherCountedNorGivenUp) {
  render(for_review(1));
  const auto outputs = [this](const char* shot) {
    std::vector<Digest> digests;
    for (const TaskId id : farm_.shot(shot).tasks)
      for (const Output& output : farm_.state().task(id).result.outputs) digests.push_back(output.digest);
    return digests;
  };
  std::vector<Record> same;
  for (const Record& record : farm_.journal)
    if (const auto* accepted = std::get_if<record::ResultAccepted>(&record)) same.push_back(*accepted);
  farm_.step(event::Cancel{1, kShot, "ann"});
  farm_.step(event::RemoveShot{2, kShot, "ann"});
  const std::vector<Digest> before = outputs("demo/sh010@1");
  // Its successor answers with what the first one made.
  std::size_t next = 0;
  farm_.submit({for_review(1)});
  for (worker_.receive(); !worker_.held.empty(); worker_.receive()) {
    const AttemptId ref = worker_.held.front();
    worker_.start(ref);
    farm_.step(event::FromWorker{
        "a", protocol::Completed{ref, std::get<record::ResultAccepted>(same[next++]).result, ""}, ""});
  }
  ASSERT_EQ(outputs(kShot), before);
  farm_.now.wall_ms += 8 * kDay;
  const auto collected = collect();
  ASSERT_EQ(collected.takes.size(), 1u);
  EXPECT_EQ(collected.takes[0].shot, "demo/sh010@1");
  EXPECT_EQ(collected.bytes, 0u);
  EXPECT_TRUE(unneeded_artifacts(farm_.state(), takes_that_left(farm_.state())).empty());
  farm_.now.wall_ms += 31 * kDay;
  EXPECT_GT(collect().bytes, 0u) << "the last one that needs it takes it along";
  EXPECT_FALSE(unneeded_artifacts(farm_.state(), takes_that_left(farm_.state())).empty());
}

TEST_F(Retained, AnUpgradeThatIsUnderWayKeepsAllTakes) {
  config::Shot shot = for_review();
  shot.upgrade.enabled = true;
  shot.upgrade.scale = 2;
  render(shot);
  farm_.step(event::Approve{1, kShot, 2, "ann"});
  ASSERT_EQ(farm_.shot(kShot).state, ShotState::kUpgrading);
  farm_.step(event::Pause{2, kShot, "ann"});
  farm_.now.wall_ms += 400 * kDay;
  EXPECT_TRUE(collect().takes.empty());
  farm_.step(event::Resume{3, kShot, "ann"});
  run_to_end(farm_, {&worker_});
  ASSERT_EQ(farm_.shot(kShot).state, ShotState::kDelivered);
  farm_.now.wall_ms += 31 * kDay;
  EXPECT_EQ(collect().takes.size(), 1u);
  EXPECT_FALSE(left(2));
}

TEST_F(Retained, AShowHasItsOwnDaysAndWithoutDaysNothingLeaves) {
  Settings settings = test_settings();
  settings.shows = {{"short", 1, 0, {{}, 2.0}}};
  TestFarm farm(settings);
  SimWorker worker(farm, "a");
  config::Shot quick = test_shot("sh010", 33, 1, "short"), slow = test_shot("sh010", 33, 1, "other");
  quick.approve = slow.approve = config::Approve::kPerson;
  farm.submit({quick, slow});
  worker.hello();
  run_to_end(farm, {&worker});
  farm.now.wall_ms += 1000 * kDay;
  farm.step(event::CollectGarbage{1});
  EXPECT_TRUE(has_left(farm.shot("short/sh010").take(1)));
  EXPECT_FALSE(has_left(farm.shot("other/sh010").take(1)));
}

TEST_F(Retained, ARestartAndASnapshotKnowWhatLeft) {
  render(for_review());
  farm_.step(event::Keep{1, kShot, 2, "ann"});
  farm_.now.wall_ms += 31 * kDay;
  collect();
  ASSERT_TRUE(left(1));
  const Digest hash = state_hash(farm_.state());
  EXPECT_EQ(state_hash(farm_.recovered()), hash);
  farm_.snapshot();
  EXPECT_EQ(state_hash(farm_.recovered()), hash);
  farm_.restart();
  EXPECT_TRUE(left(1));
  const auto shown = view::shot(farm_.state(), kShot, farm_.now);
  EXPECT_EQ(shown->takes[0].left_reason, "never approved, 30 days");
  EXPECT_TRUE(shown->takes[0].versions[0].left);
  EXPECT_FALSE(shown->takes[0].versions[0].movie);
  EXPECT_TRUE(shown->takes[1].versions[0].movie);
}

TEST_F(Retained, ItLooksOnceAnHour) {
  render(for_review());
  farm_.now.wall_ms += 31 * kDay;  // somebody set it; no look is due
  farm_.step(event::Tick{});
  EXPECT_FALSE(left(1));
  pass_days(1.01 / 24);
  EXPECT_FALSE(left(1)) << "a clock that was set since the last look may be wrong";
  pass_days(1.01 / 24);
  EXPECT_TRUE(left(1));
}

TEST_F(Retained, ItDoesNotLookWhenTheFarmStarts) {
  render(for_review());
  farm_.now.boot_ms += 31 * kDay;
  farm_.now.wall_ms += 31 * kDay;
  farm_.restart();
  farm_.step(event::Tick{});
  EXPECT_FALSE(left(1)) << "days that were written wrong can still be seen with gc --dry-run";
  EXPECT_FALSE(collect(true).takes.empty());
  pass_days(1.01 / 24);
  EXPECT_TRUE(left(1));
}

TEST_F(Retained, DaysOfTakesInOlderJournalsBeginWithTheStart) {
  render(for_review());
  State older = farm_.recovered();
  for (Shot& shot : older.shots)
    for (Take& take : shot.takes) take.changed_wall_ms = 0;
  const std::int64_t start = farm_.now.wall_ms + 100 * kDay;
  apply(older, record::Recovered{older.epoch + 1, 0, start, 0});
  for (const Shot& shot : older.shots)
    for (const Take& take : shot.takes) EXPECT_EQ(take.changed_wall_ms, start);
}

}  // namespace
}  // namespace rushes::scheduler
