// A whole model on a CUDA device in software: from a prompt to pixels as on the CPU, the same bits whatever the order of
// threads and streams, and a device's fault reaches whoever has to end the process.
#include <gmock/gmock.h>

#include <cmath>

#include "config/schedule.h"
#include "kernels/cuda/cuda_backend.h"
#include "kernels/layout.h"
#include "tests/kernels/emulator/software_device.h"
#include "tests/kernels/support.h"
#include "tests/worker/model/tiny_model.h"
#include "worker/model/model.h"
#include "worker/model/sampler.h"

namespace rushes::worker {
namespace {

using emulator::SoftwareDevice;
using emulator::SoftwareOptions;
using kernels::Precision;

class CudaModel : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = new TestFolder;
    auto manifest = write_tiny_model(folder_->path() / "tiny", {9, {32, 32}, config::VaeForm::kWan22, 64});
    ASSERT_TRUE(manifest) << manifest.error().message;
    manifest_ = new config::ModelManifest(*manifest);
  }
  static void TearDownTestSuite() {
    delete manifest_;
    delete folder_;
  }

  // Latents and pixels of a prompt, nine frames.
  static std::vector<float> render(kernels::Backend& compute, kernels::Backend& pixels) {
    auto model = Model::open(*manifest_, compute, pixels);
    EXPECT_TRUE(model) << model.error().message;
    const auto prompt = *(*model)->encode_text("a red ball"), null = *(*model)->encode_text("");
    Volume latent = Volume::zeros(4, 3, 2, 2);
    for (std::size_t i = 0; i < latent.values.size(); ++i)
      latent.values[i] = std::sin(static_cast<float>(i) * 2.3f);
    Steps& steps = **(*model)->begin_steps(latent.shape(), Volume::zeros(8, 3, 2, 2), prompt, &null);
    const kernels::Tensor x = steps.latent;
    kernels::write_values(compute, latent.values, x);
    Sampler sampler(compute, manifest_->draft.sampler, *config::make_schedule(manifest_->draft), x.shape());
    while (!sampler.done()) {
      const auto velocity = (*model)->velocity(steps, sampler.timestep(), 2.0f);
      EXPECT_TRUE(velocity) << velocity.error().message;
      EXPECT_TRUE(velocity && sampler.step(x, *velocity));
    }
    latent.values = kernels::read_values(compute, x);
    (*model)->end_steps();
    const auto video = (*model)->vae().decode(latent);
    EXPECT_TRUE(video) << video.error().message;
    std::vector<float> values = latent.values;
    values.insert(values.end(), video->values.begin(), video->values.end());
    return values;
  }

  struct Backends {
    Backends(SoftwareDevice& device, Precision precision)
        : compute(kernels::cuda::make_cuda_backend(&device, {0, precision})),
          pixels(kernels::cuda::make_cuda_backend(&device, {0, Precision::kF32})) {}
    std::unique_ptr<kernels::Backend> compute, pixels;
  };
  static std::vector<float> render_on(SoftwareDevice& device, Precision precision) {
    const Backends backends(device, precision);
    return render(*backends.compute, *backends.pixels);
  }

  static std::vector<float> render_on_cpu(Precision precision) {
    const auto compute = kernels::make_cpu_backend({1, precision}),
               pixels = kernels::make_cpu_backend({1, Precision::kF32});
    return render(*compute, *pixels);
  }

  static TestFolder* folder_;
  static config::ModelManifest* manifest_;
};
TestFolder* CudaModel::folder_ = nullptr;
config::ModelManifest* CudaModel::manifest_ = nullptr;

TEST_F(CudaModel, RendersWhatTheCpuRenders) {
  for (const auto& [precision, near] : {std::pair{Precision::kF32, 2e-5}, {Precision::kBf16, 3e-2}}) {
    std::vector<float> first;
    for (const std::uint64_t seed : {1, 2}) {
      SoftwareDevice device({.seed = seed});
      const std::vector<float> values = render_on(device, precision);
      EXPECT_EQ(device.fault(), "");
      if (first.empty()) first = values;
      EXPECT_TRUE(kernels::same_bits(values, first)) << "another order of threads";
    }
    const double apart = kernels::distance(first, render_on_cpu(precision));
    std::printf("[ measured ] %s: %.2e from the CPU\n", precision == Precision::kF32 ? "fp32" : "bf16",
                apart);
    EXPECT_LE(apart, near);
  }
}

