// What all stages share: reading inputs, writing outputs, where a task lies in its take.
#include <algorithm>

#include "worker/engine/stages.h"

namespace rushes::worker {
namespace {

std::string label(const Task& task, const TaskInput& input) {
  return task.name + ": input " + input.role + " " + to_hex(input.digest).substr(0, 12);
}

// Where the delivered rectangle lies in the frame: the centre, whole pixels, the spare row or column at the
// end.
Rect delivered_rect(const Task& task, int level) {
  const int scale = level == 0 ? 1 : task.recipe.master->scale;
  const TaskRecipe& recipe = task.recipe;
  return {(recipe.height - recipe.deliver_height) / 2 * scale,
          (recipe.width - recipe.deliver_width) / 2 * scale, recipe.deliver_height * scale,
          recipe.deliver_width * scale};
}

// Copies what tile and target share. `target` holds frames [run) of the rectangle. Returns the pixels copied.
std::int64_t copy_tile(const PixelTile& tile, const Rect& rect, Run run, Clip& target) {
  const int y0 = std::max(tile.y, rect.y), y1 = std::min(tile.y + tile.clip.height, rect.y + rect.height);
  const int x0 = std::max(tile.x, rect.x), x1 = std::min(tile.x + tile.clip.width, rect.x + rect.width);
  if (y0 >= y1 || x0 >= x1) return 0;
  for (int t = run.begin; t < run.end; ++t)
    for (int y = y0; y < y1; ++y)
      std::copy_n(tile.clip.at(t, y - tile.y, x0 - tile.x), (x1 - x0) * kChannels,
                  target.at(t - run.begin, y - rect.y, x0 - rect.x));
  return static_cast<std::int64_t>(y1 - y0) * (x1 - x0);
}

}  // namespace

std::vector<const TaskInput*> inputs_of(const Task& task, std::string_view role) {
  std::vector<const TaskInput*> found;
  for (const TaskInput& input : task.inputs)
    if (input.role == role) found.push_back(&input);
  return found;
}

Result<const TaskInput*> input_of(const Task& task, std::string_view role) {
  const auto found = inputs_of(task, role);
  if (found.size() != 1)
    return fail(ErrorKind::kInvalid,
                "expected one input \"" + std::string(role) + "\", found " + std::to_string(found.size()));
  return found.front();
}

Result<Conditioning> load_conditioning(const Task& task, StageContext& context) {
  auto input = input_of(task, "conditioning");
  if (!input) return tl::unexpected(input.error());
  auto mapped = context.artifacts.open((*input)->digest);
  if (!mapped) return tl::unexpected(mapped.error());
  return read_conditioning(mapped->bytes(), label(task, **input));
}

Result<std::vector<Latents>> load_latents(const Task& task, StageContext& context, std::string_view role) {
  std::vector<Latents> all;
  for (const TaskInput* input : inputs_of(task, role)) {
    auto mapped = context.artifacts.open(input->digest);
    if (!mapped) return tl::unexpected(mapped.error());
    auto latents = read_latents(mapped->bytes(), label(task, *input));
    if (!latents) return tl::unexpected(latents.error());
    all.push_back(std::move(*latents));
  }
  return all;
}

namespace {

// The pixels of a rectangle from the tiles of one take and level, which together cover it exactly.
Result<Clip> assemble(const Task& task, StageContext& context, int take, int level, const Rect& rect,
                      Run run) {
  auto target = make_clip(rect.width, rect.height, run.length(), task.recipe.fps);
  if (!target) return target;
  std::int64_t covered = 0;
  for (const TaskInput* input : inputs_of(task, "frames")) {
    if (input->take != take || input->level != level) continue;
    auto mapped = context.artifacts.open(input->digest);
    if (!mapped) return tl::unexpected(mapped.error());
    auto tile = read_pixels(mapped->bytes(), label(task, *input));
    if (!tile) return tl::unexpected(tile.error());
    if (tile->clip.frames < run.end)
      return fail(ErrorKind::kCorrupt, label(task, *input) + ": expected at least " +
                                           std::to_string(run.end) + " frames, found " +
                                           std::to_string(tile->clip.frames));
    covered += copy_tile(*tile, rect, run, *target);
  }
  if (covered != static_cast<std::int64_t>(rect.width) * rect.height)
    return fail(ErrorKind::kInvalid,
                "the decoded tiles of take " + std::to_string(take) + " do not cover the frame exactly");
  return target;
}

}  // namespace

Result<Clip> load_frames(const Task& task, StageContext& context, int take, Run run) {
  int level = 0;
  for (const TaskInput* input : inputs_of(task, "frames"))
    if (input->take == take) level = std::max(level, input->level);
  return assemble(task, context, take, level, delivered_rect(task, level), run);
}

Result<Clip> load_rendered(const Task& task, StageContext& context) {
  return assemble(task, context, task.take, 0, {0, 0, task.recipe.height, task.recipe.width},
                  {0, task.recipe.rendered_frames});
}

Status put_output(StageContext& context, const std::string& role, std::span<const std::byte> bytes,
                  TaskOutcome& outcome) {
  auto stored = context.artifacts.put(role, bytes);
  if (!stored) return tl::unexpected(stored.error());
  outcome.outputs.push_back(std::move(*stored));
  return {};
}

Status step_done(StageContext& context, double fraction, const std::string& words) {
  if (context.progress) context.progress(fraction, words);
  if (context.cancelled && context.cancelled()) return fail(ErrorKind::kConflict, "stopped on request");
  return {};
}

Region region_of(const Task& task, const TakeVolume& volume) {
  const Run window = task.windows()[static_cast<std::size_t>(task.window)];
  if (task.stage == Stage::kRefine)
    return {window, task.recipe.master->tiles[static_cast<std::size_t>(task.tile)]};
  return {window, volume.whole.rect};
}

}  // namespace rushes::worker
