// What a delivery leaves on disk: a whole version, once, that no other run changes.
#include <nlohmann/json.hpp>

#include "tests/worker/engine/stage_test.h"
#include "worker/engine/delivery.h"
#include "worker/picture/atomic_file.h"
#include "worker/picture/exr.h"
#include "worker/picture/verify.h"

namespace rushes::worker {
namespace {

namespace fs = std::filesystem;

class Delivering : public StageTest {
 protected:
  Task task_of(Stage stage, bool master, const std::string& version = "v001") {
    Task task = make(stage, 5, 64, 32, master ? 2 : 0);
    task.delivery.master = master;
    task.delivery.version = version;
    task.delivery.folder = std::string("test/sh010/") + (master ? "master/" : "draft/") + version;
    task.delivery.timecode = "01:00:00:00";
    task.delivery.start_frame = 9998;  // the order of names is not that of frames
    task.frames = {0, 5};
    if (master)
      add_master_frames(task);
    else
      add_frames(task, {0, 0, 32, 64}, 0);
    return task;
  }
  nlohmann::json sidecar(const TaskResult& result) {
    const auto text = read_file((out_ / result.files.back()).string(), 1 << 24);
    EXPECT_TRUE(text) << text.error().message;
    return text ? nlohmann::json::parse(*text) : nlohmann::json();
  }
  std::size_t versions(const std::string& kind) const {
    const fs::directory_iterator folder(out_ / "test" / "sh010" / kind);
    return static_cast<std::size_t>(std::distance(folder, fs::directory_iterator()));
  }
  const fs::path out_ = folder_.path() / "out";
};

TEST_F(Delivering, AnAttemptThatRunsAgainFindsItsDelivery) {
  const Task task = task_of(Stage::kDeliver, false);
  const TaskResult first = run(task), again = run(task);
  EXPECT_EQ(first.files, again.files);
  EXPECT_EQ(first.outputs, again.outputs);
  EXPECT_EQ(versions("draft"), 1U);
  Task farm = task;
  farm.delivery.shot_wall_ms = 7;  // the same shot on another farm
  const TaskResult other = run(farm);
  EXPECT_TRUE(other.files.back().starts_with("test/sh010/draft/v002/sh010_draft_v002")) << other.files.back();
  EXPECT_EQ(run(task).files, first.files);
  EXPECT_EQ(versions("draft"), 2U);
}

TEST_F(Delivering, NothingIsWrittenIntoAVersionThatExists) {
  fs::create_directories(out_ / "test" / "sh010" / "draft" / "v001");
  const TaskResult result = run(task_of(Stage::kDeliver, false));
  EXPECT_TRUE(fs::is_empty(out_ / "test" / "sh010" / "draft" / "v001"));
  const auto report = verify_delivery((out_ / "test" / "sh010" / "draft" / "v002").string());
  ASSERT_TRUE(report);
  EXPECT_TRUE(report->passed()) << report_text(*report);
  EXPECT_EQ(sidecar(result)["reel"], "sh010_draft_v002");
}

TEST_F(Delivering, TheSidecarListsFramesInTheirOrder) {
  const auto files = sidecar(run(task_of(Stage::kDeliver, false)))["files"];
  ASSERT_EQ(files.size(), 8U);
  for (int t = 0; t < 5; ++t)
    EXPECT_EQ(files[static_cast<std::size_t>(t)]["file"], exr_file_name("sh010_draft_v001", 9998 + t));
}

TEST_F(Delivering, TheSidecarSaysOfWhatEachWindowWasMade) {
  Task task = task_of(Stage::kDeliver, false);
  task.recipe.prompt = "a red ball";
  task.recipe.seed = 7;
  task.recipe.revisions = {{1, {0}, 77, "flicker", "a blue ball"}, {2, {0}, 78, "again", ""}};
  auto recipe = sidecar(run(task))["recipe"];
  EXPECT_EQ(recipe["prompt"], "a red ball");
  EXPECT_EQ(recipe["seed"], 7);
  ASSERT_EQ(recipe["revisions"].size(), 2U);
  EXPECT_EQ(recipe["revisions"][0]["prompt"], "a blue ball");
  EXPECT_EQ(recipe["revisions"][1]["prompt"], "a blue ball") << "that of before";
  EXPECT_EQ(
      recipe["renewed"],
      nlohmann::json::parse(R"([{"windows": [0], "revision": 2, "seed": 78, "prompt": "a blue ball"}])"));
  task.recipe.prompt.clear();  // an older recipe does not say
  task.delivery.shot_wall_ms = 7;
  recipe = sidecar(run(task))["recipe"];
  EXPECT_TRUE(recipe["prompt"].is_null());
  EXPECT_EQ(recipe["renewed"][0]["prompt"], "a blue ball");
  task.recipe.revisions.clear();
  task.recipe.prompt = "a red ball";
  task.delivery.shot_wall_ms = 8;
  EXPECT_TRUE(sidecar(run(task))["recipe"]["renewed"].empty());
}

TEST(Critiques, WithoutAVerdictThereIsNoScore) {
  const auto summary = read_critique(R"({"verdict": "unknown", "score": 1.0, "dimensions": []})", "it");
  ASSERT_TRUE(summary) << summary.error().message;
  EXPECT_FALSE(summary->known);
  EXPECT_TRUE(summary->json["score"].is_null()) << "older workers wrote 1";
  EXPECT_TRUE(read_critique(R"({"verdict": "unknown", "score": null})", "it"));
  EXPECT_FALSE(read_critique(R"({"verdict": "pass", "score": null})", "it"));
  EXPECT_TRUE(read_critique(R"({"verdict": "pass", "score": 0.5})", "it")->known);
}

TEST_F(Delivering, AMasterGoesOnWithWhatItsFinishTasksWroteAndMakesWhatIsMissing) {
  Task finish = task_of(Stage::kFinish, true), deliver = task_of(Stage::kDeliver, true);
  finish.frames = {0, 3};
  fs::create_directories(out_ / "test" / "sh010" / "master" / "v001");
  const TaskResult finished = run(finish);
  EXPECT_EQ(versions("master"), 2U);
  const auto early = verify_delivery((out_ / "test" / "sh010").string());
  EXPECT_FALSE(early->passed()) << "nobody takes what grows for a delivery";
  const TaskResult result = run(deliver);
  EXPECT_EQ(versions("master"), 2U);
  const fs::path folder = out_ / "test" / "sh010" / "master" / "v002";
  const auto report = verify_delivery(folder.string());
  ASSERT_TRUE(report && report->sequences.size() == 1);
  EXPECT_TRUE(report->passed()) << report_text(*report);
  ASSERT_EQ(report->findings.size(), 1U) << report_text(*report);  // that it begins at 9998
  EXPECT_EQ(report->sequences[0].frames, 5);
  EXPECT_EQ(report->sequences[0].name, "sh010_master_v002");
}

TEST_F(Delivering, DraftAndMasterDifferInReelWhateverTheShotSays) {
  for (const bool master : {false, true}) {
    Task task = task_of(Stage::kDeliver, master);
    task.delivery.reel = "A001";
    const TaskResult result = run(task);
    EXPECT_EQ(sidecar(result)["reel"], master ? "A001" : "A001_draft");
    const std::string name = exr_file_name(master ? "sh010_master_v001" : "sh010_draft_v001", 9998);
    const auto header = read_exr_header((out_ / task.delivery.folder / name).string());
    ASSERT_TRUE(header) << header.error().message;
    EXPECT_EQ(header->text("reelName"), master ? "A001" : "A001_draft");
  }
}

TEST_F(Delivering, LeavesNothingWhenStopped) {
  int asked = 0;
  fs::create_directories(out_);
  StageContext context{*artifacts_, *models_, out_, colour_, {}, [&] { return ++asked > 2; }};
  const auto result = run_task(task_of(Stage::kDeliver, false), context);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind, ErrorKind::kConflict);
  EXPECT_TRUE(fs::is_empty(out_));
}

}  // namespace
}  // namespace rushes::worker
