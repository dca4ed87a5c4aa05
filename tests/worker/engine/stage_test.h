// Real stages on made-up artifacts, with a model whose networks have tiny widths.
#pragma once

#include <gtest/gtest.h>

#include "config/digest.h"
#include "tests/folders.h"
#include "tests/worker/model/tiny_model.h"
#include "worker/engine/payload.h"
#include "worker/engine/stage.h"

namespace rushes::worker {

inline constexpr int kChannels4 = 4;  // of the tiny model's latents
inline constexpr int kStride = 16;
inline constexpr std::uint64_t kMiB = 1u << 20;

class StageTest : public testing::Test {
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
    auto artifact = artifacts_->create(Role::kFrames);
    ASSERT_TRUE(artifact && artifact->append(*pixel_header(box)));
    for (int t = 0; t < box.frames; ++t) {  // no frame repeats the one before: that is a fault of a delivery
      for (std::size_t i = 0; i < frame.pixels.size(); ++i)
        frame.pixels[i] = 0.18F + 0.001F * static_cast<float>((i + static_cast<std::size_t>(t)) % 17);
      ASSERT_TRUE(artifact->append(half_bytes(frame)));
    }
    add_input(task, *artifact->finish(), level);
  }

  void add_master_frames(Task& task) {
    for (const Rect& tile : task.recipe.master.decode_tiles)
      add_frames(task, {tile.y * kStride, tile.x * kStride, tile.height * kStride, tile.width * kStride}, 1);
  }

  TaskResult run(const Task& task) {
    std::filesystem::create_directories(folder_.path() / "out");  // as a worker does at its start
    StageContext context{*artifacts_, *models_, folder_.path() / "out", colour_, {}, {}};
    auto outcome = run_task(task, context);
    EXPECT_TRUE(outcome) << outcome.error().message;
    if (!outcome) return {};
    std::printf("[ measured ] %-16s %3d frames of %4dx%-4d %5.0f MiB at most, %.1f s\n", task.name.c_str(),
                task.recipe.frames, task.recipe.width * task.scale(), task.recipe.height * task.scale(),
                static_cast<double>(outcome->peak_memory_bytes) / kMiB, outcome->wall_seconds);
    return *outcome;
  }

  TestFolder folder_;
  const std::filesystem::path colour_ = test::source_folder() / "config" / "colour" / "farm.ocio";
  Digest digest_{};
  std::optional<Models> models_;
  std::optional<LocalArtifacts> artifacts_;
};

}  // namespace rushes::worker
