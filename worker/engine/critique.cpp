// critique: the critics on a whole take's decoded frames, or on one window's preview at a
// checkpoint. A whole take gets its movie and contact sheet here too, so that people see what was judged.
//
// A window at an inner checkpoint is judged on the clean latent that the network predicts there ("preview");
// at its last checkpoint on its latents. Both are decoded alone, so the first latent of a later window shows
// as one frame.
#include <algorithm>
#include <optional>

#include "storage/records/lineage.h"
#include "worker/critic/critique.h"
#include "worker/engine/take_pictures.h"
#include "worker/picture/colour.h"

namespace rushes::worker {
namespace {

int frame_of_latent(int latent, int stride) { return latent == 0 ? 0 : (latent - 1) * stride + 1; }

// The frames that a window decodes to, clipped to what is delivered.
Range window_frames(const Recipe& recipe, Range window, int stride) {
  return {std::min(frame_of_latent(window.begin, stride), recipe.frames),
          std::min(frame_of_latent(window.end, stride), recipe.frames)};
}

Result<CriticContext> critic_context(const Task& task, const StageContext& engine) {
  const auto manifest = engine.models.manifest(task.recipe);
  if (!manifest) return tl::unexpected(manifest.error());
  CriticContext context;
  for (Range window : task.recipe.windows)
    context.windows.push_back(window_frames(task.recipe, window, manifest->vae.stride[0]));
  context.expects_motion = asks_for_motion(current_prompt(task.recipe));
  context.start_frame = task.delivery.start_frame;
  context.space = manifest->working_space;
  auto rules = rules_of(task.critics);
  if (!rules) return tl::unexpected(rules.error());
  context.rules = std::move(*rules);
  return context;
}

// One window decoded alone: its preview, or its latents where the segment was the last.
Result<Clip> window_clip(const Task& task, StageContext& context, Range frames) {
  auto model = context.models.get(task.recipe);
  if (!model) return tl::unexpected(model.error());
  const auto taken = volume_of(task, context);
  if (!taken) return tl::unexpected(taken.error());
  const TakeVolume& volume = *taken;
  auto inputs = load_latents(task, context, volume.channels);
  if (!inputs) return tl::unexpected(inputs.error());
  const Region region = region_of(task, volume);
  std::vector<Part> parts;
  for (const LatentInput& input : *inputs)
    parts.push_back({input.view.region, input.view.preview.empty() ? input.view.values : input.view.preview});
  auto values = blend(region, volume.whole, volume.channels, parts);
  if (!values) return tl::unexpected(values.error());
  auto video = (*model)->vae().decode(
      Volume{volume.channels, region.t.size(), region.rect.height, region.rect.width, std::move(*values)});
  if (!video) return tl::unexpected(video.error());
  Clip clip = from_model_output((*model)->manifest().working_space, video->values.data(),
                                static_cast<int>(video->columns), static_cast<int>(video->rows),
                                static_cast<int>(video->frames), task.recipe.fps);
  const int x = (task.recipe.width - task.recipe.deliver_width) / 2,
            y = (task.recipe.height - task.recipe.deliver_height) / 2;
  const ClipView delivered = ClipView(clip).crop(x, y, task.recipe.deliver_width, task.recipe.deliver_height);
  return delivered.range(std::max(0, clip.frames - frames.size()), std::min(clip.frames, frames.size()))
      .copy();
}

// Frame after frame of a whole take, which the proxy's movie gets too.
Result<ClipCritique> judge_take(const Task& task, StageContext& context, const CriticContext& critic,
                                std::optional<TakeProxy>& proxy) {
  auto frames = TakeFrames::delivered(task, context.artifacts, task.take);
  if (!frames) return tl::unexpected(frames.error());
  auto pictures = TakeProxy::create(task, context, *frames);
  if (!pictures) return tl::unexpected(pictures.error());
  proxy.emplace(std::move(*pictures));
  Panel panel(critic);
  const std::string judges = "judges " + names_of(critic.rules) + ": ",
                    of_all = " of " + std::to_string(frames->frames()) + " frames";
  for (int t = 0; t < frames->frames(); ++t) {
    auto picture = frames->read({t, t + 1});
    if (!picture) return tl::unexpected(picture.error());
    panel.see(*picture);
    if (Status status = proxy->add(*picture); !status) return tl::unexpected(status.error());
    const double done = static_cast<double>(t + 1) / frames->frames();
    if (Status status = step_done(context, done, judges + std::to_string(t + 1) + of_all); !status)
      return tl::unexpected(status.error());
  }
  return panel.conclude();
}

Result<ClipCritique> judge_window(const Task& task, StageContext& context, CriticContext critic) {
  const Range frames = critic.windows[static_cast<std::size_t>(task.window)];
  const std::string looked_at = words_of(critic, frames);
  if (Status status = step_done(context, 0.1, "looks at " + looked_at); !status)
    return tl::unexpected(status.error());
  auto clip = window_clip(task, context, frames);
  if (!clip) return tl::unexpected(clip.error());
  critic.windows = {frames};
  critic.first_frame = frames.end - clip->frames;
  if (Status status = step_done(context, 0.5, "judges " + names_of(critic.rules) + " of " + looked_at);
      !status)
    return tl::unexpected(status.error());
  ClipCritique result = critique(*clip, critic);
  for (Finding& finding : result.findings) finding.window = task.window;
  return result;
}

}  // namespace

Result<TaskResult> run_critique(const Task& task, StageContext& context) {
  auto critic = critic_context(task, context);
  if (!critic) return tl::unexpected(critic.error());
  std::optional<TakeProxy> proxy;  // of a whole take
  auto judged = task.whole_take ? judge_take(task, context, *critic, proxy)
                                : judge_window(task, context, std::move(*critic));
  if (!judged) return tl::unexpected(judged.error());

  TaskResult outcome;
  const std::string text = to_json(*judged);
  outcome.critique = std::move(*judged);
  if (Status status = put_output(context, Role::kCritique, std::as_bytes(std::span(text)), outcome); !status)
    return tl::unexpected(status.error());
  if (!proxy) return outcome;
  const auto summary = read_critique(text, "the critique");
  if (!summary) return tl::unexpected(summary.error());
  if (Status status = proxy->finish(*summary, outcome); !status) return tl::unexpected(status.error());
  return outcome;
}

}  // namespace rushes::worker
