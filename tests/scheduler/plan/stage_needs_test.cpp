#include "scheduler/plan/stage_needs.h"

#include <gtest/gtest.h>

#include "config/digest.h"
#include "scheduler/plan/cost.h"
#include "scheduler/plan/plan.h"
#include "tests/scheduler/plan/manifest.h"

namespace rushes::scheduler {
namespace {

ShotSpec spec_of(bool upgrade) {
  const config::ModelManifest model = test_manifest();
  config::Shot shot;
  shot.show = "demo";
  shot.name = "sh010";
  shot.prompt = "a red ball";
  shot.model = "tabletop";
  shot.frames = 65;  // two windows
  shot.seeds = {7};
  shot.upgrade.enabled = upgrade;
  shot.upgrade.scale = 2;
  auto spec = resolve_shot(shot, model, {});
  EXPECT_TRUE(spec) << (spec ? "" : spec.error().message);
  return *spec;
}

std::vector<std::string> words(const std::vector<StageNeeds>& stages) {
  std::vector<std::string> words;
  for (const StageNeeds& stage : stages)
    words.push_back(std::string(to_string(stage.stage)) + (stage.level > 0 ? " master" : "") +
                    (stage.tensors ? " tensors" : ""));
  return words;
}

TEST(StageNeeds, ListEveryStageOnceWithWhatItsLargestTaskNeeds) {
  const std::vector<std::string> draft{"encode tensors", "denoise tensors", "critique tensors",
                                       "decode tensors", "critique",        "deliver"};
  EXPECT_EQ(words(stage_needs(spec_of(false))), draft);
  const ShotSpec spec = spec_of(true);
  const std::vector<StageNeeds> stages = stage_needs(spec);
  std::vector<std::string> all = draft;
  for (const char* more : {"enlarge master tensors", "refine master tensors", "decode master tensors",
                           "finish master", "deliver master"})
    all.push_back(more);
  EXPECT_EQ(words(stages), all);
  std::uint64_t largest = 0;
  for (const Range& window : spec.recipe.windows)
    largest = std::max(
        largest, sampling_memory(spec.grid, static_cast<std::uint64_t>(window.size()) * 10 * 6).tensors);
  EXPECT_EQ(stages[1].tensor_bytes, largest);
  EXPECT_EQ(stages[1].host_bytes, kBaseMemory);
  for (const StageNeeds& stage : stages) EXPECT_TRUE(stage.tensors || stage.tensor_bytes == 0);
}

// A key frame as it was sent and one of 8192x8192: the encode asks for what reading it takes, nothing else does.
TEST(StageNeeds, OfAnEncodeFollowTheSizeOfItsPicture) {
  const auto spec_with = [](const config::PictureLoad& load) {
    config::Shot shot;
    shot.show = "demo";
    shot.name = "sh010";
    shot.prompt = "a red ball";
    shot.model = "tabletop";
    shot.frames = 33;
    shot.seeds = {7};
    shot.key_frames = {{"first.png", 0}};
    const std::vector<StoredPicture> images{{{0, digest_of("first"), 1000}, load}};
    auto spec = resolve_shot(shot, test_manifest(), images);
    EXPECT_TRUE(spec) << (spec ? "" : spec.error().message);
    return *spec;
  };
  const config::PictureLoad small{160 * 96, 1 << 20}, large{8192 * 8192, 600 << 20};
  const ShotSpec first = spec_with(small), second = spec_with(large);
  EXPECT_EQ(second.pictures, large);
  EXPECT_EQ(second.recipe.key_frames, first.recipe.key_frames) << "the recipe says what decides pixels";
  const std::vector<StageNeeds> few = stage_needs(first), many = stage_needs(second);
  ASSERT_EQ(few.size(), many.size());
  EXPECT_EQ(many[0].stage, Stage::kEncode);
  EXPECT_EQ(many[0].host_bytes - few[0].host_bytes, large.memory - small.memory);
  EXPECT_GT(many[0].host_bytes, kBaseMemory + large.memory);
  for (std::size_t i = 1; i < few.size(); ++i) EXPECT_EQ(few[i], many[i]);
  EXPECT_DOUBLE_EQ(plan_encode(second, TaskId(1)).host_seconds, reading_seconds(large));
  EXPECT_GT(reading_seconds(large), 2);
  EXPECT_LT(reading_seconds(small), 0.01);
}

}  // namespace
}  // namespace rushes::scheduler
