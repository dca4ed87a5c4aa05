#include "scheduler/plan/limits.h"

#include <algorithm>
#include <string>

#include "config/limits.h"
#include "scheduler/plan/numbers.h"
#include "scheduler/plan/plan.h"
#include "scheduler/plan/windows.h"
#include "storage/records/words_codec.h"

namespace rushes::scheduler {
namespace {

// Bytes of a description (compose.h), from above.
constexpr std::int64_t kInputBytes = 96;    // one input: numbers, role, digest and their pointers
constexpr std::int64_t kLongRoleBytes = 8;  // more, where the role has eight letters or more
constexpr std::int64_t kHistoryInputs = 3;  // of a solver, beside one input for each dependency
constexpr std::int64_t kNamesBytes = 4096;  // show, shot, task, delivery, critics, the takes of its sheet
constexpr std::int64_t kBuildBytes = 192;   // engine build and numeric class, which are pinned later
constexpr std::int64_t kLineageBytes = 8u << 10;  // room for revisions
// Bytes of artifacts (worker/engine/payload.h), from above.
constexpr std::int64_t kHeaderBytes = 1u << 20;
constexpr std::int64_t kLatentCopies = 5;  // latent, preview and at most three of a solver's history
constexpr std::int64_t kMaskChannels = 4, kFloatBytes = 4;

constexpr const char* kShorter = "split the shot";
constexpr const char* kSmallerDraft = "split the shot or use a smaller size";
constexpr const char* kSmallerMaster = "split the shot or use a smaller scale";

std::string grouped(std::int64_t number) {
  std::string text = std::to_string(number);
  for (std::size_t at = text.size(); at > 3; at -= 3) text.insert(at - 3, ",");
  return text;
}

// The first limit that a shot breaks.
class Check {
 public:
  explicit Check(const ShotSpec& spec) : where_("shot " + spec.show + "/" + spec.name + ": ") {}

  // `what` begins a sentence that goes on with the value and its unit.
  void at_most(std::int64_t value, std::int64_t most, const std::string& what, const char* unit,
               const char* help) {
    if (value > most && problem_.empty())
      problem_ = where_ + what + " " + grouped(value) + unit + ", at most " + grouped(most) + "; " + help;
  }
  // Most inputs are latents and frames; `others` are conditionings and critiques.
  void description(std::int64_t recipe_bytes, std::int64_t inputs, std::int64_t others,
                   const std::string& task, const char* help) {
    at_most(inputs, kMaxTaskInputs, task + " reads", " results", help);
    at_most(recipe_bytes + inputs * kInputBytes + others * kLongRoleBytes + kNamesBytes, kMaxDescriptionBytes,
            task + " reads " + grouped(inputs) + " results; its description takes", " bytes", help);
  }
  Status status() const {
    if (problem_.empty()) return {};
    return fail(ErrorKind::kInvalid, problem_);
  }