// Nothing waits for the device from the first step to the last but the question whether to stop, which is asked before
// each block and waits for the block before the last one only.
TEST_F(CudaModel, StepsWaitForNothing) {
  SoftwareDevice device;
  const Backends backends(device, Precision::kBf16);
  auto model = Model::open(*manifest_, *backends.compute, *backends.pixels);
  ASSERT_TRUE(model) << model.error().message;
  const auto prompt = *(*model)->encode_text("a red ball");
  Steps& steps = **(*model)->begin_steps({4, 3, 2, 2}, Volume::zeros(8, 3, 2, 2), prompt, &prompt);
  const kernels::Tensor x = steps.latent;
  backends.compute->fill_noise(x, std::vector<kernels::NoiseSource>(3), {});
  Sampler sampler(*backends.compute, config::Sampler::kUniPc, *config::make_schedule(manifest_->draft),
                  x.shape());
  const auto step = [&](const StopCheck& stop) {
    const auto velocity = (*model)->velocity(steps, sampler.timestep(), 2.0f, stop);
    ASSERT_TRUE(velocity && sampler.step(x, *velocity));
  };
  step({});
  backends.compute->synchronize();
  const std::int64_t before = device.synchronizations();
  const std::int64_t launched = device.launches();
  step({});
  EXPECT_EQ(device.launches(), launched) << "it waited for the device";
  std::vector<std::int64_t> heard;
  step([&] {
    heard.push_back(device.launches());
    return false;
  });
  EXPECT_EQ(device.synchronizations(), before);
  const auto asked = 2 * static_cast<std::size_t>((*model)->transformer().sizes().layers);
  ASSERT_EQ(heard.size(), asked);
  for (std::size_t i = 2; i < asked; ++i) EXPECT_GT(heard[i], heard[i - 1]) << "block " << i;
  backends.compute->synchronize();
  EXPECT_GT(device.launches(), heard.back());
  EXPECT_EQ(device.fault(), "");
}

// A task finds what the one before it recorded, where it has the same size: no part of a step is queued by hand again, the
// device is asked for no memory, and the numbers are those of a model that begins anew.
TEST_F(CudaModel, TasksOfOneSizeShareTheirSteps) {
  const auto denoise = [](Model& model, const char* text, std::int64_t frames) {
    const auto prompt = *model.encode_text(text), null = *model.encode_text("");
    Steps& steps = **model.begin_steps({4, frames, 2, 2}, Volume::zeros(8, frames, 2, 2), prompt, &null);
    model.compute().fill_noise(steps.latent,
                               std::vector<kernels::NoiseSource>(static_cast<std::size_t>(frames)), {});
    Sampler sampler(model.compute(), config::Sampler::kUniPc, *config::make_schedule(manifest_->draft),
                    steps.latent.shape());
    while (!sampler.done()) {
      const auto velocity = model.velocity(steps, sampler.timestep(), 2.0f);
      EXPECT_TRUE(velocity && sampler.step(steps.latent, *velocity));
    }
    return kernels::read_values(model.compute(), steps.latent);
  };
  const auto alone = [&](const char* text, std::int64_t frames) {
    SoftwareDevice device;
    const Backends backends(device, Precision::kBf16);
    return denoise(**Model::open(*manifest_, *backends.compute, *backends.pixels), text, frames);
  };
  const auto ball = alone("a red ball", 3), box = alone("a blue box", 3), shorter = alone("a red ball", 2);

  SoftwareDevice device;
  const Backends backends(device, Precision::kBf16);
  auto model = Model::open(*manifest_, *backends.compute, *backends.pixels);
  ASSERT_TRUE(model) << model.error().message;
  EXPECT_TRUE(kernels::same_bits(denoise(**model, "a red ball", 3), ball));
  const std::int64_t allocations = device.allocations(), replays = device.graph_launches();
  EXPECT_TRUE(kernels::same_bits(denoise(**model, "a blue box", 3), box));
  EXPECT_EQ(device.allocations(), allocations);
  const auto schedule = *config::make_schedule(manifest_->draft);
  const auto parts = 2 * (*model)->transformer().sizes().layers;
  EXPECT_EQ(device.graph_launches() - replays, parts * static_cast<std::int64_t>(schedule.timesteps.size()));
  EXPECT_TRUE(kernels::same_bits(denoise(**model, "a red ball", 2), shorter)) << "another size";
  EXPECT_EQ(device.fault(), "");
}

// Wherever the device falls off the bus: never an Error, which an engine would outlive.
TEST_F(CudaModel, PassesOnThatTheDeviceIsGone) {
  SoftwareDevice whole;
  (void)render_on(whole, Precision::kBf16);
  constexpr std::int64_t kPlaces = 12;
  for (std::int64_t place = 1; place <= kPlaces; ++place) {
    SoftwareDevice device({.vanish_at = whole.launches() * place / kPlaces});
    try {
      (void)render_on(device, Precision::kBf16);
      ADD_FAILURE() << "place " << place << ": nobody heard of it";
    } catch (const kernels::cuda::DeviceFault& fault) {
      EXPECT_THAT(fault.what(), testing::HasSubstr("cudaErrorNoDevice (100)")) << place;
    }
  }
}

// Memory for the backends alone, and for a part of the work.
TEST_F(CudaModel, PassesOnThatMemoryIsExhausted) {
  SoftwareDevice whole;
  const Backends all(whole, Precision::kBf16);
  const std::size_t opened = all.compute->memory().peak_bytes;
  (void)render(*all.compute, *all.pixels);
  const std::size_t most = all.compute->memory().peak_bytes;
  for (std::size_t quarters = 0; quarters < 4; ++quarters) {
    SoftwareDevice device({.memory_bytes = opened + (most - opened) * quarters / 4});
    const Backends backends(device, Precision::kBf16);
    EXPECT_THROW((void)render(*backends.compute, *backends.pixels), std::bad_alloc) << quarters;
    EXPECT_EQ(device.fault(), "");
  }
}

}  // namespace
}  // namespace rushes::worker
