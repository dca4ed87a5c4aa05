// decode: a spatial tile of the take over its whole length, from the blended latents of all windows and
// tiles. enlarge: the decoded draft, enlarged and encoded again, becomes the guide of the master.
#include "worker/engine/stages.h"
#include "worker/picture/colour.h"
#include "worker/picture/resample.h"

namespace rushes::worker {
namespace {

Result<WorkingSpace> space_of(const Model& model) {
  return parse_working_space(config::to_string(model.manifest().working_space));
}

// The whole take's latents at the task's level.
Result<Volume> whole_latent(const Task& task, StageContext& context, const TakeVolume& volume) {
  auto inputs = load_latents(task, context);
  if (!inputs) return tl::unexpected(inputs.error());
  std::vector<Part> parts;
  for (const Latents& latents : *inputs) {
    if (latents.channels != volume.channels)
      return fail(ErrorKind::kCorrupt, "latents: wrong number of channels");
    parts.push_back({latents.region, latents.values});
  }
  auto values = blend(volume.whole, volume.whole, volume.channels, parts);
  if (!values) return tl::unexpected(values.error());
  const Rect& rect = volume.whole.rect;
  return Volume{volume.channels, volume.whole.t.length(), rect.height, rect.width, std::move(*values)};
}

}  // namespace

Result<TaskOutcome> run_decode(const Task& task, StageContext& context) {
  auto model = context.models.get(task.recipe);
  auto volume = volume_of(task, context);
  if (!model) return tl::unexpected(model.error());
  if (!volume) return tl::unexpected(volume.error());
  auto space = space_of(**model);
  if (!space) return tl::unexpected(space.error());
  auto latent = whole_latent(task, context, *volume);
  if (!latent) return tl::unexpected(latent.error());
  const auto& tiles = task.decode_tiles();
  const Rect tile = tiles.empty() ? volume->whole.rect : tiles[static_cast<std::size_t>(task.tile)];
  if (tile.y + tile.height > volume->whole.rect.height || tile.x + tile.width > volume->whole.rect.width)
    return fail(ErrorKind::kInvalid, "decode tile: reaches beyond the frame");

  auto middle = (*model)->vae().decode_middle(*latent);
  if (!middle) return tl::unexpected(middle.error());
  const int width = tile.width * volume->stride_x, height = tile.height * volume->stride_y;
  auto clip = make_clip(width, height, task.recipe.rendered_frames, task.recipe.fps);
  if (!clip) return tl::unexpected(clip.error());
  const auto sink = [&](std::int64_t first, const Volume& part) -> Status {
    const Clip light = from_model_output(*space, part.values.data(), width, height,
                                         static_cast<int>(part.frames), task.recipe.fps);
    std::copy(light.pixels.begin(), light.pixels.end(), clip->frame(static_cast<int>(first)));
    const int done = static_cast<int>(first + part.frames);
    return step_done(context, static_cast<double>(done) / task.recipe.rendered_frames,
                     "frame " + std::to_string(done));
  };
  if (Status status = (*model)->vae().decode_tile(*middle, {tile.y, tile.x, tile.height, tile.width}, sink);
      !status)
    return tl::unexpected(status.error());
  limit_to_half(*clip);
  auto bytes = write_pixels({tile.y * volume->stride_y, tile.x * volume->stride_x, std::move(*clip)});
  if (!bytes) return tl::unexpected(bytes.error());
  TaskOutcome outcome;
  outcome.numeric_class = context.models.numeric_class();
  if (Status status = put_output(context, "frames", *bytes, outcome); !status)
    return tl::unexpected(status.error());
  return outcome;
}

Result<TaskOutcome> run_enlarge(const Task& task, StageContext& context) {
  auto model = context.models.get(task.recipe);
  auto volume = volume_of(task, context);
  if (!model) return tl::unexpected(model.error());
  if (!volume) return tl::unexpected(volume.error());
  auto space = space_of(**model);
  if (!space) return tl::unexpected(space.error());
  auto draft = load_rendered(task, context);
  if (!draft) return tl::unexpected(draft.error());
  const int scale = task.recipe.master->scale;
  const Clip large = enlarge_light(*draft, scale, Cubic::kCatmullRom, *space);
  if (Status status = step_done(context, 0.2, "enlarged"); !status) return tl::unexpected(status.error());
  const Volume video{kChannels, large.frames, large.height, large.width, to_model_input(*space, large)};
  auto guide = (*model)->vae().encode(video);
  if (!guide) return tl::unexpected(guide.error());
  Latents latents;
  latents.channels = volume->channels;
  latents.region = volume->whole;
  latents.values = std::move(guide->values);
  auto bytes = write_latents(latents);
  if (!bytes) return tl::unexpected(bytes.error());
  TaskOutcome outcome;
  outcome.numeric_class = context.models.numeric_class();
  if (Status status = put_output(context, "guide", *bytes, outcome); !status)
    return tl::unexpected(status.error());
  return outcome;
}

}  // namespace rushes::worker
