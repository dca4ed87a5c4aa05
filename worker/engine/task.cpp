#include "worker/engine/task.h"

#include <algorithm>
#include <string>

#include "config/limits.h"
#include "storage/records/words_codec.h"

namespace rushes::worker {
namespace {

constexpr int kMaxScale = 16;
constexpr int kMaxStartFrame = 10'000'000;

// Keeps the first rule that does not hold.
class Rules {
 public:
  void require(bool holds, const char* rule) {
    if (!holds && problem_.empty()) problem_ = rule;
  }
  void within(std::int64_t value, std::int64_t least, std::int64_t most, const char* field) {
    if ((value < least || value > most) && problem_.empty())
      problem_ = std::string(field) + ": expected " + std::to_string(least) + ".." + std::to_string(most) +
                 ", found " + std::to_string(value);
  }
  bool hold() const { return problem_.empty(); }
  Status status() const {
    if (hold()) return {};
    return fail(ErrorKind::kInvalid, problem_);
  }

 private:
  std::string problem_;
};

void check_sampling(const Sampling& plan, Rules& rules) {
  rules.require(plan.guidance >= 0.0F && plan.guidance <= 100.0F, "guidance: expected 0..100");
  rules.require(plan.steps() > 0, "timesteps: expected at least one");
  rules.require(plan.sigmas.size() == plan.timesteps.size() + 1, "sigmas: expected one more than timesteps");
  if (!rules.hold()) return;
  rules.require(
      plan.sigmas.front() <= 1.0F && plan.sigmas.back() == 0.0F &&
          std::adjacent_find(plan.sigmas.begin(), plan.sigmas.end(),
                             [](float one, float next) { return !(one > next); }) == plan.sigmas.end(),
      "sigmas: expected a falling list from at most 1 to 0");
  rules.require(std::all_of(plan.timesteps.begin(), plan.timesteps.end(),
                            [](float timestep) { return timestep >= 0.0F && timestep <= 1000.0F; }),
                "timesteps: expected 0..1000");
  int next = 0;
  for (const Range& segment : plan.segments) {
    rules.require(segment.begin == next && segment.size() > 0,
                  "segments: expected runs of steps that follow each other");
    next = segment.end;
  }
  rules.require(next == plan.steps(), "segments: expected to end with the last step");
}

void check_windows(const std::vector<Range>& windows, int most, Rules& rules) {
  rules.require(!windows.empty() && windows.front().begin == 0, "windows: expected runs from 0");
  Range before{-1, 0};
  for (const Range& window : windows) {
    rules.require(window.begin > before.begin && window.begin <= before.end && window.end > before.end &&
                      window.end <= most,
                  "windows: expected runs without gaps inside the take");
    before = window;
  }
}

void check_tiles(const std::vector<Rect>& tiles, const char* field, Rules& rules) {
  for (const Rect& tile : tiles) {
    for (const int at : {tile.y, tile.x}) rules.within(at, 0, kMaxPictureSide, field);
    for (const int side : {tile.height, tile.width}) rules.within(side, 1, kMaxPictureSide, field);
  }
}

void check_recipe(const Recipe& recipe, Rules& rules) {
  rules.within(recipe.fps.numerator, 1, records::MAX_RATE, "fps");
  rules.within(recipe.fps.denominator, 1, kMaxRateDenominator, "fps");
  rules.within(recipe.rendered_frames, 1, kMaxClipFrames, "rendered frames");
  rules.within(recipe.frames, 1, recipe.rendered_frames, "frames");
  rules.within(recipe.width, 1, kMaxPictureSide, "width");
  rules.within(recipe.height, 1, kMaxPictureSide, "height");
  rules.within(recipe.deliver_width, 1, recipe.width, "deliver width");
  rules.within(recipe.deliver_height, 1, recipe.height, "deliver height");
  rules.require(recipe.model_digest != Digest{}, "model digest: missing");
  check_sampling(recipe.draft, rules);
  check_windows(recipe.windows, recipe.rendered_frames, rules);
  check_tiles(recipe.decode_tiles, "decode tiles", rules);
  for (const KeyFrame& key : recipe.key_frames) {
    rules.within(key.frame, 0, recipe.rendered_frames - 1, "key frame");
    rules.require(key.image != Digest{}, "key frame: its image is missing");
  }
  for (const Revision& revision : recipe.revisions) {
    rules.require(revision.number > 0 && !revision.windows.empty(),
                  "revisions: expected numbers from 1, of at least one window each");
    for (const std::uint32_t window : revision.windows)
      rules.require(window < recipe.windows.size(), "revision window: not in the recipe");
  }
}

void check_master(const Recipe& recipe, Rules& rules) {
  const Master& master = recipe.master;
  rules.within(master.scale, 1, kMaxScale, "master scale");
  rules.require(!master.tiles.empty() && !master.decode_tiles.empty(),
                "master: expected refine tiles and decode tiles");
  check_sampling(master.sampling, rules);
  check_windows(master.windows, recipe.rendered_frames, rules);
  check_tiles(master.tiles, "refine tiles", rules);
  check_tiles(master.decode_tiles, "decode tiles", rules);
}

// A path below a root: no absolute path, no "..", so that a delivery cannot leave its folder.
bool stays_below(const std::string& folder) {
  if (folder.empty() || folder.front() == '/') return false;
  std::size_t begin = 0;
  while (begin <= folder.size()) {
    const std::size_t end = std::min(folder.find('/', begin), folder.size());
    const std::string part = folder.substr(begin, end - begin);
    if (part.empty() || part == "." || part == "..") return false;
    begin = end + 1;
  }
  return true;
}

void check_delivery(const Delivery& delivery, Rules& rules) {
  rules.within(delivery.start_frame, 0, kMaxStartFrame, "start frame");
  rules.within(delivery.fps.numerator, 1, records::MAX_RATE, "delivery fps");
  rules.within(delivery.fps.denominator, 1, kMaxRateDenominator, "delivery fps");
}

// A place in a list of the recipe.
template <class Entry>
void check_index(int index, const std::vector<Entry>& list, const char* rule, Rules& rules) {
  rules.require(index >= 0 && static_cast<std::size_t>(index) < list.size(), rule);
}

}  // namespace

Status check_indices(const Task& task) {
  Rules rules;
  const bool upgraded = task.recipe.master.scale > 0;
  check_recipe(task.recipe, rules);
  if (upgraded) check_master(task.recipe, rules);
  rules.require(task.level == 0 || upgraded, "level 1: the recipe has no master");
  check_index(task.window, task.windows(), "window: not in the recipe", rules);
  check_index(task.segment, task.sampling().segments, "segment: not in the recipe", rules);
  if (task.stage == Stage::kRefine) {
    rules.require(task.level == 1, "refine: expected level 1");
    check_index(task.tile, task.recipe.master.tiles, "refine tile: not in the recipe", rules);
  }
  if (task.stage == Stage::kDecode && !task.decode_tiles().empty())
    check_index(task.tile, task.decode_tiles(), "decode tile: not in the recipe", rules);
  if (task.frames != Range{})
    rules.require(task.frames.size() > 0 && task.frames.end <= kMaxClipFrames, "frames: expected a run");
  for (const CriticSetting& critic : task.critics)
    rules.require(critic.revise <= 1.0F && critic.reject <= 1.0F, "critic thresholds: expected at most 1");
  if (task.stage == Stage::kFinish || task.stage == Stage::kDeliver)
    rules.require(stays_below(task.delivery.folder),
                  "delivery folder: expected a path below the deliveries folder");
  if (task.stage == Stage::kFinish || task.stage == Stage::kDeliver || task.stage == Stage::kCritique)
    check_delivery(task.delivery, rules);
  return rules.status();
}

Result<Task> check_task(TaskSpec spec) {
  // As the scheduler's journal holds it: the words of a revision may be anything that a person wrote.
  auto recipe = decode_recipe(spec.recipe_bytes);
  if (!recipe) return fail(ErrorKind::kInvalid, "task: " + recipe.error().message);
  Task task{std::move(spec), std::move(*recipe), {}};
  task.recipe_hash = recipe_hash(task.recipe_bytes);
  if (task.delivery.fps == config::Rate{0, 0}) task.delivery.fps = task.recipe.fps;
  if (Status status = check_indices(task); !status) return with_context(status.error(), "task");
  return task;
}

Result<Task> read_task(std::string_view bytes) {
  auto spec = decode_task(bytes);
  if (!spec) return tl::unexpected(spec.error());
  return check_task(std::move(*spec));
}

}  // namespace rushes::worker
