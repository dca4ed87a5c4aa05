// denoise and refine: one segment of steps on one window (and tile).
//
// Latent, velocity and the solver's history stay on the model's backend from the first step to the last.
//
// A segment starts from what its window and the overlapping neighbours held at the checkpoint before, blended
// (blend.h); the first segment of a draft starts from noise, that of a master from the guide brought to the
// first sigma. A solver's history is blended like the latent itself, because it is made of predictions of the
// same place.
#include <algorithm>

#include "kernels/layout.h"
#include "storage/records/noise.h"
#include "worker/engine/stages.h"

namespace rushes::worker {
namespace {

constexpr float kGuideMask =
    0.5F;  // "the condition is a low-resolution guide": what Tabletop is trained with
constexpr int kMaskChannels = 4;

// Level, frame and seed of a take decide the noise at a place; noise [C, T, h, w] over the region.
void fill_noise(kernels::Backend& backend, const Task& task, const Region& region,
                const kernels::Tensor& noise) {
  const auto coordinate = [](int value) { return static_cast<std::uint32_t>(value); };
  std::vector<kernels::NoiseSource> frames;
  for (int t = region.t.begin; t < region.t.end; ++t)
    frames.push_back({noise_seed(task.recipe, t), coordinate(task.level), 0});
  backend.fill_noise(noise, frames,
                     {0, coordinate(region.t.begin), coordinate(region.rect.y), coordinate(region.rect.x)});
}

// The guide of a master over a region.
Result<std::vector<float>> guide_of(const Task& task, StageContext& context, const Region& region,
                                    int channels) {
  auto guides = load_latents(task, context, channels, Role::kGuide);
  if (!guides) return tl::unexpected(guides.error());
  if (guides->size() != 1) return fail(ErrorKind::kInvalid, "expected one input \"guide\"");
  const LatentView& guide = guides->front().view;
  return cut(region, channels, {guide.region, guide.values});
}

// What the first step of a take starts from, into `latent`.
Status first_latent(kernels::Backend& backend, const Task& task, StageContext& context, const Region& region,
                    const kernels::Tensor& latent) {
  if (task.level == 0) {
    fill_noise(backend, task, region, latent);
    return {};
  }
  auto guide = guide_of(task, context, region, static_cast<int>(latent.dim(0)));
  if (!guide) return tl::unexpected(guide.error());
  const kernels::Tensor noise = backend.empty(kernels::DType::kF32, latent.shape());
  fill_noise(backend, task, region, noise);
  kernels::write_values(backend, *guide, latent);
  add_noise(backend, latent, noise, task.sampling().sigmas.front());
  return {};
}

struct Start {
  std::vector<float> values;
  SamplerState sampler;
};

// Where a later segment goes on.
Result<Start> blended_start(const Task& task, StageContext& context, const Region& region,
                            const TakeVolume& volume, int step) {
  auto inputs = load_latents(task, context, volume.channels);
  if (!inputs) return tl::unexpected(inputs.error());
  const LatentView* own = nullptr;
  std::vector<Part> parts;
  for (const LatentInput& input : *inputs) {
    if (input.view.region == region) own = &input.view;
    parts.push_back({input.view.region, input.view.values});
  }
  if (!own) return fail(ErrorKind::kInvalid, "the window's own latents are not among the inputs");
  auto values = blend(region, volume.whole, volume.channels, parts);
  if (!values) return tl::unexpected(values.error());
  Start start{std::move(*values), {step, own->order, {}}};
  for (const auto& [name, ignored] : own->history) {
    std::vector<Part> history;
    for (const LatentInput& input : *inputs) {
      const auto found = input.view.history.find(name);
      if (found == input.view.history.end())
        return fail(ErrorKind::kCorrupt, "latents: a neighbour has no history \"" + name + "\"");
      history.push_back({input.view.region, found->second});
    }
    auto array = blend(region, volume.whole, volume.channels, history);
    if (!array) return tl::unexpected(array.error());
    start.sampler.arrays[name] = std::move(*array);
  }
  return start;
}

// Mask and condition channels of the region, [4 + C, T, h, w]; empty for a model without them.
Result<Volume> condition_of(const Task& task, StageContext& context, const Conditioning& conditioning,
                            const Region& region, const TakeVolume& volume, bool wanted) {
  if (!wanted) return Volume{};
  Volume condition =
      Volume::zeros(kMaskChannels + volume.channels, region.t.size(), region.rect.height, region.rect.width);
  const std::size_t mask_values = static_cast<std::size_t>(kMaskChannels) * region.volume();
  const auto place = [&](const std::vector<float>& values, std::size_t at) {
    std::copy(values.begin(), values.end(), condition.values.begin() + static_cast<std::ptrdiff_t>(at));
  };
  if (task.level == 1) {
    std::fill_n(condition.values.begin(), mask_values, kGuideMask);
    auto guide = guide_of(task, context, region, volume.channels);
    if (!guide) return tl::unexpected(guide.error());
    place(*guide, mask_values);
  } else if (!conditioning.mask.empty()) {
    auto mask = cut(region, kMaskChannels, {volume.whole, conditioning.mask});
    auto values = cut(region, volume.channels, {volume.whole, conditioning.condition});
    if (!mask) return tl::unexpected(mask.error());
    if (!values) return tl::unexpected(values.error());
    place(*mask, 0);
    place(*values, mask_values);
  }
  return condition;
}

TextStates states_of(const Conditioning& conditioning, const std::vector<float>& values) {
  return {static_cast<std::int64_t>(values.size()) / conditioning.text_dim, conditioning.text_dim, values};
}

// A segment under way.
struct Segment {
  const Task& task;
  StageContext& context;
  Model& model;
  Region region;
  const TakeVolume& volume;
  Steps& shared;
  Sampler sampler;

