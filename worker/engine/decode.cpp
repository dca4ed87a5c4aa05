// decode: a spatial tile of the take over its whole length, from the blended latents of all windows and
// tiles. enlarge: the decoded draft, enlarged and encoded again, becomes the guide of the master.
//
// Both read, compute and write a few frames at a time; neither holds a whole take.
#include <algorithm>

#include "worker/engine/stages.h"
#include "worker/engine/take_frames.h"
#include "worker/picture/colour.h"
#include "worker/picture/resample.h"

namespace rushes::worker {
namespace {

// The whole frame's latents, blended a few frames at a time.
LatentSource latent_source(const TakeVolume& volume, const std::vector<LatentInput>& inputs) {
  std::vector<Part> parts;
  for (const LatentInput& input : inputs) parts.push_back({input.view.region, input.view.values});
  return [&volume, &inputs, parts](std::int64_t first, std::int64_t count) -> Result<Volume> {
    Region target = volume.whole;
    target.t = {static_cast<int>(first), static_cast<int>(first + count)};
    auto values = blend(target, volume.whole, volume.channels, parts);
    for (const LatentInput& input : inputs) input.mapped.drop_pages();
    if (!values) return tl::unexpected(values.error());
    return Volume{volume.channels, count, target.rect.height, target.rect.width, std::move(*values)};
  };
}

// The outcome of a task whose output was written as it was made.
Result<TaskResult> finished(StageContext& context, Outgoing output) {
  auto stored = output.finish();
  if (!stored) return tl::unexpected(stored.error());
  TaskResult outcome;
  outcome.numeric_class = context.models.numeric_class();
  outcome.outputs.push_back(std::move(*stored));
  return outcome;
}

}  // namespace

Result<TaskResult> run_decode(const Task& task, StageContext& context) {
  auto model = context.models.get(task.recipe);
  auto volume = volume_of(task, context);
  if (!model) return tl::unexpected(model.error());
  if (!volume) return tl::unexpected(volume.error());
  const WorkingSpace space = (*model)->manifest().working_space;
  auto inputs = load_latents(task, context, volume->channels);
  if (!inputs) return tl::unexpected(inputs.error());
  const auto& tiles = task.decode_tiles();
  const Rect tile = tiles.empty() ? volume->whole.rect : tiles[static_cast<std::size_t>(task.tile)];
  if (tile.y + tile.height > volume->whole.rect.height || tile.x + tile.width > volume->whole.rect.width)
    return fail(ErrorKind::kInvalid, "decode tile: reaches beyond the frame");

  const PixelBox box{tile.y * volume->stride_y,      tile.x * volume->stride_x,
                     tile.height * volume->stride_y, tile.width * volume->stride_x,
                     task.recipe.rendered_frames,    task.recipe.fps};
  auto header = pixel_header(box);
  if (!header) return tl::unexpected(header.error());
  auto frames = context.artifacts.create(Role::kFrames);
  if (!frames) return tl::unexpected(frames.error());
  if (Status status = frames->append(*header); !status) return tl::unexpected(status.error());
  const auto sink = [&](std::int64_t first, const Volume& part) -> Status {
    Clip light = from_model_output(space, part.values.data(), box.width, box.height,
                                   static_cast<int>(part.frames), box.fps);
    limit_to_half(light);
    if (Status status = frames->append(half_bytes(light)); !status) return status;
    const int done = static_cast<int>(first + part.frames);
    return step_done(context, static_cast<double>(done) / box.frames,
                     std::to_string(done) + " of " + std::to_string(box.frames) + " frames");
  };
  // Tiles of the same latents share what the middle block makes of them.
  std::string latents;
  for (const Input* input : inputs_of(task, Role::kLatent))
    latents.append(input->digest.begin(), input->digest.end());
  MiddleCache& middle = (*model)->middle_cache();
  middle.select(latents, context.artifacts.folder() / "incoming");
  const Rect& whole = volume->whole.rect;
  if (Status status = (*model)->vae().decode({volume->whole.t.size(), whole.height, whole.width},
                                             {tile.y, tile.x, tile.height, tile.width},
                                             latent_source(*volume, *inputs), sink, &middle);
      !status)
    return tl::unexpected(status.error());
  return finished(context, std::move(*frames));
}

Result<TaskResult> run_enlarge(const Task& task, StageContext& context) {
  auto model = context.models.get(task.recipe);
  auto volume = volume_of(task, context);
  if (!model) return tl::unexpected(model.error());
  if (!volume) return tl::unexpected(volume.error());
  const WorkingSpace space = (*model)->manifest().working_space;
  auto draft = TakeFrames::rendered(task, context.artifacts);
  if (!draft) return tl::unexpected(draft.error());
  auto header = guide_header(volume->channels, volume->whole);
  if (!header) return tl::unexpected(header.error());
  auto guide = context.artifacts.create(Role::kGuide);
  if (!guide) return tl::unexpected(guide.error());
  if (Status status = guide->append(*header); !status) return tl::unexpected(status.error());

  const int scale = task.recipe.master.scale;
  const std::int64_t rows = std::int64_t{draft->height()} * scale,
                     columns = std::int64_t{draft->width()} * scale;
  double enlarged = 0;  // pixels
  const auto source = [&](std::int64_t first, std::int64_t count, const FrameBox& box) -> Result<Volume> {
    auto light = draft->read({static_cast<int>(first), static_cast<int>(first + count)});
    if (!light) return tl::unexpected(light.error());
    const Clip large = enlarge_light(*light, scale, Cubic::kCatmullRom, space,
                                     {static_cast<int>(box.column), static_cast<int>(box.row),
                                      static_cast<int>(box.columns), static_cast<int>(box.rows)});
    enlarged +=
        static_cast<double>(count * box.rows * box.columns);  // boxes overlap: all of it is a little more
    const double done = enlarged / static_cast<double>(draft->frames() * rows * columns);
    if (Status status =
            step_done(context, std::min(0.9, 0.9 * done),
                      std::to_string(first + count) + " of " + std::to_string(draft->frames()) + " frames");
        !status)
      return tl::unexpected(status.error());
    return Volume{kChannels, count, box.rows, box.columns, to_model_input(space, large)};
  };
  // [C, T, H, W]: the frames of every channel lie together.
  const Region& whole = volume->whole;
  const auto plane =
      static_cast<std::uint64_t>(whole.rect.height) * static_cast<std::uint64_t>(whole.rect.width);
  const auto sink = [&](std::int64_t first, const Volume& part) -> Status {
    const std::size_t run = plane * static_cast<std::size_t>(part.frames);
    for (int c = 0; c < volume->channels; ++c) {
      const auto frame = static_cast<std::uint64_t>(c) * static_cast<std::uint64_t>(whole.t.size()) +
                         static_cast<std::uint64_t>(first);
      const auto values = std::span(part.values).subspan(static_cast<std::size_t>(c) * run, run);
      if (Status status =
              guide->write_at(header->size() + frame * plane * sizeof(float), std::as_bytes(values));
          !status)
        return status;
    }
    return {};
  };
  if (Status status = (*model)->vae().encode({draft->frames(), rows, columns}, source, sink,
                                             context.artifacts.folder() / "incoming");
      !status)
    return tl::unexpected(status.error());
  return finished(context, std::move(*guide));
}

}  // namespace rushes::worker