 private:
  std::string where_, problem_;
};

std::int64_t area_of(const ShotSpec& spec) {  // latents of a frame
  return std::int64_t{spec.recipe.height / spec.grid.stride_y} * (spec.recipe.width / spec.grid.stride_x);
}

std::int64_t latents_of(const ShotSpec& spec) {  // in time
  return (spec.recipe.rendered_frames - 1) / spec.grid.stride_t + 1;
}

std::int64_t longest(const std::vector<Range>& windows) {
  std::int64_t most = 0;
  for (const Range& window : windows) most = std::max<std::int64_t>(most, window.size());
  return most;
}

std::int64_t largest(const std::vector<Rect>& tiles) {  // latents
  std::int64_t most = 0;
  for (const Rect& tile : tiles) most = std::max(most, std::int64_t{tile.height} * tile.width);
  return most;
}

void check_artifacts(Check& check, const ShotSpec& spec, const std::vector<Rect>& decode_tiles,
                     std::int64_t window_latents, const char* level, const char* help) {
  const std::int64_t tile_pixels = largest(decode_tiles) * spec.grid.stride_y * spec.grid.stride_x;
  check.at_most(tile_pixels * spec.recipe.rendered_frames * kFrameBytes + kHeaderBytes, kMaxArtifactBytes,
                std::string("the frames of a decode tile of its ") + level + " take", " bytes", help);
  check.at_most(window_latents * spec.grid.channels * kFloatBytes * kLatentCopies + kHeaderBytes,
                kMaxArtifactBytes, std::string("the latents of a window of its ") + level + " take", " bytes",
                help);
}

// Tasks that overlap tile `index`, itself among them.
std::int64_t neighbours(const std::vector<Rect>& tiles, std::size_t index) {
  return std::count_if(tiles.begin(), tiles.end(), [&](const Rect& t) { return overlap(t, tiles[index]); });
}

std::int64_t most_neighbours(const std::vector<Rect>& tiles) {
  std::int64_t most = 0;
  for (std::size_t i = 0; i < tiles.size(); ++i) most = std::max(most, neighbours(tiles, i));
  return most;
}

// How much the tasks of an upgrade read.
struct Upgrade {
  Upgrade(const ShotSpec& spec, const Master& master)
      : pieces(std::ssize(master.windows) * std::ssize(master.tiles)),
        decodes(std::ssize(master.decode_tiles)),
        runs(std::ssize(cut_runs(spec.recipe.frames))),
        reads(2 + std::min<std::int64_t>(3, std::ssize(master.windows)) * most_neighbours(master.tiles)) {}

  void describe(Check& check, std::int64_t recipe_bytes) const {
    check.description(recipe_bytes, reads, 1, "refining a tile of its upgrade", kSmallerMaster);
    check.description(recipe_bytes, pieces, 0, "decoding its upgrade", kSmallerMaster);
    check.description(recipe_bytes, decodes + 1 + runs, 1, "delivering its upgrade", kSmallerMaster);
  }

