// What a stage holds in memory is bounded by its piece of work: neither the length of the take nor the size of
// the master makes it grow.
#include "tests/worker/engine/stage_test.h"

namespace rushes::worker {
namespace {

namespace fs = std::filesystem;

// Sanitizers keep what was freed, so their builds say nothing about memory.
class Memory : public StageTest {
 protected:
  void SetUp() override {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    GTEST_SKIP();
#endif
    StageTest::SetUp();
  }
};

TEST_F(Memory, DoesNotGrowWithTheTake) {
  std::map<Stage, std::vector<std::uint64_t>> peaks;
  for (const int frames : {65, 257}) {
    Task decode = make(Stage::kDecode, frames, 160, 96);
    (*models_->get(decode.recipe))->vae().set_memory_limit(8 * kMiB);  // several chunks of both
    add_latents(decode);
    const TaskResult decoded = run(decode);
    ASSERT_EQ(decoded.outputs.size(), 1u);
    peaks[Stage::kDecode].push_back(decoded.peak_memory_bytes);
    for (const Stage stage : {Stage::kCritique, Stage::kFinish, Stage::kDeliver}) {
      Task task = make(stage, frames, 160, 96);
      task.whole_take = true;
      task.frames = {0, std::min(frames, 16)};
      add_input(task, decoded.outputs.front(), 0);
      peaks[stage].push_back(run(task).peak_memory_bytes);
    }
  }
  for (const auto& [stage, both] : peaks)
    EXPECT_LE(both[1], both[0] + 16 * kMiB) << to_string(stage) << ": 257 frames against 65";
}

TEST_F(Memory, AMasterOfFourKFits) {
  constexpr std::uint64_t kBound = 1536 * kMiB;
  constexpr int kFrames = 5, kWidth = 960, kHeight = 544, kScale = 4;
  Task enlarge = make(Stage::kEnlarge, kFrames, kWidth, kHeight, kScale);
  add_frames(enlarge, {0, 0, kHeight, kWidth}, 0);
  EXPECT_LE(run(enlarge).peak_memory_bytes, kBound);
  Task decode = make(Stage::kDecode, kFrames, kWidth, kHeight, kScale);
  decode.tile = 9;
  add_latents(decode);
  EXPECT_LE(run(decode).peak_memory_bytes, kBound);
  Task finish = make(Stage::kFinish, kFrames, kWidth, kHeight, kScale);
  finish.frames = {1, 3};
  add_master_frames(finish);
  EXPECT_LE(run(finish).peak_memory_bytes, kBound);
  Task deliver = make(Stage::kDeliver, kFrames, kWidth, kHeight, kScale);
  deliver.inputs = finish.inputs;
  EXPECT_LE(run(deliver).peak_memory_bytes, kBound);
}

// On a host of another class, which has no weights.
using AnyClass = StageTest;
TEST_F(AnyClass, RunsWhatComputesNoTensors) {
  int weights = 0;
  for (const auto& file : fs::directory_iterator(folder_.path() / "models" / "tiny"))
    if (file.path().extension() == ".safetensors") weights += fs::remove(file.path()) ? 1 : 0;
  ASSERT_GT(weights, 0);
  for (const Stage stage : {Stage::kCritique, Stage::kFinish, Stage::kDeliver}) {
    Task task = make(stage, 5, 160, 96);
    task.recipe.numeric_class = "cuda-sm90-bf16+cuda-sm90-f32";
    task.whole_take = stage == Stage::kCritique;
    ASSERT_FALSE(computes_tensors(task.stage, task.whole_take));
    task.frames = {0, 5};
    add_frames(task, {0, 0, 96, 160}, 0);
    const TaskResult result = run(task);
    EXPECT_FALSE(result.outputs.empty());
    EXPECT_EQ(result.numeric_class, "");
  }
  Task denoise = make(Stage::kDecode, 5, 160, 96);
  add_latents(denoise);
  std::filesystem::create_directories(folder_.path() / "out");
  StageContext context{*artifacts_, *models_, folder_.path() / "out", {}, {}, {}};
  EXPECT_FALSE(run_task(denoise, context)) << "its weights are gone";
}

}  // namespace
}  // namespace rushes::worker
