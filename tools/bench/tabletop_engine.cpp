#include "tools/bench/tabletop_engine.h"

#include <utility>

#include "config/schedule.h"
#include "kernels/layout.h"
#include "worker/model/sampler.h"

namespace rushes::bench {

Result<std::unique_ptr<TabletopEngine>> TabletopEngine::open(const std::filesystem::path& manifest,
                                                             int threads) {
  auto read = config::read_model(manifest);
  if (!read) return tl::unexpected(read.error());
  if (const auto intact = config::verify_digests(*read); !intact) return tl::unexpected(intact.error());
  if (read->working_space != config::WorkingSpace::kAcescct) {
    return fail(ErrorKind::kInvalid,
                manifest.string() + ": working_space: expected acescct, which Tabletop is trained in");
  }
  std::unique_ptr<TabletopEngine> engine(new TabletopEngine(std::move(*read)));
  engine->sampling_ = engine->manifest_.draft;
  kernels::BackendOptions backend{.precision = kernels::Precision::kBf16, .threads = threads};
  auto compute = kernels::make_backend(backend);
  if (!compute) return tl::unexpected(compute.error());
  backend.precision = kernels::Precision::kF32;
  auto pixels = kernels::make_backend(backend);
  if (!pixels) return tl::unexpected(pixels.error());
  engine->compute_ = std::move(*compute);
  engine->pixels_ = std::move(*pixels);
  auto model = worker::Model::open(engine->manifest_, *engine->compute_, *engine->pixels_);
  if (!model) return tl::unexpected(model.error());
  engine->model_ = std::move(*model);
  return engine;
}

Result<scene::Clip> TabletopEngine::make(const std::string& caption, std::uint64_t seed) {
  const auto& stride = manifest_.vae.stride;
  const std::int64_t channels = model_->latent_channels(), frames = manifest_.latent_frames(manifest_.frames);
  const std::int64_t rows = manifest_.size.height / stride[1], columns = manifest_.size.width / stride[2];
  worker::Volume condition;
  if (model_->takes_condition()) condition = worker::Volume::zeros(4 + channels, frames, rows, columns);

  auto prompt = model_->encode_text(caption), null = model_->encode_text(manifest_.negative_prompt);
  auto schedule = config::make_schedule(sampling_);
  if (!prompt) return tl::unexpected(prompt.error());
  if (!null) return tl::unexpected(null.error());
  if (!schedule) return tl::unexpected(schedule.error());
  auto steps = model_->begin_steps({channels, frames, rows, columns}, condition, *prompt, &*null);
  if (!steps) return tl::unexpected(steps.error());
  const kernels::Tensor latent = (*steps)->latent;
  compute_->fill_noise(latent,
                       std::vector(static_cast<std::size_t>(frames), kernels::NoiseSource{seed, 0, 0}), {});
  worker::Sampler sampler(*compute_, sampling_.sampler, *schedule, latent.shape());
  while (!sampler.done()) {
    auto velocity = model_->velocity(**steps, sampler.timestep(), static_cast<float>(sampling_.guidance));
    if (!velocity) return tl::unexpected(velocity.error());
    if (const auto stepped = sampler.step(latent, *velocity); !stepped)
      return tl::unexpected(stepped.error());
  }
  const auto values = kernels::read_values(*compute_, latent);
  model_->end_steps();
  auto video = model_->vae().decode({channels, frames, rows, columns, values});
  if (!video) return tl::unexpected(video.error());

  scene::Clip clip{
      static_cast<int>(video->frames), static_cast<int>(video->rows), static_cast<int>(video->columns), {}};
  clip.light.resize(3 * static_cast<std::size_t>(video->frames * video->rows * video->columns));
  for (int f = 0; f < clip.frames; ++f) {
    for (int y = 0; y < clip.height; ++y) {
      for (int x = 0; x < clip.width; ++x) {
        for (int c = 0; c < 3; ++c) {
          clip.pixel(f, y, x)[c] =
              scene::acescct_decode(0.5f * (video->values[video->offset(c, f, y, x)] + 1.0f));
        }
      }
    }
  }
  return clip;
}

}  // namespace rushes::bench
