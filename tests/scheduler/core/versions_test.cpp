// A person's word about takes and their versions: what each verb does in each state of a shot.
#include <gmock/gmock.h>

#include <functional>
#include <map>

#include "scheduler/core/report/take_delivery.h"
#include "scheduler/core/state/retention.h"
#include "scheduler/plan/recipe.h"
#include "storage/records/lineage.h"
#include "tests/scheduler/core/story.h"

namespace rushes::scheduler {
namespace {

using testing::HasSubstr;

const std::map<std::string, std::function<Event()>> kVerbs = {
    {"approve 1",
     [] {
       return event::Approve{9, kShot, 1, "ann"};
     }},
    {"approve 2",
     [] {
       return event::Approve{9, kShot, 2, "ann"};
     }},
    {"retry", [] { return event::Retry{9, kShot, 0, {}, "", "ann"}; }},
    {"retry take", [] { return event::Retry{9, kShot, 1, {}, "", "ann"}; }},
    {"retry window", [] { return event::Retry{9, kShot, 1, {1}, "", "ann"}; }},
    {"keep",
     [] {
       return event::Keep{9, kShot, 1, "ann"};
     }},
    {"revert",
     [] {
       return event::Revert{9, kShot, 1, {}, "ann"};
     }},
    {"restore",
     [] {
       return event::RestoreTake{9, kShot, 1, "ann"};
     }},
    {"pause",
     [] {
       return event::Pause{9, kShot, "ann"};
     }},
    {"resume",
     [] {
       return event::Resume{9, kShot, "ann"};
     }},
    {"cancel",
     [] {
       return event::Cancel{9, kShot, "ann"};
     }},
    {"upgrade",
     [] {
       return event::Upgrade{9, kShot, "ann"};
     }},
};

// What each verb leads to: the state of the shot right after it, or "no" with what its answer must contain.
const std::map<std::string, std::map<std::string, std::string>> kTable = {
    {"queued",
     {{"approve 1", "no: once it is judged"},
      {"approve 2", "no: once it is judged"},
      {"retry", "no: name a take to render it again"},
      {"retry take", "no: once it is judged"},
      {"retry window", "no: once it is judged"},
      {"keep", "no: no judged version"},
      {"revert", "no: no judged version"},
      {"restore", "no: only a dropped take"},
      {"pause", "queued"},
      {"resume", "queued"},
      {"cancel", "cancelled"},
      {"upgrade", "no: approve one first"}}},
    {"drafting",
     {{"approve 1", "no: once it is judged"},
      {"approve 2", "no: once it is judged"},
      {"retry", "no: name a take to render it again"},
      {"retry take", "no: once it is judged"},
      {"retry window", "no: once it is judged"},
      {"keep", "no: no judged version"},
      {"revert", "no: no judged version"},
      {"restore", "no: only a dropped take"},
      {"pause", "drafting"},
      {"resume", "drafting"},
      {"cancel", "cancelled"},
      {"upgrade", "no: approve one first"}}},
    {"review",
     {{"approve 1", "drafting"},
      {"approve 2", "drafting"},
      {"retry", "no: name a take to render it again"},
      {"retry take", "drafting"},
      {"retry window", "drafting"},
      {"keep", "review"},
      {"revert", "no: there is none before it"},
      {"restore", "no: only a dropped take"},
      {"pause", "review"},
      {"resume", "review"},
      {"cancel", "cancelled"},
      {"upgrade", "no: approve one first"}}},
    {"revised",
     {{"approve 1", "drafting"},
      {"approve 2", "drafting"},
      {"retry", "no: name a take to render it again"},
      {"retry take", "drafting"},
      {"retry window", "drafting"},
      {"keep", "review"},
      {"revert", "review"},
      {"restore", "no: only a dropped take"},
      {"pause", "review"},
      {"resume", "review"},
      {"cancel", "cancelled"},
      {"upgrade", "no: approve one first"}}},
    {"one take dropped",
     {{"approve 1", "no: restore-take"},
      {"approve 2", "drafting"},
      {"retry", "no: name a take to render it again"},
      {"retry take", "drafting"},
      {"retry window", "no: restore-take"},
      {"keep", "no: restore-take"},
      {"revert", "no: restore-take"},
      {"restore", "drafting"},
      {"pause", "review"},
      {"resume", "review"},
      {"cancel", "cancelled"},
      {"upgrade", "no: approve one first"}}},
    {"review, pictures left",
     {{"approve 1", "no: left on"},
      {"approve 2", "no: left on"},
      {"retry", "no: name a take to render it again"},
      {"retry take", "drafting"},
      {"retry window", "no: all of it (no --windows)"},
      {"keep", "no: left on"},
      {"revert", "no: left on"},
      {"restore", "no: only a dropped take"},
      {"pause", "review"},
      {"resume", "review"},
      {"cancel", "cancelled"},
      {"upgrade", "no: approve one first"}}},
    {"one take dropped, its pictures left",
     {{"approve 1", "no: left on"},
      {"approve 2", "drafting"},
      {"retry", "no: name a take to render it again"},
      {"retry take", "drafting"},
      {"retry window", "no: all of it (no --windows)"},
      {"keep", "no: left on"},
      {"revert", "no: left on"},
      {"restore", "no: left on"},
      {"pause", "review"},
      {"resume", "review"},
      {"cancel", "cancelled"},
      {"upgrade", "no: approve one first"}}},
    {"attention, all dropped",
     {{"approve 1", "no: restore-take"},
      {"approve 2", "no: restore-take"},
      {"retry", "no: name a take to render it again"},
      {"retry take", "drafting"},
      {"retry window", "no: restore-take"},
      {"keep", "no: restore-take"},
      {"revert", "no: restore-take"},
      {"restore", "drafting"},
      {"pause", "attention"},
      {"resume", "attention"},
      {"cancel", "cancelled"},
      {"upgrade", "no: approve one first"}}},
    {"attention, task failed",
     {{"approve 1", "no: once it is judged"},
      {"approve 2", "no: once it is judged"},
      {"retry", "drafting"},
      {"retry take", "no: once it is judged"},
      {"retry window", "no: once it is judged"},
      {"keep", "no: no judged version"},
      {"revert", "no: no judged version"},
      {"restore", "no: only a dropped take"},
      {"pause", "attention"},
      {"resume", "attention"},
      {"cancel", "cancelled"},
      {"upgrade", "no: approve one first"}}},
    {"upgrading",
     {{"approve 1", "upgrading"},
      {"approve 2", "upgrading"},
      {"retry", "no: name a take to render it again"},
      {"retry take", "drafting"},
      {"retry window", "drafting"},
      {"keep", "upgrading"},
      {"revert", "no: there is none before it"},
      {"restore", "no: only a dropped take"},
      {"pause", "upgrading"},
      {"resume", "upgrading"},
      {"cancel", "cancelled"},
      {"upgrade", "upgrading"}}},
    {"delivered",
     {{"approve 1", "delivered"},
      {"approve 2", "drafting"},
      {"retry", "no: name a take to render it again"},
      {"retry take", "drafting"},
      {"retry window", "drafting"},
      {"keep", "delivered"},
      {"revert", "no: there is none before it"},
      {"restore", "no: only a dropped take"},
      {"pause", "no: nothing of it is left to do"},
      {"resume", "no: nothing of it is left to do"},
      {"cancel", "no: nothing of it is left to do"},
      {"upgrade", "upgrading"}}},
    {"cancelled",
     {{"approve 1", "no: submit --replace"},
      {"approve 2", "no: submit --replace"},
      {"retry", "no: submit --replace"},
      {"retry take", "no: submit --replace"},
      {"retry window", "no: submit --replace"},
      {"keep", "no: submit --replace"},
      {"revert", "no: submit --replace"},
      {"restore", "no: submit --replace"},
      {"pause", "no: submit --replace"},
      {"resume", "no: submit --replace"},
      {"cancel", "cancelled"},
      {"upgrade", "no: submit --replace"}}},
};

std::string outcome(Story& story, const std::string& verb) {
  story.farm.step(kVerbs.at(verb)());
  const auto& result = story.farm.last_reply().result;
  return result ? to_string(story.farm.shot(kShot).state) : "no: " + result.error().message;
}

TEST(Versions, EveryVerbInEveryStateDoesItsWorkOrSaysWhatToDo) {
  for (const auto& [state, row] : kTable) {
    ASSERT_EQ(row.size(), kVerbs.size()) << state;
    for (const auto& [verb, expected] : row) {
      Story story(state);
      const std::string found = outcome(story, verb);
      if (expected.starts_with("no: "))
        EXPECT_TRUE(found.starts_with("no: ") && found.find(expected.substr(4)) != std::string::npos)
            << state << ", " << verb << ": " << found;
      else
        EXPECT_EQ(found, expected) << state << ", " << verb;
    }
  }
}

// No state is a dead end: from each of them some verbs of a person lead to a delivery, or to a shot that is over.
TEST(Versions, NoStateIsADeadEnd) {
  for (const auto& [state, row] : kTable) {
    if (state == "cancelled") continue;  // over: submit --replace
    Story story(state);
    if (state == "queued") story.worker.hello();
    TestFarm& farm = story.farm;
    for (int round = 0; round < 4 && farm.shot(kShot).deliveries.empty(); ++round) {
      const Shot& shot = farm.shot(kShot);
      if (shot.state == ShotState::kAttention && shot.attention_task != kNoId)
        farm.step(event::Retry{1, kShot, 0, {}, "", "ann"});
      else if (shot.state == ShotState::kAttention)
        farm.step(event::RestoreTake{1, kShot, 1, "ann"});
      else if (shot.state == ShotState::kReview && has_left(shot.take(shot.ranking.front())))
        farm.step(event::Retry{1, kShot, shot.ranking.front(), {}, "", "ann"});
      else if (shot.state == ShotState::kReview)
        farm.step(event::Approve{1, kShot, shot.ranking.front(), "ann"});
      run_to_end(farm, {&story.worker});
    }
    EXPECT_EQ(farm.shot(kShot).state, ShotState::kDelivered) << state;
  }
}

TEST(Versions, APersonsVersionIsTheCurrentOneWhateverTheCriticsSay) {
  Story story("review");
  TestFarm& farm = story.farm;
  story.worker.critic = [](const Task& task) {
    return task.plan.revision > 0 ? says(Verdict::kReject, 0) : says(Verdict::kPass, 0.8f);
  };
  farm.step(event::Retry{1, kShot, 1, {1}, "the ball stutters", "ann", 77, "a blue ball"});
  ASSERT_TRUE(farm.last_reply().result) << farm.last_reply().result.error().message;
  run_to_end(farm, {&story.worker});
  const Take& take = farm.shot(kShot).take(1);
  EXPECT_EQ(take.kept, 1u);
  EXPECT_EQ(take.chosen_by, "ann");
  EXPECT_EQ(take.state, TakeState::kJudged);
  EXPECT_EQ(take.versions[1].seed, 77u);
  const auto recipe = decode_recipe(take.versions[1].recipe);
  ASSERT_TRUE(recipe);
  EXPECT_EQ(recipe->prompt, farm.shot(kShot).spec.recipe.prompt) << "the take's own stays";
  EXPECT_EQ(recipe->revisions.front().prompt, "a blue ball");
  EXPECT_EQ(current_prompt(*recipe), "a blue ball");
  EXPECT_NE(take.versions[1].graph.encode, TaskId()) << "its prompt is encoded for it";
  EXPECT_EQ(farm.shot(kShot).state, ShotState::kReview);

  farm.step(event::Revert{2, kShot, 1, {}, "ann"});
  EXPECT_EQ(farm.shot(kShot).take(1).kept, 0u);
  farm.step(event::Revert{3, kShot, 1, 1, "ann"});
  EXPECT_EQ(farm.shot(kShot).take(1).kept, 1u);
  // The next one starts from what is current, with its prompt.
  farm.step(event::Retry{4, kShot, 1, {0}, "", "ann"});
  const Version& next = farm.shot(kShot).take(1).versions[2];
  EXPECT_EQ(next.parent, 1u);
  EXPECT_EQ(current_prompt(*decode_recipe(next.recipe)), "a blue ball");
  EXPECT_EQ(next.graph.encode, take.versions[1].graph.encode);
}

TEST(Versions, KeepStopsARevisionAndNoCriticGoesOn) {
  TestFarm farm;
  SimWorker a(farm, "a");
  a.critic = [](const Task& task) {
    Finding finding;
    finding.dimension = "flicker";
    finding.severity = 0.9f;
    finding.frames = {30, 40};
    finding.window = 1;
    return task.plan.whole_take ? says(Verdict::kRevise, 0.4f, {finding}) : says(Verdict::kPass, 0.8f);
  };
  farm.submit({test_shot("sh010", 53, 1)});
  a.hello();
  while (farm.shot(kShot).takes.empty() || farm.shot(kShot).takes[0].versions.size() < 2) {
    a.receive();
    ASSERT_FALSE(a.held.empty());
    a.complete(a.held.front());
  }
  farm.step(event::Keep{1, kShot, 1, "ann"});
  EXPECT_TRUE(farm.last_reply().result);
  run_to_end(farm, {&a});
  EXPECT_EQ(farm.shot(kShot).takes[0].versions.size(), 2u);
  EXPECT_EQ(farm.shot(kShot).takes[0].kept, 0u);
  EXPECT_EQ(farm.shot(kShot).state, ShotState::kDelivered) << "what a person keeps may be delivered";
}

// In a shot that delivers its best take by itself, take 1 was rejected; take 2 says `other`.
struct Restoring {
  TestFarm farm;
  SimWorker worker{farm, "a"};

