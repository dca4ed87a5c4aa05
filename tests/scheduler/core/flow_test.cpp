// The way of a shot through the core: drafts, critics, revisions, ranking, approval, upgrade, delivery.
#include <algorithm>
#include <numeric>

#include "scheduler/core/report/view.h"
#include "scheduler/plan/recipe.h"
#include "storage/records/words_codec.h"
#include "tests/scheduler/core/sim_farm.h"

namespace rushes::scheduler {
namespace {

Critique says(Verdict verdict, float score, std::vector<Finding> findings = {}) {
  Critique critique;
  critique.verdict = verdict;
  critique.score = score;
  critique.findings = std::move(findings);
  return critique;
}

Finding finding_in(std::uint32_t window) {
  Finding finding;
  finding.dimension = "flicker";
  finding.severity = 0.8f;
  finding.window = window;
  finding.frames = {4, 9};
  return finding;
}

TEST(Flow, ABatchIsDraftedJudgedApprovedAndDelivered) {
  TestFarm farm;
  farm.submit({test_shot("sh010"), test_shot("sh020", 53, 2)});
  ASSERT_TRUE(farm.last_reply().result.has_value()) << farm.last_reply().result.error().message;
  EXPECT_EQ(farm.shot("demo/sh010").state, ShotState::kQueued);
  SimWorker a(farm, "a"), b(farm, "b");
  a.hello();
  EXPECT_EQ(farm.shot("demo/sh020").state, ShotState::kDrafting) << "the longer one decides the end";
  b.hello();
  run_to_end(farm, {&a, &b});
  for (const char* key : {"demo/sh010", "demo/sh020"}) {
    const Shot& shot = farm.shot(key);
    EXPECT_EQ(shot.state, ShotState::kDelivered) << key;
    EXPECT_EQ(shot.approved, 2u) << "the take with the better score";
    EXPECT_EQ(shot.ranking, (std::vector<std::uint32_t>{2, 1}));
    EXPECT_EQ(shot.takes[1].state, TakeState::kApproved);
    EXPECT_EQ(shot.takes[0].state, TakeState::kJudged);
    ASSERT_EQ(shot.deliveries.size(), 1u);
    EXPECT_EQ(shot.deliveries[0].version, "v001");
    EXPECT_EQ(shot.numeric_class, "cpu-avx512-bf16");
  }
  EXPECT_GT(b.accepted, 0u) << "work spreads over workers";
}

TEST(Flow, TheUpgradeFollowsTheApprovedTake) {
  TestFarm farm;
  config::Shot shot = test_shot("sh010");
  shot.upgrade.enabled = true;
  farm.submit({shot});
  SimWorker a(farm, "a"), b(farm, "b");
  a.hello();
  b.hello();
  run_to_end(farm, {&a, &b});
  const Shot& row = farm.shot("demo/sh010");
  EXPECT_EQ(row.state, ShotState::kDelivered);
  EXPECT_EQ(row.takes[1].state, TakeState::kMaster);
  ASSERT_EQ(row.deliveries.size(), 2u);
  EXPECT_TRUE(row.deliveries[0].master || row.deliveries[1].master);
  EXPECT_FALSE(row.takes[1].master_recipe.empty());
}

TEST(Flow, APersonApprovesAndUpgradesLater) {
  TestFarm farm;
  config::Shot shot = test_shot("sh010");
  shot.approve = config::Approve::kPerson;
  farm.submit({shot});
  SimWorker a(farm, "a");
  a.hello();
  run_to_end(farm, {&a});
  EXPECT_EQ(farm.shot("demo/sh010").state, ShotState::kReview);
  farm.step(event::Upgrade{7, "demo/sh010", "ann"});
  EXPECT_EQ(farm.last_reply().result.error().kind, ErrorKind::kConflict);
  farm.step(event::Approve{8, "demo/sh010", 1, "ann"});
  EXPECT_TRUE(farm.last_reply().result.has_value());
  run_to_end(farm, {&a});
  EXPECT_EQ(farm.shot("demo/sh010").state, ShotState::kDelivered);
  farm.step(event::Upgrade{9, "demo/sh010", "ann"});
  EXPECT_EQ(farm.shot("demo/sh010").state, ShotState::kUpgrading);
  run_to_end(farm, {&a});
  EXPECT_EQ(farm.shot("demo/sh010").state, ShotState::kDelivered);
  EXPECT_EQ(farm.shot("demo/sh010").deliveries.size(), 2u);
}

TEST(Flow, AFindingRendersItsWindowAgainAndTheBetterVersionIsKept) {
  for (const float revised : {0.9f, 0.2f}) {
    TestFarm farm;
    farm.submit({test_shot("sh010", 53, 1)});  // two windows
    SimWorker a(farm, "a");
    a.critic = [&](const Task& task) {
      if (!task.plan.whole_take) return says(Verdict::kPass, 0.8f);
      if (task.plan.revision == 0) return says(Verdict::kRevise, 0.4f, {finding_in(1)});
      return says(Verdict::kPass, revised);
    };
    a.hello();
    run_to_end(farm, {&a});
    const Shot& shot = farm.shot("demo/sh010");
    EXPECT_EQ(shot.state, revised > 0.4f ? ShotState::kDelivered : ShotState::kReview) << "no take passed";
    const Take& take = shot.takes[0];
    // A revision that scored worse leaves the first rendering; its finding may be tried once more in the
    // budget of 2.
    ASSERT_EQ(take.versions.size(), revised > 0.4f ? 2u : 3u);
    const Version& revision = take.versions[1];
    EXPECT_EQ(revision.windows, std::vector<std::uint32_t>{1});
    EXPECT_NE(revision.seed, shot.spec.seeds[0]);
    EXPECT_FLOAT_EQ(take.versions[0].score, 0.4f);
    EXPECT_FLOAT_EQ(revision.score, revised);
    EXPECT_EQ(take.kept, revised > 0.4f ? 1u : 0u);
    const auto segments = shot.spec.recipe.draft.segments.size();
    for (std::size_t s = 0; s < segments; ++s) {
      EXPECT_EQ(revision.graph.denoise[s], take.versions[0].graph.denoise[s]) << "window 0 is frozen";
      EXPECT_NE(revision.graph.denoise[segments + s], take.versions[0].graph.denoise[segments + s]);
    }
    EXPECT_NE(revision.recipe_hash, take.versions[0].recipe_hash);
  }
}

TEST(Flow, ARejectedTakeIsDroppedWithExactlyItsTasks) {
  TestFarm farm;
  farm.submit({test_shot("sh010", 53, 2)});
  SimWorker a(farm, "a");
  a.critic = [](const Task& task) {
    const bool bad = task.plan.take == 2 && !task.plan.whole_take && task.plan.window == 0;
    return bad ? says(Verdict::kReject, 0.0f) : says(Verdict::kPass, 0.7f);
  };
  a.hello();
  run_to_end(farm, {&a});
  const Shot& shot = farm.shot("demo/sh010");
  EXPECT_EQ(shot.takes[1].state, TakeState::kDropped);
  EXPECT_EQ(shot.approved, 1u);
  EXPECT_EQ(shot.state, ShotState::kDelivered);
  for (const TaskId id : shot.tasks) {
    const Task& task = farm.state().task(id);
    if (task.plan.take == 1) {
      EXPECT_EQ(task.state, TaskState::kSucceeded);
    }
    if (task.plan.take == 2 && task.plan.whole_take) {
      EXPECT_EQ(task.state, TaskState::kAborted);
    }
  }
}

TEST(Flow, AllTakesRejectedNeedsAPerson) {
  TestFarm farm;
  farm.submit({test_shot("sh010")});
  SimWorker a(farm, "a");
  a.critic = [](const Task&) { return says(Verdict::kReject, 0.0f); };
  a.hello();
  run_to_end(farm, {&a});
  EXPECT_EQ(farm.shot("demo/sh010").state, ShotState::kAttention);
  // A person orders another rendering of a take's window; the critics like it now.
  a.critic = [](const Task&) { return says(Verdict::kPass, 0.6f); };
  farm.step(event::Retry{5, "demo/sh010", 1, {0}, "try again", "ann"});
  ASSERT_TRUE(farm.last_reply().result.has_value()) << farm.last_reply().result.error().message;
  run_to_end(farm, {&a});
  EXPECT_EQ(farm.shot("demo/sh010").state, ShotState::kDelivered);
  EXPECT_EQ(farm.shot("demo/sh010").takes[0].kept, 1u);
}

TEST(Flow, ADeliveredShotCanBeRevisedByAPerson) {
  TestFarm farm;
  config::Shot shot = test_shot("sh010", 53, 1);
  shot.upgrade.enabled = true;
  farm.submit({shot});
  SimWorker a(farm, "a");
  a.critic = [](const Task& task) {
    return says(Verdict::kPass, 0.5f + 0.1f * static_cast<float>(task.plan.revision));
  };
  a.hello();
  run_to_end(farm, {&a});
  ASSERT_EQ(farm.shot("demo/sh010").state, ShotState::kDelivered);
  farm.step(event::Retry{5, "demo/sh010", 0, {1}, "the ball stutters", "ann"});
  EXPECT_EQ(farm.shot("demo/sh010").state, ShotState::kDrafting);
  run_to_end(farm, {&a});
  const Shot& row = farm.shot("demo/sh010");
  EXPECT_EQ(row.state, ShotState::kDelivered);
  EXPECT_EQ(row.takes[0].kept, 1u);
  ASSERT_EQ(row.deliveries.size(), 4u);
  EXPECT_EQ(row.deliveries[3].version, "v002");
}

TEST(Flow, ADeliveryIsTheVersionThatItsWorkerFoundFree) {
  const std::vector<std::string> later{"demo/sh010/draft/v004/sh010.[1001-1033].exr",
                                       "demo/sh010/draft/v004/movie.mp4"};
  for (const auto& [files, version] : std::vector<std::pair<std::vector<std::string>, std::string>>{
           {later, "v004"},
           {{"demo/sh010/draft/v004/a.exr", "demo/sh010/draft/v005/b.exr"}, "v001"},
           {{"demo/sh010/draft/../../x.exr"}, "v001"},
           {{"demo/other/draft/v004/a.exr"}, "v001"},
           {{"demo/sh010/draft/v004"}, "v001"}}) {
    TestFarm farm;
    farm.submit({test_shot("sh010", 33, 1)});
    SimWorker a(farm, "a");
    a.delivers = files;
    a.hello();
    run_to_end(farm, {&a});
    const Shot& row = farm.shot("demo/sh010");
    ASSERT_EQ(row.deliveries.size(), 1u);
    EXPECT_EQ(row.deliveries[0].version, version) << files[0];
    EXPECT_EQ(row.deliveries[0].folder, "demo/sh010/draft/" + version);
  }
}

TEST(Flow, AGatedShotWaitsForTheInnerCheckpoint) {
  TestFarm farm;
  config::Shot shot = test_shot("sh010", 33, 1);
  shot.gate = true;
  farm.submit({shot});
  SimWorker a(farm, "a");
  a.hello();
  const Shot& row = farm.shot("demo/sh010");
  const VersionGraph& graph = row.takes[0].versions[0].graph;
  ASSERT_EQ(graph.checkpoints.size(), 1u);
  ASSERT_GE(graph.denoise.size(), 2u);
  for (a.receive(); !a.held.empty(); a.receive()) {
    const AttemptId ref = a.held.front();
    if (ref.task == graph.checkpoints[0]) break;
    a.start(ref);
    a.complete(ref);
  }
  EXPECT_EQ(farm.state().task(graph.denoise.back()).state, TaskState::kPending);
  run_to_end(farm, {&a});
  EXPECT_EQ(row.state, ShotState::kDelivered);
}

TEST(Flow, CancelRevokesWhatRunsAndTheLeaseLastsUntilItStopped) {
  TestFarm farm;
  farm.submit({test_shot("sh010")});
  SimWorker a(farm, "a");
  a.hello();
  a.receive();
  ASSERT_FALSE(a.held.empty());
  a.start(a.held.front());
  farm.step(event::Cancel{3, "demo/sh010", "ann"});
  EXPECT_EQ(farm.shot("demo/sh010").state, ShotState::kCancelled);
  EXPECT_EQ(farm.state().task(a.held.front().task).state, TaskState::kRunning);
  const std::size_t leases = held_by(farm.state().workers[WorkerId(0)]);
  EXPECT_GT(leases, 0u);
  a.receive();  // stops and reports
  EXPECT_EQ(held_by(farm.state().workers[WorkerId(0)]), 0u);
  for (const Task& task : farm.state().tasks) EXPECT_EQ(task.state, TaskState::kCancelled);
}

TEST(Flow, PauseIsRequestedThenReachedAndResumeGoesOn) {
  TestFarm farm;
  farm.submit({test_shot("sh010")});
  SimWorker a(farm, "a", 1, 0);
  a.hello();
  a.receive();
  a.start(a.held.front());
  farm.step(event::Pause{3, "demo/sh010", "ann"});
  EXPECT_TRUE(farm.shot("demo/sh010").pause_requested);
  EXPECT_FALSE(farm.shot("demo/sh010").paused);
  a.work();
  EXPECT_TRUE(farm.shot("demo/sh010").paused);
  EXPECT_TRUE(a.held.empty());
  farm.step(event::Resume{4, "demo/sh010", "ann"});
  run_to_end(farm, {&a});
  EXPECT_EQ(farm.shot("demo/sh010").state, ShotState::kDelivered);
}

TEST(Flow, ATaskThatFailsEverywhereNeedsAPersonAndIsTriedAgainOnRequest) {
  Settings settings = test_settings();
  settings.retries.worker_failures = 0;  // no quarantine: there is one worker only
  TestFarm farm(settings);
  farm.submit({test_shot("sh010", 33, 1)});
  SimWorker a(farm, "a", 1, 0);
  a.hello();
  int attempts = 0;
  for (int second = 0; second < 200 && farm.shot("demo/sh010").state != ShotState::kAttention; ++second) {
    a.receive();
    if (!a.held.empty()) {
      a.start(a.held.front());
      a.fail(a.held.front());
      ++attempts;
    }
    farm.pass_ms(1000);
    a.beat();
  }
  const Shot& shot = farm.shot("demo/sh010");
  ASSERT_EQ(shot.state, ShotState::kAttention);
  EXPECT_EQ(attempts, settings.retries.attempts);
  EXPECT_EQ(shot.attention_task, shot.encode);
  EXPECT_NE(shot.reason.find("it broke"), std::string::npos);
  EXPECT_EQ(farm.state().task(shot.encode).bad_attempts.back().log_tail, "last words");
  const auto notable = view::shot(farm.state(), "demo/sh010", farm.now)->notable;
  ASSERT_EQ(notable.size(), 1u) << "people are told its number";
  EXPECT_EQ(notable[0].task, shot.encode);
  EXPECT_EQ(notable[0].state, TaskState::kFailed);
  EXPECT_EQ(notable[0].worker, "a");
  EXPECT_EQ(notable[0].words, "it broke");
  EXPECT_TRUE(view::shots(farm.state(), farm.now).at(0).notable.empty()) << "of one shot only";
  farm.step(event::Retry{5, "demo/sh010", 0, {}, "", "ann"});
  run_to_end(farm, {&a});
  EXPECT_EQ(farm.shot("demo/sh010").state, ShotState::kDelivered);
  EXPECT_TRUE(view::shot(farm.state(), "demo/sh010", farm.now)->notable.empty());
}

TEST(Flow, AWorkerThatFailsWhatOthersFinishIsQuarantined) {
  TestFarm farm;
  farm.submit({test_shot("sh010", 33, 2), test_shot("sh020", 33, 2), test_shot("sh030", 33, 2)});
  SimWorker bad(farm, "bad", 1, 0), good(farm, "good", 1, 0);
  bad.hello();
  good.hello();
  for (int second = 0; second < 120; ++second) {
    bad.receive();
    for (const AttemptId& ref : std::vector<AttemptId>(bad.held)) bad.fail(ref);
    good.work();
    farm.pass_ms(1000);
    bad.beat();
    good.beat();
  }
  EXPECT_GT(farm.state().find_worker("bad")->quarantined_until_ms, 0);
  for (const char* key : {"demo/sh010", "demo/sh020", "demo/sh030"}) {
    EXPECT_EQ(farm.shot(key).state, ShotState::kDelivered) << key;
  }
  EXPECT_LE(farm.state().find_worker("bad")->failed, 6u);  // of three shots
}

TEST(Flow, ASkippedCritiqueIsUnknownAndTheTakeGoesOn) {
  TestFarm farm;
  farm.submit({test_shot("sh010", 33, 1)});
  SimWorker a(farm, "a");
  a.hello();
  const TaskId critique = farm.shot("demo/sh010").takes[0].versions[0].graph.critique;
  farm.step(event::Skip{3, critique, "ann"});
  EXPECT_TRUE(farm.last_reply().result.has_value());
  farm.step(event::Skip{4, farm.shot("demo/sh010").encode, "ann"});
  EXPECT_FALSE(farm.last_reply().result.has_value());
  run_to_end(farm, {&a});
  EXPECT_EQ(farm.shot("demo/sh010").state, ShotState::kDelivered);
  EXPECT_EQ(farm.shot("demo/sh010").takes[0].versions[0].verdict, Verdict::kUnknown);
}

// Who skips a master's delivery wants nothing of the master: what would be made for it ends as well.
TEST(Flow, ASkippedMasterEndsItsUpgrade) {
  TestFarm farm;
  config::Shot shot = test_shot("sh010", 33, 1);
  shot.upgrade.enabled = true;
  farm.submit({shot});
  SimWorker a(farm, "a");
  a.hello();
  const auto upgrade = [&]() -> const UpgradeGraph& { return farm.shot("demo/sh010").takes[0].upgrade; };
  for (int i = 0; i < 200 && (upgrade().enlarge == kNoId || !is_done(farm.state().task(upgrade().enlarge)));
       ++i) {
    a.receive();
    ASSERT_FALSE(a.held.empty());
    a.complete(a.held.front());
  }
  farm.step(event::Skip{3, upgrade().deliver, "ann"});
  ASSERT_TRUE(farm.last_reply().result.has_value());
  EXPECT_EQ(farm.state().task(upgrade().deliver).state, TaskState::kSkipped);
  run_to_end(farm, {&a});  // every step checks that nothing stays open behind a delivered shot
  EXPECT_EQ(farm.shot("demo/sh010").state, ShotState::kDelivered);
  EXPECT_EQ(farm.state().task(upgrade().refine.back()).state, TaskState::kAborted);
}

TEST(Flow, ATakeWithTooManyRevisionsIsRefusedAnotherAndStaysAsItIs) {
  TestFarm farm;
  farm.check_every_step = false;
  farm.submit({test_shot("sh010", 33, 1)});
  SimWorker a(farm, "a");
  a.critic = [](const Task& task) {
    return says(Verdict::kPass, 0.5f + 0.005f * static_cast<float>(task.plan.revision));  // each one is kept
  };
  a.hello();
  run_to_end(farm, {&a});
  event::Retry retry;
  retry.shot = "demo/sh010";
  retry.take = 1;
  retry.windows = {0};
  retry.note = std::string(4000, 'n');
  for (retry.request = 20; retry.request < 260; ++retry.request) {
    farm.step(retry);
    if (!farm.last_reply().result) break;
    run_to_end(farm, {&a});
    ASSERT_EQ(farm.shot("demo/sh010").state, ShotState::kDelivered);
  }
  ASSERT_FALSE(farm.last_reply().result.has_value());
  const std::string message = farm.last_reply().result.error().message;
  EXPECT_NE(message.find("demo/sh010"), std::string::npos) << message;
  EXPECT_NE(message.find("one more revision"), std::string::npos) << message;
  const Shot& shot = farm.shot("demo/sh010");
  EXPECT_EQ(shot.state, ShotState::kDelivered);
  EXPECT_EQ(shot.approved, 1u) << "a refused retry withdraws nothing";
  EXPECT_EQ(shot.take(1).kept + 1, shot.take(1).versions.size());
  EXPECT_GT(shot.take(1).kept, 5u);
}

TEST(Flow, ATakeWhoseRecipeLacksItsTilesIsNotTriedAgain) {
  TestFarm farm;
  auto model = std::make_shared<config::ModelManifest>(*farm.model);
  model->size = model->deliver = {1088, 96};  // three draft tiles
  farm.model = model;
  farm.submit({test_shot("sh010", 33, 1)});
  SimWorker a(farm, "a");
  a.hello();
  const auto failed = [&farm] {
    const auto& decode = farm.shot("demo/sh010").take(1).versions[0].graph.decode;
    return farm.state().task(decode.at(2)).state == TaskState::kFailed;
  };
  for (int i = 0; i < 400 && !failed(); ++i) {
    a.receive();
    if (a.held.empty()) {
      farm.pass_ms(5'000);
      a.beat();
      continue;
    }
    const Task& task = farm.state().task(a.held.front().task);
    a.start(a.held.front());
    if (task.plan.stage == Stage::kDecode && task.plan.tile == 2)
      a.fail(a.held.front());
    else
      a.complete(a.held.front());
  }
  ASSERT_TRUE(failed());
  // As schedulers wrote it before recipes named draft tiles.
  const auto without_tiles = [](Bytes& bytes) {
    auto recipe = decode_recipe(bytes);
    ASSERT_TRUE(recipe);
    ASSERT_EQ(recipe->decode_tiles.size(), 3u);
    recipe->decode_tiles.clear();
    bytes = encode_recipe(*recipe);
  };
  for (Record& record : farm.journal) {
    if (auto* planned = std::get_if<record::VersionPlanned>(&record)) without_tiles(planned->version.recipe);
    if (auto* pinned = std::get_if<record::ClassPinned>(&record))
      for (record::TakeRecipe& entry : pinned->recipes) without_tiles(entry.recipe);
  }
  farm.restart();
  ASSERT_TRUE(failed());
  event::Retry retry;
  retry.request = 9;
  retry.shot = "demo/sh010";
  farm.step(retry);
  ASSERT_FALSE(farm.last_reply().result.has_value())
      << std::get<command::Done>(*farm.last_reply().result).message;
  EXPECT_NE(farm.last_reply().result.error().message.find("submit it again"), std::string::npos);
  EXPECT_TRUE(failed()) << "nothing was reopened";
}

TEST(Flow, AShotThatWaitsIsOneTaskAndCountsAll) {
  TestFarm farm;
  farm.submit({test_shot("sh010", 65, 3), test_shot("sh020", 65, 3)});
  const auto answer = std::get<command::Submitted>(*farm.last_reply().result);
  const auto all = [&farm] {
    const TaskCounts counts = view::shot(farm.state(), "demo/sh010", farm.now)->tasks;
    return std::accumulate(counts.begin(), counts.end(), 0u);
  };
  EXPECT_EQ(farm.state().tasks.size(), 2u);
  EXPECT_EQ(all(), answer.shots.at(0).tasks);
  EXPECT_EQ(view::shot(farm.state(), "demo/sh010", farm.now)->takes.at(2).windows.size(),
            answer.shots.at(0).windows);
  event::Retry retry;
  retry.request = 7;
  retry.shot = "demo/sh010";
  retry.take = 1;
  retry.windows = {0};
  farm.step(retry);
  EXPECT_EQ(farm.last_reply().result.error().kind, ErrorKind::kConflict);
  farm.restart();
  EXPECT_EQ(all(), answer.shots.at(0).tasks);

  SimWorker a(farm, "a", 1, 0);
  a.hello();  // leases the first shot's encode
  EXPECT_EQ(farm.shot("demo/sh010").tasks.size(), answer.shots.at(0).tasks);
  EXPECT_EQ(all(), answer.shots.at(0).tasks);
  EXPECT_EQ(farm.shot("demo/sh020").tasks.size(), 1u);
  farm.step(event::Cancel{8, "demo/sh020", "ann"});
  EXPECT_EQ(farm.state().work.unplanned(), 0u);
  run_to_end(farm, {&a});
  EXPECT_EQ(farm.shot("demo/sh010").state, ShotState::kDelivered);
  EXPECT_EQ(farm.shot("demo/sh020").tasks.size(), 1u);
}

TEST(Submit, TheSameKeyGivesTheSameAnswerAndAnotherTextAConflict) {
  TestFarm farm;
  farm.submit({test_shot("sh010")}, "key-1");
  const std::size_t tasks = farm.state().tasks.size();
  farm.submit({test_shot("sh010")}, "key-1");
  ASSERT_TRUE(farm.last_reply().result.has_value());
  EXPECT_TRUE(std::get<command::Submitted>(*farm.last_reply().result).repeated);
  EXPECT_EQ(std::get<command::Submitted>(*farm.last_reply().result).shots.at(0).tasks,
            tasks + farm.state().work.unplanned());
  EXPECT_EQ(farm.state().tasks.size(), tasks);
  event::SubmitBatch other;
  other.request = 9;
  other.idempotency_key = "key-1";
  other.text = digest_named("another");
  farm.step(other);
  EXPECT_EQ(farm.last_reply().result.error().kind, ErrorKind::kConflict);
}

TEST(Submit, ADryRunChangesNothingAndABadBatchIsRefusedWhole) {
  TestFarm farm;
  event::SubmitBatch batch;
  batch.request = 1;
  batch.dry_run = true;
  batch.shots.push_back({test_shot("sh010"), farm.model, {}});
  farm.step(batch);
  ASSERT_TRUE(farm.last_reply().result.has_value());
  EXPECT_GT(std::get<command::Submitted>(*farm.last_reply().result).shots.at(0).tasks, 4u);
  EXPECT_TRUE(farm.state().shots.empty());
  EXPECT_TRUE(farm.journal.empty());
  config::Shot bad = test_shot("sh020");
  bad.fps = config::Rate{25, 1};  // the model makes 24 only
  farm.submit({test_shot("sh010"), bad});
  ASSERT_FALSE(farm.last_reply().result.has_value());
  EXPECT_NE(farm.last_reply().result.error().message.find("sh020"), std::string::npos);
  EXPECT_TRUE(farm.state().shots.empty());
}

}  // namespace
}  // namespace rushes::scheduler
