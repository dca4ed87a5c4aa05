// Frames of every shape go from prompt to files, and cutting the decode into tiles changes no bit: the real
// planner, core and engine in this process, with models whose networks have tiny widths.
#include <gtest/gtest.h>

#include <filesystem>

#include "scheduler/plan/compose.h"
#include "scheduler/plan/recipe.h"
#include "tests/folders.h"
#include "tests/worker/model/tiny_model.h"
#include "tools/render/local_farm.h"
#include "worker/engine/payload.h"
#include "worker/picture/sequence.h"

namespace rushes::tools {
namespace {

namespace fs = std::filesystem;
namespace sched = rushes::scheduler;

constexpr int kFrames = 5;

struct Shape {
  const char* name;
  int width, height;
  config::VaeForm form;
  int scale;          // 1: the draft is looked at, else its upgrade
  std::size_t tiles;  // that are decoded
};
void PrintTo(const Shape& shape, std::ostream* out) { *out << shape.name; }

std::string shot_text(const std::string& more) {
  return "version: 1\nshow: test\nshots:\n  - name: sh010\n    prompt: a red ball\n    model: tiny\n    "
         "frames: " +
         std::to_string(kFrames) +
         "\n    seeds: [5]\n    approve: best\n    sampling: {steps: 1}\n    budget: {windows: 0}\n"
         "    critics: {light: {revise: 0}, freeze: {revise: 0}, exposure: {revise: 0}, "
         "flicker: {revise: 0}, seam: {revise: 0}}\n" +
         more;
}

class Sizes : public testing::TestWithParam<Shape> {
 protected:
  fs::path models() const { return folder_.path() / "models"; }
  fs::path artifacts() const { return folder_.path() / "artifacts"; }
  fs::path deliveries() const { return folder_.path() / "out"; }
  fs::path colour() const { return test::source_folder() / "config" / "colour" / "farm.ocio"; }

  // Renders the shot to its end; null after a failure.
  std::unique_ptr<LocalFarm> render(const std::string& text) {
    auto farm = LocalFarm::open({{models()}, deliveries(), colour(), artifacts(), 2});
    EXPECT_TRUE(farm) << farm.error().message;
    const auto batch = config::parse_batch(text, "sizes.yaml", folder_.path());
    EXPECT_TRUE(batch) << batch.error().message;
    if (!farm || !batch) return nullptr;
    const Status submitted = (*farm)->submit(*batch);
    EXPECT_TRUE(submitted) << submitted.error().message;
    for (bool more = static_cast<bool>(submitted); more;) {
      const auto ran = (*farm)->step({});
      EXPECT_TRUE(ran) << ran.error().message;
      more = ran && *ran;
    }
    return std::move(*farm);
  }

  // Why tasks failed, a line each.
  static std::string failures(const sched::State& state) {
    std::string text;
    for (const sched::Task& task : state.tasks)
      for (const auto& attempt : task.bad_attempts) text += attempt.message + "\n";
    return text;
  }

