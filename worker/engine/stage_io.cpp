// What all stages share: reading inputs, writing outputs, where a task lies in its take.
#include "worker/engine/stages.h"

namespace rushes::worker {
std::vector<const Input*> inputs_of(const Task& task, Role role) {
  std::vector<const Input*> found;
  for (const Input& input : task.inputs)
    if (input.role == role) found.push_back(&input);
  return found;
}

Result<const Input*> input_of(const Task& task, Role role) {
  const auto found = inputs_of(task, role);
  if (found.size() != 1)
    return fail(ErrorKind::kInvalid, std::string("expected one input \"") + to_string(role) + "\", found " +
                                         std::to_string(found.size()));
  return found.front();
}

Result<Conditioning> load_conditioning(const Task& task, StageContext& context) {
  auto input = input_of(task, Role::kConditioning);
  if (!input) return tl::unexpected(input.error());
  auto mapped = context.artifacts.open((*input)->digest);
  if (!mapped) return tl::unexpected(mapped.error());
  return read_conditioning(mapped->bytes(), label_of(**input));
}

Result<std::vector<LatentInput>> load_latents(const Task& task, StageContext& context, int channels,
                                              Role role) {
  std::vector<LatentInput> all;
  for (const Input* input : inputs_of(task, role)) {
    auto mapped = context.artifacts.open(input->digest);
    if (!mapped) return tl::unexpected(mapped.error());
    auto view = read_latents(mapped->bytes(), label_of(*input));
    if (!view) return tl::unexpected(view.error());
    if (view->channels != channels)
      return fail(ErrorKind::kCorrupt, label_of(*input) + ": expected " + std::to_string(channels) +
                                           " channels, found " + std::to_string(view->channels));
    all.push_back({std::move(*mapped), std::move(*view)});
  }
  return all;
}

std::string label_of(const Input& input) {
  return std::string("input ") + to_string(input.role) + " " + to_hex(input.digest).substr(0, 12);
}

Status put_output(StageContext& context, Role role, std::span<const std::byte> bytes, TaskResult& outcome) {
  auto stored = context.artifacts.put(role, bytes);
  if (!stored) return tl::unexpected(stored.error());
  outcome.outputs.push_back(*stored);
  return {};
}

Result<DisplayView> display_view(const StageContext& context) {
  auto view = DisplayView::sdr(context.colour.string());
  if (!view) return fail(ErrorKind::kNotFound, view.error().message);
  return view;
}

Status step_done(StageContext& context, double fraction, const std::string& words) {
  if (context.progress) context.progress(fraction, words);
  if (context.cancelled && context.cancelled()) return fail(ErrorKind::kConflict, "stopped on request");
  return {};
}

Region region_of(const Task& task, const TakeVolume& volume) {
  const Range window = task.windows()[static_cast<std::size_t>(task.window)];
  if (task.stage == Stage::kRefine)
    return {window, task.recipe.master.tiles[static_cast<std::size_t>(task.tile)]};
  return {window, volume.whole.rect};
}

}  // namespace rushes::worker
