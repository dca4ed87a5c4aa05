// A take of 2,400 frames and a master of 33 frames in 4K, from prompt to files, with networks of tiny widths: no
// task needs more than 1.5 GiB, and none more than was planned for it. Minutes to an hour: label `campaign`.
#include <gtest/gtest.h>

#include <filesystem>

#include "tests/folders.h"
#include "tests/tools/render/peaks.h"
#include "tests/worker/model/tiny_model.h"
#include "tools/render/local_farm.h"

namespace rushes::tools {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kBound = std::uint64_t{1536} << 20;

void render(const worker::TinyModel& shape, int frames, const std::string& more) {
  const worker::TestFolder folder;
  const auto model = worker::write_tiny_model(folder.path() / "models" / "tiny", shape);
  ASSERT_TRUE(model) << model.error().message;
  auto farm = LocalFarm::open({{folder.path() / "models"},
                               folder.path() / "out",
                               test::source_folder() / "config" / "colour" / "farm.ocio",
                               folder.path() / "artifacts",
                               2});
  ASSERT_TRUE(farm) << farm.error().message;
  const auto batch = config::parse_batch(
      "version: 1\nshow: test\nshots:\n  - name: sh010\n    prompt: a red ball\n    model: tiny\n    "
      "frames: " +
          std::to_string(frames) +
          "\n    seeds: [5]\n    approve: best\n    sampling: {steps: 1}\n    budget: {windows: 0}\n"
          "    critics: {light: {revise: 0}, freeze: {revise: 0}, exposure: {revise: 0}, flicker: {revise: "
          "0}, "
          "seam: {revise: 0}}\n" +
          more,
      "memory.yaml", folder.path());
  ASSERT_TRUE(batch) << batch.error().message;
  const Status submitted = (*farm)->submit(*batch);
  ASSERT_TRUE(submitted) << submitted.error().message;
  Peaks peaks;
  peaks.run(**farm, kBound);
  const scheduler::Shot& shot = (*farm)->state().shots[scheduler::ShotId(0)];
  EXPECT_EQ(shot.state, scheduler::ShotState::kDelivered) << shot.reason;
}

TEST(MemoryCampaign, ALongTake) { render({33, {160, 96}, config::VaeForm::kWan22}, 2400, ""); }

TEST(MemoryCampaign, AMasterOfFourK) {
  render({33, {960, 544}, config::VaeForm::kWan22}, 33, "    upgrade: {scale: 4}\n");
}

}  // namespace
}  // namespace rushes::tools
