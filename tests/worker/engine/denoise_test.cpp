// A window's steps cut into segments: what a solver remembers goes from one task to the next through an artifact, and
// no bit of the latent changes, on the CPU and on a CUDA device in software.
#include <cmath>

#include "config/schedule.h"
#include "tests/kernels/emulator/software_device.h"
#include "tests/worker/engine/stage_test.h"

namespace rushes::worker {
namespace {

constexpr int kSteps = 4, kTextDim = 16;

class Denoise : public StageTest {
 protected:
  Task task(config::Sampler sampler, const std::vector<Range>& segments, int segment) {
    Task task = make(Stage::kDenoise, 9, 64, 32);
    const auto schedule = *config::make_schedule({sampler, kSteps, 5.0, 2.0, 1.0});
    task.recipe.draft = {sampler, schedule.sigmas, schedule.timesteps, 2.0F, segments};
    task.segment = segment;
    Conditioning conditioning{
        kTextDim, std::vector<float>(3 * kTextDim), std::vector<float>(kTextDim), {}, {}};
    for (std::size_t i = 0; i < conditioning.context.size(); ++i)
      conditioning.context[i] = std::sin(static_cast<float>(i));
    add_input(task, *artifacts_->put(Role::kConditioning, *write_conditioning(conditioning)), 0);
    return task;
  }

  // The last segment's output.
  Output denoise(config::Sampler sampler, const std::vector<Range>& segments) {
    std::optional<Output> last;
    for (int segment = 0; segment < static_cast<int>(segments.size()); ++segment) {
      Task next = task(sampler, segments, segment);
      if (last) add_input(next, *last, 0);
      const TaskResult result = run(next);
      EXPECT_EQ(result.outputs.size(), 1U);
      last = result.outputs.empty() ? Output{} : result.outputs.front();
    }
    return *last;
  }

  std::vector<float> values(const Output& output) {
    const auto mapped = artifacts_->open(output.digest);
    const auto view = read_latents(mapped->bytes(), "latent");
    EXPECT_TRUE(view) << view.error().message;
    EXPECT_TRUE(view->preview.empty());
    EXPECT_TRUE(view->history.empty());
    return {view->values.begin(), view->values.end()};
  }

  // Latents of every solver, each the same however its steps are cut.
  std::vector<float> latents() {
    std::vector<float> all;
    for (const auto sampler : {config::Sampler::kEuler, config::Sampler::kUniPc, config::Sampler::kDpmPp}) {
      const Output whole = denoise(sampler, {{0, kSteps}});
      for (const std::vector<Range>& cut :
           {std::vector<Range>{{0, 1}, {1, kSteps}}, {{0, 2}, {2, 3}, {3, kSteps}}})
        EXPECT_EQ(to_hex(denoise(sampler, cut).digest), to_hex(whole.digest)) << config::to_string(sampler);
      const std::vector<float> one = values(whole);
      all.insert(all.end(), one.begin(), one.end());
    }
    return all;
  }
};

TEST_F(Denoise, SegmentsChangeNoBit) {
  const std::vector<float> cpu = latents();
  static emulator::SoftwareDevice device;
  kernels::cuda::install(&device);
  auto models = Models::open({.model_roots = {folder_.path() / "models"}, .backend = config::Backend::kCuda});
  ASSERT_TRUE(models) << models.error().message;
  models_.emplace(std::move(*models));
  const std::vector<float> gpu = latents();
  EXPECT_EQ(device.fault(), "");
  double difference = 0, norm = 0;
  for (std::size_t i = 0; i < cpu.size(); ++i) {
    difference += std::pow(static_cast<double>(gpu[i]) - static_cast<double>(cpu[i]), 2);
    norm += std::pow(static_cast<double>(cpu[i]), 2);
  }
  EXPECT_LE(std::sqrt(difference / norm), 3e-2);  // transformer in bf16
  EXPECT_GT(norm, 0);
}

// What a segment leaves for a person to look at, and for the next one.
TEST_F(Denoise, LeavesPreviewAndHistory) {
  const TaskResult result = run(task(config::Sampler::kUniPc, {{0, 2}, {2, kSteps}}, 0));
  ASSERT_EQ(result.outputs.size(), 1U);
  const auto mapped = artifacts_->open(result.outputs.front().digest);
  const auto view = read_latents(mapped->bytes(), "latent");
  ASSERT_TRUE(view) << view.error().message;
  EXPECT_EQ(view->step, 2);
  ASSERT_EQ(view->history.size(), 3U);
  // What the solver predicts of the clean latent is what the preview shows.
  const auto& newest = view->history.at("x0.1");
  EXPECT_TRUE(std::equal(newest.begin(), newest.end(), view->preview.begin(), view->preview.end()));
}

}  // namespace
}  // namespace rushes::worker
