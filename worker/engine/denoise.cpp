// denoise and refine: one segment of steps on one window (and tile).
//
// A segment starts from what its window and the overlapping neighbours held at the checkpoint before, blended
// (blend.h); the first segment of a draft starts from noise, that of a master from the guide brought to the
// first sigma. A solver's history is blended like the latent itself, because it is made of predictions of the
// same place.
#include <algorithm>

#include "kernels/philox.h"
#include "storage/records/noise.h"
#include "worker/engine/stages.h"

namespace rushes::worker {
namespace {

constexpr float kGuideMask =
    0.5F;  // "the condition is a low-resolution guide": what Tabletop is trained with
constexpr int kMaskChannels = 4;

struct Start {
  std::vector<float> values;
  SamplerState sampler;
};

std::vector<float> noise_of(const Task& task, const Region& region, int channels) {
  std::vector<float> noise(region.volume() * static_cast<std::size_t>(channels));
  const std::size_t plane =
      static_cast<std::size_t>(region.rect.height) * static_cast<std::size_t>(region.rect.width);
  const auto coordinate = [](int value) { return static_cast<std::uint32_t>(value); };
  std::size_t at = 0;
  for (int c = 0; c < channels; ++c)
    for (int t = region.t.begin; t < region.t.end; ++t, at += plane) {
      const kernels::NoiseSource source{noise_seed(task.recipe, t), static_cast<std::uint32_t>(task.level),
                                        0};
      const kernels::NoiseBox box{
          {coordinate(c), coordinate(t), coordinate(region.rect.y), coordinate(region.rect.x)},
          {1, 1, coordinate(region.rect.height), coordinate(region.rect.width)}};
      kernels::fill_noise(source, box, noise.data() + at);
    }
  return noise;
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

Result<Start> first_start(const Task& task, StageContext& context, const Region& region, int channels) {
  std::vector<float> noise = noise_of(task, region, channels);
  if (task.level == 0) return Start{std::move(noise), {}};
  auto guide = guide_of(task, context, region, channels);
  if (!guide) return tl::unexpected(guide.error());
  add_noise(*guide, noise, task.sampling().sigmas.front());
  return Start{std::move(*guide), {}};
}

Result<Start> blended_start(const Task& task, StageContext& context, const Region& region,
                            const TakeVolume& volume) {
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
  Start start{std::move(*values), {own->step, own->order, {}}};
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

// Prompt and negative prompt as the transformer's blocks use them; `null` is empty where guidance is 1.
struct Prompts {
  PromptContext prompt, null;
};

Result<Prompts> prompts_of(Model& model, const Conditioning& conditioning, bool guided) {
  const auto states = [&](const std::vector<float>& values) {
    return TextStates{static_cast<std::int64_t>(values.size()) / conditioning.text_dim, conditioning.text_dim,
                      values};
  };
  Prompts prompts;
  auto prompt = model.prompt_context(states(conditioning.context));
  if (!prompt) return tl::unexpected(prompt.error());
  prompts.prompt = std::move(*prompt);
  if (!guided) return prompts;
  auto null = model.prompt_context(states(conditioning.context_null));
  if (!null) return tl::unexpected(null.error());
  prompts.null = std::move(*null);
  return prompts;
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
  const Range segment = plan.segments[static_cast<std::size_t>(task.segment)];

  auto start = task.segment == 0 ? first_start(task, context, region, volume->channels)
                                 : blended_start(task, context, region, *volume);
  if (!start) return tl::unexpected(start.error());
  auto condition = condition_of(task, context, *conditioning, region, *volume, (*model)->takes_condition());
  if (!condition) return tl::unexpected(condition.error());
  (*model)->reserve_step(static_cast<std::int64_t>(region.volume()));
  auto prompts = prompts_of(**model, *conditioning, plan.guidance != 1.0F);
  if (!prompts) return tl::unexpected(prompts.error());

  Sampler sampler(plan.sampler, {plan.sigmas, plan.timesteps}, start->values.size());
  start->sampler.step = segment.begin;
  if (Status status = sampler.restore(std::move(start->sampler)); !status)
    return tl::unexpected(status.error());
  Volume latent{volume->channels, region.t.size(), region.rect.height, region.rect.width,
                std::move(start->values)};
  std::vector<float> preview;
  for (int step = segment.begin; step < segment.end; ++step) {
    auto velocity = (*model)->guided_velocity(latent, *condition, sampler.timestep(), prompts->prompt,
                                              plan.guidance != 1.0F ? &prompts->null : nullptr, plan.guidance,
                                              {}, context.cancelled);
    if (!velocity) return tl::unexpected(velocity.error());
    if (step + 1 == segment.end && step + 1 < plan.steps()) {
      preview.resize(latent.values.size());
      const float sigma = sampler.sigma();
      for (std::size_t i = 0; i < preview.size(); ++i) preview[i] = latent.values[i] - sigma * (*velocity)[i];
    }
    if (Status status = sampler.step(latent.values, *velocity); !status)
      return tl::unexpected(status.error());
    const Status go_on =
        step_done(context, static_cast<double>(step + 1 - segment.begin) / segment.size(),
                  "step " + std::to_string(step + 1) + " of " + std::to_string(plan.steps()));
    if (!go_on) return tl::unexpected(go_on.error());
  }

  Latents result{volume->channels, region, std::move(latent.values), std::move(preview), {}};
  if (!sampler.done()) result.sampler = sampler.state();
  auto bytes = write_latents(result);
  if (!bytes) return tl::unexpected(bytes.error());
  TaskResult outcome;
  outcome.numeric_class = context.models.numeric_class();
  if (Status status = put_output(context, Role::kLatent, *bytes, outcome); !status)
    return tl::unexpected(status.error());
  return outcome;
}

}  // namespace rushes::worker
