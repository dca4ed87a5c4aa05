// What a stage holds in memory is bounded by its piece of work: neither the length of the take nor the size of
// the master makes it grow. Real stages on made-up artifacts, with a model whose networks have tiny widths.
#include <gtest/gtest.h>

#include "config/digest.h"
#include "tests/worker/model/tiny_model.h"
#include "worker/engine/payload.h"
#include "worker/engine/stage.h"

namespace rushes::worker {
namespace {

namespace fs = std::filesystem;

constexpr int kChannels4 = 4;  // of the tiny model's latents
constexpr int kStride = 16;
constexpr std::uint64_t kMiB = 1u << 20;

class Memory : public testing::Test {
 protected:
  void SetUp() override {
    const auto manifest = write_tiny_model(folder_.path() / "models" / "tiny");
    ASSERT_TRUE(manifest) << manifest.error().message;
    const std::string digest = config::model_digest(*manifest).substr(config::kDigestPrefix.size());
    digest_ = *digest_from_hex(digest);
    auto models = Models::open({.model_roots = {folder_.path() / "models"}, .threads = 2});
    ASSERT_TRUE(models) << models.error().message;
    models_.emplace(std::move(*models));
    artifacts_.emplace(*LocalArtifacts::open_folder(folder_.path() / "artifacts", 0));
  }

  Task make(Stage stage, int frames, int width, int height, int scale = 0) {
    Task task;
    task.name = "memory " + std::string(to_string(stage));
    task.show = "test";
    task.shot = "sh010";
    task.take = 1;
    task.stage = stage;
    Recipe& recipe = task.recipe;
    recipe.model = "tiny";
    recipe.model_digest = digest_;
    recipe.fps = {24, 1};
    recipe.frames = recipe.rendered_frames = frames;
    recipe.width = recipe.deliver_width = width;
    recipe.height = recipe.deliver_height = height;
    recipe.draft.segments = {{0, 1}};
    const int latents = (frames - 1) / 4 + 1;
    for (int t = 0; t < latents; t += 9) recipe.windows.push_back({t, std::min(t + 9, latents)});
    if (scale > 0) {
      task.level = 1;
      Master& master = recipe.master;
      master.scale = scale;
      master.windows = recipe.windows;
      const int rows = height * scale / kStride, columns = width * scale / kStride;
      for (int y = 0; y < rows; y += 32)
        for (int x = 0; x < columns; x += 32)
          master.decode_tiles.push_back({y, x, std::min(32, rows - y), std::min(32, columns - x)});
      master.tiles = {{0, 0, rows, columns}};
    }
    task.delivery.folder = "test/sh010/v001";
    task.delivery.version = "v001";
    task.delivery.fps = recipe.fps;
    task.delivery.master = scale > 0;
    return task;
  }

  void add_input(Task& task, const Output& stored, int level) {
    Input input;
    input.role = stored.role;
    input.digest = stored.digest;
    input.take = 1;
    input.level = level;
    task.inputs.push_back(input);
  }

  // Latents of every window over the frame at the task's level.
  void add_latents(Task& task) {
    const int scale = task.scale();
    for (const auto& window : task.windows()) {
      Latents latents;
      latents.channels = kChannels4;
      latents.region = {window,
                        {0, 0, task.recipe.height * scale / kStride, task.recipe.width * scale / kStride}};
      latents.values.resize(latents.region.volume() * kChannels4);
      for (std::size_t i = 0; i < latents.values.size(); ++i)
        latents.values[i] =
            0.01F * static_cast<float>((i * 7919 + static_cast<std::size_t>(window.begin)) % 200) - 1;
      add_input(task, *artifacts_->put(Role::kLatent, *write_latents(latents)), task.level);
    }
  }

  // Grey frames, as one decode tile would hold them.
  void add_frames(Task& task, const Rect& pixels, int level) {
    const PixelBox box{pixels.y, pixels.x, pixels.height, pixels.width, task.recipe.frames, task.recipe.fps};
    Clip frame(pixels.width, pixels.height, 1, task.recipe.fps);
    for (std::size_t i = 0; i < frame.pixels.size(); ++i)
      frame.pixels[i] = 0.18F + 0.001F * static_cast<float>(i % 17);
    auto artifact = artifacts_->create(Role::kFrames);
    ASSERT_TRUE(artifact && artifact->append(*pixel_header(box)));
    for (int t = 0; t < box.frames; ++t) ASSERT_TRUE(artifact->append(half_bytes(frame)));
    add_input(task, *artifact->finish(), level);
  }

  void add_master_frames(Task& task) {
    for (const Rect& tile : task.recipe.master.decode_tiles)
      add_frames(task, {tile.y * kStride, tile.x * kStride, tile.height * kStride, tile.width * kStride}, 1);
  }

  TaskResult run(const Task& task) {
    StageContext context{*artifacts_,
                         *models_,
                         folder_.path() / "out",
                         fs::path(RUSHES_SOURCE_DIR) / "config" / "colour" / "farm.ocio",
                         {},
                         {}};
    auto outcome = run_task(task, context);
    EXPECT_TRUE(outcome) << outcome.error().message;
    if (!outcome) return {};
    std::printf("[ measured ] %-16s %3d frames of %4dx%-4d %5.0f MiB at most, %.1f s\n", task.name.c_str(),
                task.recipe.frames, task.recipe.width * task.scale(), task.recipe.height * task.scale(),
                static_cast<double>(outcome->peak_memory_bytes) / kMiB, outcome->wall_seconds);
    return *outcome;
  }

  TestFolder folder_;
  Digest digest_{};
  std::optional<Models> models_;
  std::optional<LocalArtifacts> artifacts_;
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
    for (const Stage stage : {Stage::kFinish, Stage::kDeliver}) {
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
using AnyClass = Memory;
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
  StageContext context{*artifacts_, *models_, folder_.path() / "out", {}, {}, {}};
  EXPECT_FALSE(run_task(denoise, context)) << "its weights are gone";
}

}  // namespace
}  // namespace rushes::worker
