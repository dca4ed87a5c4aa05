#include "scheduler/plan/stage_needs.h"

#include <gtest/gtest.h>

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

}  // namespace
}  // namespace rushes::scheduler
