// A window that is rendered again really changes, and nothing else does: three windows through the real planner,
// core and engine, and the bits of their latents and frames compared.
#include <gtest/gtest.h>

#include <filesystem>

#include "scheduler/core/state/retention.h"
#include "scheduler/plan/plan.h"
#include "storage/records/noise.h"
#include "tests/folders.h"
#include "tests/worker/model/tiny_model.h"
#include "tools/render/local_farm.h"
#include "worker/engine/payload.h"

namespace rushes::tools {
namespace {

namespace fs = std::filesystem;
namespace sched = rushes::scheduler;

constexpr const char* kShot = R"(version: 1
show: test
shots:
  - name: sh010
    prompt: a red ball
    model: tiny
    frames: 65
    seeds: [5]
    sampling: {steps: 2}
    budget: {windows: 0}
    critics: {light: {revise: 0}, freeze: {revise: 0}, exposure: {revise: 0}, flicker: {revise: 0}, seam: {revise: 0}}
)";

class Revision : public testing::Test {
 protected:
  Revision() {
    const auto model = worker::write_tiny_model(folder_.path() / "models" / "tiny", {33, {32, 32}});
    EXPECT_TRUE(model) << model.error().message;
    auto farm = LocalFarm::open({{folder_.path() / "models"},
                                 folder_.path() / "out",
                                 test::source_folder() / "config" / "colour" / "farm.ocio",
                                 folder_.path() / "artifacts",
                                 2,
                                 {},
                                 {0.0, 0.0}});
    EXPECT_TRUE(farm) << farm.error().message;
    farm_ = std::move(*farm);
    const auto batch = config::parse_batch(kShot, "revision.yaml", folder_.path());
    EXPECT_TRUE(batch) << batch.error().message;
    const Status submitted = farm_->submit(*batch);
    EXPECT_TRUE(submitted) << submitted.error().message;
    run();
  }

  void run() {
    for (bool more = true; more;) {
      const auto ran = farm_->step({});
      EXPECT_TRUE(ran) << ran.error().message;
      more = ran && *ran;
    }
  }

  const sched::Shot& shot() const { return farm_->state().shots[sched::ShotId(0)]; }
  const sched::Version& version(std::uint32_t number) const { return shot().take(1).versions[number]; }

  std::vector<std::byte> bytes_of(TaskId task, Role role) {
    auto store = worker::LocalArtifacts::open_folder(folder_.path() / "artifacts", std::uint64_t{1} << 40);
    for (const Output& output : farm_->state().task(task).result.outputs) {
      if (output.role != role) continue;
      const auto mapped = store->open(output.digest);
      EXPECT_TRUE(mapped) << mapped.error().message;
      return {mapped->bytes().begin(), mapped->bytes().end()};
    }
    ADD_FAILURE() << "task " << task.number() << " has no such output";
    return {};
  }

  // The largest difference of each frame between two versions, as decoded.
  std::vector<float> differences(std::uint32_t a, std::uint32_t b) {
    const auto first = bytes_of(version(a).graph.decode.front(), Role::kFrames);
    const auto second = bytes_of(version(b).graph.decode.front(), Role::kFrames);
    const auto left = worker::PixelReader::open(first, "a"), right = worker::PixelReader::open(second, "b");
    const worker::PixelBox& box = left->box();
    std::vector<float> result(static_cast<std::size_t>(box.frames), 0.0F);
    std::vector<float> row(static_cast<std::size_t>(box.width) * 3), other(row.size());
    for (int t = 0; t < box.frames; ++t)
      for (int y = 0; y < box.height; ++y) {
        left->read_row(t, y, 0, box.width, row.data());
        right->read_row(t, y, 0, box.width, other.data());
        float& worst = result[static_cast<std::size_t>(t)];
        for (std::size_t i = 0; i < row.size(); ++i) worst = std::max(worst, std::abs(row[i] - other[i]));
      }
    return result;
  }