  explicit Restoring(Verdict other, Verdict restored = Verdict::kReject) {
    worker.critic = [other, restored](const Task& task) {
      if (task.plan.take == 2) return says(other, 0.5f);
      return task.plan.whole_take ? says(restored, 0.9f) : says(Verdict::kPass, 0.9f);
    };
    config::Shot shot = test_shot("sh010", 53, 2);
    shot.budget.windows = 0;
    farm.submit({shot});
    worker.hello();
  }
  const Shot& shot() { return farm.shot(kShot); }
};

TEST(Versions, ARestoredTakeTakesPartAndNothingIsDeliveredWithoutApproval) {
  Restoring story(Verdict::kRevise);
  TestFarm& farm = story.farm;
  run_to_end(farm, {&story.worker});
  ASSERT_EQ(story.shot().state, ShotState::kReview) << "nothing passed";
  ASSERT_EQ(story.shot().take(1).state, TakeState::kDropped);
  farm.step(event::RestoreTake{1, kShot, 1, "ann"});
  ASSERT_TRUE(farm.last_reply().result);
  EXPECT_NE(std::get<command::Done>(*farm.last_reply().result).message.find("until a take is approved"),
            std::string::npos);
  run_to_end(farm, {&story.worker});
  EXPECT_EQ(story.shot().state, ShotState::kReview);
  EXPECT_NE(story.shot().reason.find("take 1 was restored by ann: approve"), std::string::npos)
      << story.shot().reason;
  EXPECT_EQ(story.shot().ranking.size(), 2u);
  EXPECT_TRUE(story.shot().deliveries.empty());
  farm.restart();
  EXPECT_TRUE(story.shot().take(1).chosen_by_restore);
  story.worker.lose_everything();
  story.worker.hello();
  farm.step(event::Approve{2, kShot, 1, "ann"});
  run_to_end(farm, {&story.worker});
  EXPECT_EQ(story.shot().state, ShotState::kDelivered);
  EXPECT_EQ(story.shot().deliveries.at(0).take, 1u);
}

TEST(Versions, AKeptTakeOfAShotThatDeliversByItselfIsDelivered) {
  Restoring story(Verdict::kRevise);
  TestFarm& farm = story.farm;
  run_to_end(farm, {&story.worker});
  farm.step(event::RestoreTake{1, kShot, 1, "ann"});
  farm.step(event::Keep{2, kShot, 1, "ann"});
  EXPECT_TRUE(farm.last_reply().result);
  run_to_end(farm, {&story.worker});
  EXPECT_EQ(story.shot().state, ShotState::kDelivered) << "ann chose it";
}

// Whatever became of the takes before: who asks for another version has not seen it.
TEST(Versions, ARetriedVersionThatDoesNotPassIsNotDelivered) {
  for (const Verdict verdict : {Verdict::kRevise, Verdict::kReject}) {
    Restoring story(verdict);
    TestFarm& farm = story.farm;
    run_to_end(farm, {&story.worker});
    const ShotState before = verdict == Verdict::kReject ? ShotState::kAttention : ShotState::kReview;
    ASSERT_EQ(story.shot().state, before);
    farm.step(event::Retry{1, kShot, 2, {}, "", "ann"});
    ASSERT_TRUE(farm.last_reply().result);
    run_to_end(farm, {&story.worker});
    EXPECT_EQ(story.shot().state, ShotState::kReview) << to_string(verdict);
    EXPECT_EQ(story.shot().approved, 0u);
    EXPECT_TRUE(story.shot().deliveries.empty());
    farm.step(event::Keep{2, kShot, 2, "ann"});
    run_to_end(farm, {&story.worker});
    EXPECT_EQ(story.shot().state, ShotState::kDelivered) << "ann chose it";
  }
}

TEST(Versions, WhatNoCriticJudgedHasNoScore) {
  Restoring story(Verdict::kUnknown, Verdict::kUnknown);
  story.worker.critic = [](const Task&) { return says(Verdict::kUnknown, 1.0f); };
  run_to_end(story.farm, {&story.worker});
  EXPECT_EQ(story.shot().state, ShotState::kDelivered);
  EXPECT_EQ(story.shot().take(1).versions[0].verdict, Verdict::kUnknown);
  EXPECT_EQ(story.shot().take(1).versions[0].score, 0.0f);
}

TEST(Versions, WhatCannotChangePixelsIsNotRendered) {
  Story story("review");
  TestFarm& farm = story.farm;
  const std::uint64_t seed = farm.shot(kShot).spec.seeds[0];
  farm.step(event::Retry{1, kShot, 1, {1}, "", "ann", seed});
  ASSERT_FALSE(farm.last_reply().result);
  EXPECT_NE(farm.last_reply().result.error().message.find("name another seed"), std::string::npos);
  farm.step(event::Retry{2, kShot, 1, {1}, "", "ann", seed, farm.shot(kShot).spec.recipe.prompt});
  EXPECT_FALSE(farm.last_reply().result) << "the same prompt is no change";
  EXPECT_EQ(farm.shot(kShot).take(1).versions.size(), 1u);
}

TEST(Versions, ADryRunSaysTheFramesAndTheCostAndPlansNothing) {
  Story story("review");
  TestFarm& farm = story.farm;
  event::Retry retry{1, kShot, 1, {0}, "", "ann"};
  retry.dry_run = true;
  const auto tasks = farm.state().tasks.size();
  farm.step(retry);
  ASSERT_TRUE(farm.last_reply().result);
  const auto& done = std::get<command::Done>(*farm.last_reply().result);
  const Range window = farm.shot(kShot).spec.recipe.windows[0];
  EXPECT_NE(done.message.find("frames 1001 to " + std::to_string(1001 + (window.end - 1) * 4) + " change"),
            std::string::npos)
      << done.message;
  EXPECT_NE(done.message.find("device seconds"), std::string::npos);
  EXPECT_EQ(farm.state().tasks.size(), tasks);
  EXPECT_EQ(farm.shot(kShot).state, ShotState::kReview);
}

TEST(Versions, ARetryOfAnApprovedTakeSaysWhatItTakesBack) {
  Story story("upgrading");
  TestFarm& farm = story.farm;
  const std::string taken_back = "; take 1 is no longer approved, and its upgrade stops";
  for (const bool dry_run : {true, false}) {
    event::Retry retry{1, kShot, 1, {}, "", "ann"};
    retry.dry_run = dry_run;
    farm.step(retry);
    const auto& result = farm.last_reply().result;
    ASSERT_TRUE(result) << result.error().message;
    EXPECT_THAT(std::get<command::Done>(*result).message, testing::EndsWith(taken_back));
    EXPECT_EQ(farm.shot(kShot).approved, dry_run ? 1u : 0u);
  }
}

TEST(Versions, AVersionThatWasStoppedIsNotWaitedFor) {
  Story story("review");
  TestFarm& farm = story.farm;
  const auto error = [&] {
    return delivery_of(farm.state(), kShot, {TakeKind::kDraft, 1, 1}).error().message;
  };
  farm.step(event::Retry{1, kShot, 1, {1}, "", "ann"});
  EXPECT_THAT(error(), HasSubstr("version 1 is not rendered yet; `rushes wait"));
  farm.step(event::Revert{2, kShot, 1, {}, "ann"});
  EXPECT_THAT(error(), HasSubstr("version 1 was stopped before it had frames; retry renders another"));
}

TEST(Versions, APersonChangesTheirMindAfterTheDelivery) {
  Story story("delivered");
  TestFarm& farm = story.farm;
  ASSERT_EQ(farm.shot(kShot).deliveries.size(), 1u);
  farm.step(event::Approve{1, kShot, 2, "ann"});
  run_to_end(farm, {&story.worker});
  const Shot& shot = farm.shot(kShot);
  ASSERT_EQ(shot.deliveries.size(), 2u);
  EXPECT_EQ(shot.deliveries[1].take, 2u);
  EXPECT_EQ(shot.deliveries[1].version, "v002");
  EXPECT_EQ(shot.state, ShotState::kDelivered);
}

// Submits the story's shot again.
const command::Reply& submit_again(TestFarm& farm, bool replace) {
  event::SubmitBatch batch;
  batch.request = 5;
  batch.name = batch.idempotency_key = "again" + std::to_string(farm.replies.size());
  batch.text = digest_named(batch.name);
  batch.by = "ann";
  batch.replace = replace;
  batch.shots.push_back({test_shot("sh010", 53, 1), farm.model, {}});
  farm.step(batch);
  return farm.last_reply();
}

TEST(Versions, AShotIsSubmittedAgainUnderItsNameAndItsHistoryStays) {
  for (const char* state : {"queued", "drafting", "review", "upgrading", "delivered", "cancelled"}) {
    Story story(state);
    TestFarm& farm = story.farm;
    const auto& refused = submit_again(farm, false).result;
    ASSERT_FALSE(refused);
    EXPECT_NE(refused.error().message.find("submit --replace"), std::string::npos);
    const auto& answer = submit_again(farm, true).result;
    ASSERT_TRUE(answer) << answer.error().message;
    EXPECT_EQ(std::get<command::Submitted>(*answer).shots[0].archived, "demo/sh010@1");
    const bool was_delivered = std::string(state) == "delivered";
    EXPECT_EQ(farm.shot("demo/sh010@1").state, was_delivered ? ShotState::kDelivered : ShotState::kCancelled);
    farm.restart();
    story.worker.lose_everything();
    story.worker.hello();
    farm.pass_ms(20'000);  // the Revoke was lost with the process: its lease runs out
    story.worker.beat();
    run_to_end(farm, {&story.worker});
    ASSERT_EQ(farm.shot(kShot).state, ShotState::kDelivered) << state;
    // The deliveries of both stand in one folder.
    const std::uint32_t before = farm.shot("demo/sh010@1").draft_versions;
    EXPECT_EQ(farm.shot(kShot).deliveries[0].version, before == 0 ? "v001" : "v002") << state;
    farm.step(event::Retry{7, "demo/sh010@1", 1, {}, "", "ann"});
    ASSERT_FALSE(farm.last_reply().result);
    EXPECT_NE(farm.last_reply().result.error().message.find("archived"), std::string::npos);
  }
}

TEST(Versions, OnlyAShotThatIsOverIsRemoved) {
  Story story("review");
  TestFarm& farm = story.farm;
  farm.step(event::RemoveShot{1, kShot, "ann"});
  ASSERT_FALSE(farm.last_reply().result);
  EXPECT_NE(farm.last_reply().result.error().message.find("cancel it first"), std::string::npos);
  farm.step(event::Cancel{2, kShot, "ann"});
  farm.step(event::RemoveShot{3, kShot, "ann"});
  EXPECT_TRUE(farm.last_reply().result);
  EXPECT_EQ(farm.state().find_shot(kShot), nullptr);
  EXPECT_NE(farm.state().find_shot("demo/sh010@1"), nullptr);
  EXPECT_TRUE(submit_again(farm, false).result) << "the name is free";
}

}  // namespace
}  // namespace rushes::scheduler