  std::int64_t pieces;   // windows times tiles
  std::int64_t decodes;  // decode tasks
  std::int64_t runs;     // finish tasks
  std::int64_t reads;    // inputs of a refine task, at most
};

}  // namespace

Status check_draft(const ShotSpec& spec) {
  Check check(spec);
  const Recipe& recipe = spec.recipe;
  const std::int64_t windows = std::ssize(recipe.windows), tiles = std::ssize(draft_tiles(spec)),
                     takes = std::ssize(spec.seeds),
                     tasks = static_cast<std::int64_t>(count_take_tasks(spec));
  check.at_most(tasks, kMaxPlanTasks, "its draft has", " tasks a take", kShorter);
  check.at_most(4 * tasks + windows * tiles, kMaxPlanNeeds, "its draft has", " dependencies a take",
                kShorter);
  const std::int64_t bytes = std::ssize(encode_recipe(recipe)) + kBuildBytes + kLineageBytes;
  check.description(bytes, windows, 0, "decoding its draft", kShorter);
  check.description(bytes, tiles, 0, "judging a take", kSmallerDraft);
  check.description(bytes, takes * (tiles + 1), takes, "delivering its draft", "ask for fewer takes");
  check_artifacts(check, spec, draft_tiles(spec), longest(recipe.windows) * area_of(spec), "draft",
                  kSmallerDraft);
  if (!recipe.key_frames.empty())
    check.at_most(
        latents_of(spec) * area_of(spec) * (kMaskChannels + spec.grid.channels) * kFloatBytes + kHeaderBytes,
        kMaxArtifactBytes, "what its key frames ask of every frame takes", " bytes", kSmallerDraft);
  const std::int64_t window_frames = (longest(recipe.windows) - 1) * spec.grid.stride_t + 1;
  if (windows > 1 || spec.gate)  // a window is judged alone, all its frames at once
    check.at_most(std::int64_t{recipe.width} * recipe.height * 3 * window_frames, kMaxClipValues,
                  "the frames of a window of its draft have", " values", kSmallerDraft);
  check.at_most(std::int64_t{recipe.deliver_width} * recipe.deliver_height, kMaxPicturePixels,
                "a frame of its draft has", " pixels", "use a smaller size");
  return check.status();
}

Status check_upgrade(const ShotSpec& spec) {
  Check check(spec);
  const std::int64_t scale = spec.scale, area = scale * scale;
  check.at_most(std::max(spec.recipe.width, spec.recipe.height) * scale, kMaxPictureSide,
                "its upgrade makes pictures of", " pixels a side", "use a smaller scale");
  check.at_most(latents_of(spec) * area_of(spec) * area * spec.grid.channels * kFloatBytes + kHeaderBytes,
                kMaxArtifactBytes, "the guide of its upgrade takes", " bytes", kSmallerMaster);
  if (!check.status()) return check.status();  // the tiles of anything larger are too many to cut

  const Master master = plan_master(spec);
  const Upgrade upgrade(spec, master);
  const std::int64_t refines = upgrade.pieces * std::ssize(master.sampling.segments),
                     decodes = upgrade.decodes, runs = upgrade.runs;
  check.at_most(refines + decodes + runs + 2, kMaxPlanTasks, "its upgrade has", " tasks", kSmallerMaster);
  check.at_most(refines * upgrade.reads + (upgrade.pieces + runs + 2) * (decodes + 1), kMaxPlanNeeds,
                "its upgrade has", " dependencies", kSmallerMaster);
  Recipe recipe = spec.recipe;
  recipe.master = master;
  upgrade.describe(check, std::ssize(encode_recipe(recipe)) + kBuildBytes + kLineageBytes);
  check_artifacts(check, spec, master.decode_tiles, longest(master.windows) * largest(master.tiles),
                  "upgrade", kSmallerMaster);
  return check.status();
}

std::int64_t description_bytes(const ShotSpec& spec, const PlannedTask& task, std::int64_t recipe_bytes) {
  const std::int64_t pictures = task.stage == Stage::kEncode ? std::ssize(spec.recipe.key_frames) : 0;
  const std::int64_t inputs = std::ssize(task.needs) + kHistoryInputs + pictures;
  return recipe_bytes + kBuildBytes + inputs * (kInputBytes + kLongRoleBytes) + kNamesBytes;
}

bool is_plannable(const ShotSpec& spec) {
  return static_cast<std::int64_t>(count_take_tasks(spec)) <= kMaxPlanTasks &&
         std::ssize(spec.recipe.windows) * std::ssize(draft_tiles(spec)) <= kMaxPlanNeeds;
}

Status check_recipe_size(const ShotSpec& spec, std::int64_t recipe_bytes) {
  Check check(spec);
  const std::int64_t tiles = std::ssize(draft_tiles(spec));
  const std::int64_t inputs =
      std::max<std::int64_t>({std::ssize(spec.recipe.windows), tiles, std::ssize(spec.seeds) * (tiles + 1)});
  check.description(recipe_bytes, inputs, std::ssize(spec.seeds),
                    "a task of this take with one more revision", "render another take instead");
  return check.status();
}

Status check_again(const ShotSpec& spec, std::span<const PlannedTask> tasks) {
  constexpr const char* kFromOneSeed = "render it from one seed instead (retry --seed)";
  std::int64_t needs = 0;
  for (const PlannedTask& task : tasks) needs += std::ssize(task.needs);
  Check check(spec);
  check.at_most(std::ssize(tasks), kMaxPlanTasks, "making this take again as it was takes", " tasks",
                kFromOneSeed);
  check.at_most(needs, kMaxPlanNeeds, "making this take again as it was takes", " dependencies",
                kFromOneSeed);
  return check.status();
}

Status check_upgrade_size(const ShotSpec& spec, const Master& master, std::int64_t recipe_bytes) {
  Check check(spec);
  Upgrade(spec, master).describe(check, recipe_bytes);
  return check.status();
}

}  // namespace rushes::scheduler