  // The pixels of `decode`, made again as one tile that is the whole frame.
  Result<worker::Clip> decode_whole(const sched::State& state, const sched::Task& decode) {
    const sched::ShotSpec& spec = state.shots[decode.shot].spec;
    const sched::Take& take = state.shots[decode.shot].takes[0];
    auto recipe = decode_recipe(decode.plan.level == 0 ? take.versions[0].recipe : take.master_recipe);
    if (!recipe) return tl::unexpected(recipe.error());
    recipe->decode_tiles.clear();
    const int scale = recipe->master.scale;
    recipe->master.decode_tiles = {
        {0, 0, recipe->height / spec.grid.stride_y * scale, recipe->width / spec.grid.stride_x * scale}};
    const Bytes bytes = encode_recipe(*recipe);
    sched::PlannedTask whole = decode.plan;
    whole.tile = 0;
    std::vector<sched::Made> made;
    for (const sched::Dependency& need : whole.needs) {
      const sched::Task& maker = state.tasks[need.task];
      made.push_back({&maker.plan, &maker.result.outputs});
    }
    const std::string description = encode_task(sched::compose({&spec, &whole, &bytes, made, ""}));
    auto task = worker::read_task(description);
    if (!task) return tl::unexpected(task.error());
    auto store = worker::LocalArtifacts::open_folder(artifacts(), std::uint64_t{1} << 40);
    if (!store) return tl::unexpected(store.error());
    auto engine = worker::Models::open({.model_roots = {models()}, .threads = 2});
    if (!engine) return tl::unexpected(engine.error());
    std::filesystem::create_directories(deliveries());
    worker::StageContext context{*store, *engine, deliveries(), colour(), {}, {}};
    auto outcome = worker::run_task(*task, context);
    if (!outcome) return tl::unexpected(outcome.error());
    auto mapped = store->open(outcome->outputs.front().digest);
    if (!mapped) return tl::unexpected(mapped.error());
    const auto reader = worker::PixelReader::open(mapped->bytes(), "whole frame");
    if (!reader) return tl::unexpected(reader.error());
    const worker::PixelBox& box = reader->box();
    worker::Clip clip(box.width, box.height, box.frames, box.fps);
    for (int t = 0; t < box.frames; ++t)
      for (int y = 0; y < box.height; ++y) reader->read_row(t, y, 0, box.width, clip.at(t, y, 0));
    return clip;
  }

  worker::TestFolder folder_;
};

TEST_P(Sizes, EveryTileIsDecodedAsInTheWholeFrame) {
  const Shape& shape = GetParam();
  const auto model =
      worker::write_tiny_model(models() / "tiny", {9, {shape.width, shape.height}, shape.form});
  ASSERT_TRUE(model) << model.error().message;
  const bool upgraded = shape.scale > 1;
  const auto farm =
      render(shot_text(upgraded ? "    upgrade: {scale: " + std::to_string(shape.scale) + "}\n" : ""));
  ASSERT_TRUE(farm);
  const sched::State& state = farm->state();
  ASSERT_EQ(state.shots[scheduler::ShotId(0)].state, sched::ShotState::kDelivered)
      << state.shots[scheduler::ShotId(0)].reason << failures(state);
  const sched::Take& take = state.shots[scheduler::ShotId(0)].takes[0];
  const std::vector<TaskId>& decode = upgraded ? take.upgrade.decode : take.versions[0].graph.decode;
  EXPECT_EQ(decode.size(), shape.tiles);

  const fs::path folder = deliveries() / "test" / "sh010" / (upgraded ? "master" : "draft") / "v001";
  const auto files = worker::load_sequence(folder.string());
  ASSERT_TRUE(files) << files.error().message;
  EXPECT_EQ(files->clip.width, shape.width * shape.scale);
  EXPECT_EQ(files->clip.height, shape.height * shape.scale);
  EXPECT_EQ(files->clip.frames, kFrames);
  const auto whole = decode_whole(state, state.tasks[decode[0]]);
  ASSERT_TRUE(whole) << whole.error().message;
  EXPECT_TRUE(whole->pixels == files->clip.pixels) << "a tile differs from the whole frame";
}

constexpr auto kWan21 = config::VaeForm::kWan21, kWan22 = config::VaeForm::kWan22;
INSTANTIATE_TEST_SUITE_P(
    Drafts, Sizes,
    testing::Values(Shape{"wide", 544, 32, kWan22, 1, 2}, Shape{"tall", 32, 1056, kWan22, 1, 3},
                    Shape{"square", 544, 544, kWan22, 1, 4}, Shape{"landscape480", 832, 480, kWan22, 1, 2},
                    Shape{"portrait480", 480, 832, kWan21, 1, 2},
                    Shape{"landscape720", 1280, 720, kWan21, 1, 6}, Shape{"small", 64, 96, kWan21, 1, 1}),
    [](const auto& one) { return std::string(one.param.name); });
INSTANTIATE_TEST_SUITE_P(Masters, Sizes,
                         testing::Values(Shape{"wide", 288, 32, kWan22, 4, 3},
                                         Shape{"tall", 32, 288, kWan22, 2, 2},
                                         Shape{"square", 288, 288, kWan22, 2, 4}),
                         [](const auto& one) { return std::string(one.param.name); });

}  // namespace
}  // namespace rushes::tools