  Range steps() const { return task.sampling().segments[static_cast<std::size_t>(task.segment)]; }
  Status begin();
  // Runs all steps; gives the predicted clean latent of the last one, empty where the last step of the take is one of
  // them.
  Result<kernels::Tensor> run();
  Latents result(const kernels::Tensor& preview) const;
};

Status Segment::begin() {
  kernels::Backend& backend = model.compute();
  if (task.segment == 0) return first_latent(backend, task, context, region, shared.latent);
  auto start = blended_start(task, context, region, volume, steps().begin);
  if (!start) return tl::unexpected(start.error());
  kernels::write_values(backend, start->values, shared.latent);
  return sampler.restore(start->sampler);
}

Result<kernels::Tensor> Segment::run() {
  const kernels::Tensor& latent = shared.latent;
  const Sampling& plan = task.sampling();
  kernels::Tensor preview;
  for (int step = steps().begin; step < steps().end; ++step) {
    auto velocity = model.velocity(shared, sampler.timestep(), plan.guidance, context.cancelled);
    if (!velocity) return tl::unexpected(velocity.error());
    if (step + 1 == steps().end && step + 1 < plan.steps()) {
      preview = model.compute().empty(kernels::DType::kF32, latent.shape());
      predict_clean(model.compute(), latent, *velocity, sampler.sigma(), preview);
    }
    if (Status status = sampler.step(latent, *velocity); !status) return tl::unexpected(status.error());
    const Status go_on =
        step_done(context, static_cast<double>(step + 1 - steps().begin) / steps().size(),
                  "step " + std::to_string(step + 1) + " of " + std::to_string(plan.steps()));
    if (!go_on) return tl::unexpected(go_on.error());
  }
  return preview;
}

Latents Segment::result(const kernels::Tensor& preview) const {
  kernels::Backend& backend = model.compute();
  Latents latents{volume.channels, region, kernels::read_values(backend, shared.latent), {}, {}};
  if (!preview.empty()) latents.preview = kernels::read_values(backend, preview);
  if (!sampler.done()) latents.sampler = sampler.state();
  return latents;
}

}  // namespace

Result<TaskResult> run_denoise(const Task& task, StageContext& context) {
  auto model = context.models.get(task.recipe);
  auto volume = volume_of(task, context);
  auto conditioning = load_conditioning(task, context);
  if (!model) return tl::unexpected(model.error());
  if (!volume) return tl::unexpected(volume.error());
  if (!conditioning) return tl::unexpected(conditioning.error());
  const Region region = region_of(task, *volume);
  const Sampling& plan = task.sampling();
  auto condition = condition_of(task, context, *conditioning, region, *volume, (*model)->takes_condition());
  if (!condition) return tl::unexpected(condition.error());

  const bool guided = plan.guidance != 1.0F;
  const TextStates prompt = states_of(*conditioning, conditioning->context),
                   null = guided ? states_of(*conditioning, conditioning->context_null) : TextStates{};
  auto steps =
      (*model)->begin_steps({volume->channels, region.t.size(), region.rect.height, region.rect.width},
                            *condition, prompt, guided ? &null : nullptr);
  if (!steps) return tl::unexpected(steps.error());
  Segment segment{
      task,
      context,
      **model,
      region,
      *volume,
      **steps,
      Sampler((*model)->compute(), plan.sampler, {plan.sigmas, plan.timesteps}, (*steps)->latent.shape())};
  if (Status begun = segment.begin(); !begun) return tl::unexpected(begun.error());
  auto preview = segment.run();
  if (!preview) return tl::unexpected(preview.error());

  const Latents latents = segment.result(*preview);
  (*model)->end_steps(false);
  auto bytes = write_latents(latents);
  if (!bytes) return tl::unexpected(bytes.error());
  TaskResult outcome;
  outcome.numeric_class = context.models.numeric_class();
  if (Status status = put_output(context, Role::kLatent, *bytes, outcome); !status)
    return tl::unexpected(status.error());
  return outcome;
}

}  // namespace rushes::worker