  worker::TestFolder folder_;
  std::unique_ptr<LocalFarm> farm_;
};

TEST_F(Revision, OfTheMiddleWindowChangesItsFramesAndNoneBeforeIt) {
  const std::vector<Range>& windows = shot().spec.recipe.windows;
  ASSERT_EQ(windows.size(), 3u);
  ASSERT_EQ(shot().state, sched::ShotState::kReview) << shot().reason;
  const Status asked = farm_->ask(sched::event::Retry{1, "test/sh010", 1, {1}, "again", "ann"});
  ASSERT_TRUE(asked) << asked.error().message;
  run();
  ASSERT_TRUE(version(1).judged);

  const auto segments = shot().spec.recipe.draft.segments.size();
  const auto last_latents = [&](std::uint32_t number, std::size_t window) {
    return bytes_of(version(number).graph.denoise[window * segments + segments - 1], Role::kLatent);
  };
  EXPECT_EQ(last_latents(0, 0), last_latents(1, 0));
  EXPECT_NE(last_latents(0, 1), last_latents(1, 1));
  EXPECT_EQ(last_latents(0, 2), last_latents(1, 2));

  const std::vector<float> changed = differences(0, 1);
  const Range frames = sched::clip_frames(windows[1], shot().spec.grid);
  EXPECT_GE(renewed_frames(windows, std::vector<std::uint32_t>{1}).size(), 2u);
  for (int t = 0; t < static_cast<int>(changed.size()); ++t) {
    const float difference = changed[static_cast<std::size_t>(t)];
    if (t < frames.begin) {
      EXPECT_EQ(difference, 0.0F) << "frame " << t << " lies before the window";
    } else if (frames.contains(t)) {
      EXPECT_GT(difference, 0.0F) << "frame " << t << " lies in the window";
    }
  }
  // What is left of it behind the window is the decoder's memory.
}

TEST_F(Revision, OfSeveralSeedsAndPromptsComesBackAfterItLeft) {
  const std::size_t windows = shot().spec.recipe.windows.size(),
                    segments = shot().spec.recipe.draft.segments.size();
  ASSERT_GT(segments, 1u) << "else no window reads its neighbours";
  for (const auto& wish : {sched::event::Retry{1, "test/sh010", 1, {1}, "", "ann", 77, "a blue cube"},
                           sched::event::Retry{2, "test/sh010", 1, {2}, "", "ann", 78}}) {
    const Status asked = farm_->ask(wish);
    ASSERT_TRUE(asked) << asked.error().message;
    run();
  }
  ASSERT_TRUE(farm_->ask(sched::event::CollectGarbage{3}));
  ASSERT_TRUE(sched::has_left(shot().take(1)));
  const Status asked = farm_->ask(sched::event::Retry{4, "test/sh010", 1, {}, "", "ann"});
  ASSERT_TRUE(asked) << asked.error().message;
  run();
  ASSERT_TRUE(version(3).judged);
  EXPECT_EQ(version(3).recipe_hash, version(2).recipe_hash);
  for (std::size_t w = 0; w < windows; ++w) {
    const std::size_t last = w * segments + segments - 1;
    EXPECT_NE(version(3).graph.denoise[last], version(2).graph.denoise[last]) << "it is rendered";
    EXPECT_EQ(bytes_of(version(3).graph.denoise[last], Role::kLatent),
              bytes_of(version(2).graph.denoise[last], Role::kLatent))
        << "window " << w;
  }
  EXPECT_EQ(bytes_of(version(3).graph.decode.front(), Role::kFrames),
            bytes_of(version(2).graph.decode.front(), Role::kFrames));
  const std::vector<float> changed = differences(0, 3);
  EXPECT_GT(*std::max_element(changed.begin(), changed.end()), 0.0F) << "of more than the first seed";
}

TEST_F(Revision, WithTheSeedOfBeforeIsRefusedAndAnotherPromptIsNot) {
  const Status same = farm_->ask(sched::event::Retry{1, "test/sh010", 1, {1}, "", "ann", 5});
  ASSERT_FALSE(same);
  EXPECT_NE(same.error().message.find("nothing would change"), std::string::npos) << same.error().message;
  const Status other = farm_->ask(sched::event::Retry{1, "test/sh010", 1, {}, "", "ann", 5, "a blue cube"});
  ASSERT_TRUE(other) << other.error().message;
  run();
  ASSERT_TRUE(version(1).judged);
  const std::vector<float> changed = differences(0, 1);
  EXPECT_GT(*std::max_element(changed.begin(), changed.end()), 0.0F) << "the prompt is heard";
}

}  // namespace
}  // namespace rushes::tools
