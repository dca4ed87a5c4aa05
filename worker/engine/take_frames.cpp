#include "worker/engine/take_frames.h"

#include <algorithm>
#include <cassert>

#include "worker/engine/stages.h"

namespace rushes::worker {
namespace {

// Where the delivered rectangle lies in the frame: the centre, whole pixels, the spare row or column at the
// end.
Rect delivered_rect(const Task& task, int level) {
  const Recipe& recipe = task.recipe;
  const int scale = level == 0 ? 1 : recipe.master.scale;
  return {(recipe.height - recipe.deliver_height) / 2 * scale,
          (recipe.width - recipe.deliver_width) / 2 * scale, recipe.deliver_height * scale,
          recipe.deliver_width * scale};
}

// What a tile and a rectangle of pixels share; no height or no width where they share nothing.
Rect shared(const PixelBox& box, const Rect& rect) {
  const int y = std::max(box.y, rect.y), x = std::max(box.x, rect.x);
  return {y, x, std::max(0, std::min(box.y + box.height, rect.y + rect.height) - y),
          std::max(0, std::min(box.x + box.width, rect.x + rect.width) - x)};
}

}  // namespace

Result<TakeFrames> TakeFrames::delivered(const Task& task, const LocalArtifacts& artifacts, int take) {
  int level = 0;
  for (const Input* input : inputs_of(task, Role::kFrames))
    if (input->take == take) level = std::max(level, input->level);
  return open(task, artifacts, take, level, delivered_rect(task, level), task.recipe.frames);
}

Result<TakeFrames> TakeFrames::rendered(const Task& task, const LocalArtifacts& artifacts) {
  return open(task, artifacts, task.take, 0, {0, 0, task.recipe.height, task.recipe.width},
              task.recipe.rendered_frames);
}

Result<TakeFrames> TakeFrames::open(const Task& task, const LocalArtifacts& artifacts, int take, int level,
                                    const Rect& rect, int frames) {
  TakeFrames result;
  result.rect_ = rect;
  result.frames_ = frames;
  result.fps_ = task.recipe.fps;
  std::int64_t covered = 0;
  for (const Input* input : inputs_of(task, Role::kFrames)) {
    if (input->take != take || input->level != level) continue;
    auto mapped = artifacts.open(input->digest);
    if (!mapped) return tl::unexpected(mapped.error());
    const std::string label = label_of(*input);
    auto reader = PixelReader::open(mapped->bytes(), label);
    if (!reader) return tl::unexpected(reader.error());
    if (reader->box().frames < frames)
      return fail(ErrorKind::kCorrupt, label + ": expected at least " + std::to_string(frames) +
                                           " frames, found " + std::to_string(reader->box().frames));
    const Rect part = shared(reader->box(), rect);
    covered += std::int64_t{part.height} * part.width;
    result.tiles_.push_back({std::move(*mapped), *reader});
  }
  if (covered != static_cast<std::int64_t>(rect.width) * rect.height)
    return fail(ErrorKind::kInvalid,
                "the decoded tiles of take " + std::to_string(take) + " do not cover the frame exactly");
  return result;
}

Result<Clip> TakeFrames::read(Range run) const {
  assert(run.begin >= 0 && run.end <= frames_);
  auto clip = make_clip(rect_.width, rect_.height, run.size(), fps_);
  if (!clip) return clip;
  for (const Tile& tile : tiles_) {
    const PixelBox& box = tile.reader.box();
    const Rect part = shared(box, rect_);
    if (part.width == 0) continue;
    for (int t = run.begin; t < run.end; ++t)
      for (int y = part.y; y < part.y + part.height; ++y)
        tile.reader.read_row(t, y - box.y, part.x - box.x, part.width,
                             clip->at(t - run.begin, y - rect_.y, part.x - rect_.x));
    tile.mapped.drop_pages();
  }
  return clip;
}

}  // namespace rushes::worker
