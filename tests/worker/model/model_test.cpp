// A model folder as a whole: from a prompt to pixels, and refused where its parts contradict each other.
#include "worker/model/model.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>

#include "config/schedule.h"
#include "kernels/layout.h"
#include "tests/folders.h"
#include "tests/worker/model/tiny_model.h"
#include "worker/model/sampler.h"

namespace rushes::worker {
namespace {

class ModelFolder : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = temporary_.path() / "tiny";
    auto manifest = write_tiny_model(folder_);
    ASSERT_TRUE(manifest) << manifest.error().message;
    manifest_ = *manifest;
    backend_ = kernels::make_cpu_backend({1, kernels::Precision::kF32});
  }
  std::string error(const config::ModelManifest& manifest) {
    auto model = Model::open(manifest, *backend_, *backend_);
    return model ? "" : model.error().message;
  }
  void overwrite(const std::string& file, const RandomTensors& weights) {
    const auto bytes = weights.bytes();
    std::ofstream out(folder_ / file, std::ios::binary);
    out.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  }
  TestFolder temporary_;
  std::filesystem::path folder_;
  config::ModelManifest manifest_;
  std::unique_ptr<kernels::Backend> backend_;
};

// Prompt to pixels in few steps; the same bits with one thread and with three.
TEST_F(ModelFolder, RendersTheSamePixelsWithAnyNumberOfThreads) {
  const auto render = [&](int threads) {
    const auto compute = kernels::make_cpu_backend({threads, kernels::Precision::kBf16});
    const auto pixels = kernels::make_cpu_backend({threads, kernels::Precision::kF32});
    auto model = Model::open(manifest_, *compute, *pixels);
    EXPECT_TRUE(model) << model.error().message;
    const auto prompt = *(*model)->encode_text("a red ball"), null = *(*model)->encode_text("");
    Volume latent = Volume::zeros(4, 3, 2, 2);
    for (std::size_t i = 0; i < latent.values.size(); ++i)
      latent.values[i] = std::sin(static_cast<float>(i) * 2.3f);
    Steps& steps = **(*model)->begin_steps(latent.shape(), Volume::zeros(8, 3, 2, 2), prompt, &null);
    const kernels::Tensor x = steps.latent;
    kernels::write_values(*compute, latent.values, x);
    Sampler sampler(*compute, manifest_.draft.sampler, *config::make_schedule(manifest_.draft), x.shape());
    while (!sampler.done()) {
      auto v = (*model)->velocity(steps, sampler.timestep(), 2.0f);
      EXPECT_TRUE(v) << v.error().message;
      EXPECT_TRUE(sampler.step(x, *v));
    }
    latent.values = kernels::read_values(*compute, x);
    auto video = (*model)->vae().decode(latent);
    EXPECT_EQ(video->shape(), (std::vector<std::int64_t>{3, 9, 32, 32}));
    return video->values;
  };
  const auto one = render(1);
  EXPECT_EQ(one, render(3));
  for (float value : one) ASSERT_TRUE(std::isfinite(value));
}

TEST_F(ModelFolder, RefusesContradictions) {
  EXPECT_EQ(error(manifest_), "");
  config::ModelManifest changed = manifest_;
  changed.vae.stride = {4, 8, 8};
  EXPECT_NE(error(changed).find("vae.stride in space: expected 8, the weights have 16"), std::string::npos);
  changed = manifest_;
  changed.conditioning = config::Conditioning::kNone;
  EXPECT_NE(error(changed).find("expected 4, the weights have 12"), std::string::npos);
  changed = manifest_;
  changed.text_heads = 7;
  EXPECT_NE(error(changed).find("text_heads: expected 7, the weights have 2"), std::string::npos);
  changed = manifest_;
  changed.head_dim = 10;
  EXPECT_NE(error(changed).find("head width 10"), std::string::npos);
  changed = manifest_;
  changed.files["vae"].path = folder_ / "gone.safetensors";
  EXPECT_NE(error(changed).find("gone.safetensors: cannot open"), std::string::npos);
  overwrite("vae.safetensors", random_vae({false, 4, 4, 4, 1}));
  EXPECT_NE(error(manifest_).find("the weights have 8"), std::string::npos);
}

TEST_F(ModelFolder, RefusesLatentsThatDoNotFit) {
  auto model = Model::open(manifest_, *backend_, *backend_);
  ASSERT_TRUE(model) << model.error().message;
  const auto prompt = *(*model)->encode_text("x");
  const auto begin = [&](kernels::Shape latent, const Volume& condition) {
    return (*model)->begin_steps(latent, condition, prompt, nullptr);
  };
  EXPECT_TRUE((*model)->takes_condition());
  EXPECT_FALSE(begin({4, 1, 2, 2}, Volume{}));
  EXPECT_FALSE(begin({4, 1, 2, 2}, Volume::zeros(7, 1, 2, 2)));
  EXPECT_FALSE(begin({4, 1, 2, 2}, Volume::zeros(8, 1, 2, 4)));
  EXPECT_FALSE(begin({4, 1, 2, 3}, Volume::zeros(8, 1, 2, 3)));  // no multiple of the patch
  EXPECT_FALSE(begin({3, 1, 2, 2}, Volume::zeros(8, 1, 2, 2)));
  EXPECT_FALSE((*model)->begin_steps({4, 1, 2, 2}, Volume::zeros(8, 1, 2, 2), {1, 3, {1, 2, 3}}, nullptr));
  const auto steps = begin({4, 1, 2, 2}, Volume::zeros(8, 1, 2, 2));
  ASSERT_TRUE(steps);
  backend_->fill((*steps)->latent, 0.0f);
  EXPECT_TRUE((*model)->velocity(**steps, 1.0f, 1.0f));
  EXPECT_FALSE((*model)->encode_text("\xff"));
}

// What ships must open: files as their digests say, weights as the manifest says.
TEST(ShippedModels, OpenAsTheirManifestsSay) {
  const std::filesystem::path root = test::source_folder() / "config" / "models";
  const auto backend = kernels::make_cpu_backend({1, kernels::Precision::kF32});
  for (const std::string& name : config::list_models({root})) {
    const auto manifest = config::find_model(name, {root});
    ASSERT_TRUE(manifest) << manifest.error().message;
    const auto digests = config::verify_digests(*manifest);
    EXPECT_TRUE(digests) << digests.error().message;
    const auto model = Model::open(*manifest, *backend, *backend);
    EXPECT_TRUE(model) << model.error().message;
  }
}

}  // namespace
}  // namespace rushes::worker
