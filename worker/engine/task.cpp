#include "worker/engine/task.h"

#include <capnp/message.h>
#include <capnp/serialize.h>
#include <sodium.h>

#include <algorithm>
#include <cstring>

#include "storage/records/records.capnp.h"

namespace rushes::worker {
namespace {

constexpr std::size_t kMaxMessageBytes = 1 << 20;
constexpr std::size_t kMaxText = 8192;
constexpr unsigned kMaxList = 65536;

// Collects the first problem of a message; everything after it reads as zero.
class Checker {
 public:
  const std::string& problem() const { return problem_; }
  bool ok() const { return problem_.empty(); }

  void require(bool condition, const std::string& what) {
    if (!condition && problem_.empty()) problem_ = what;
  }
  std::string text(capnp::Text::Reader value, const char* field) {
    require(value.size() <= kMaxText, std::string(field) + ": longer than 8192 bytes");
    return ok() ? std::string(value.cStr(), value.size()) : std::string();
  }
  Digest digest(capnp::Data::Reader value, const char* field) {
    Digest result{};
    require(value.size() == result.size(), std::string(field) + ": a digest has 32 bytes");
    if (ok()) std::memcpy(result.data(), value.begin(), result.size());
    return result;
  }
  int number(std::uint32_t value, std::uint32_t least, std::uint32_t most, const char* field) {
    require(value >= least && value <= most, std::string(field) + ": expected " + std::to_string(least) +
                                                 ".." + std::to_string(most) + ", found " +
                                                 std::to_string(value));
    return ok() ? static_cast<int>(value) : static_cast<int>(least);
  }
  Run run(records::Range::Reader value, std::uint32_t end, const char* field) {
    require(value.getBegin() < value.getEnd() && value.getEnd() <= end,
            std::string(field) + ": expected a run inside 0.." + std::to_string(end));
    return ok() ? Run{static_cast<int>(value.getBegin()), static_cast<int>(value.getEnd())} : Run{0, 1};
  }
  template <typename List>
  unsigned size(const List& list, unsigned least, const char* field) {
    require(list.size() >= least && list.size() <= kMaxList,
            std::string(field) + ": wrong number of entries");
    return ok() ? list.size() : 0;
  }

 private:
  std::string problem_;
};

config::Sampler sampler_of(records::Sampler value, Checker& check) {
  switch (value) {
    case records::Sampler::EULER:
      return config::Sampler::kEuler;
    case records::Sampler::UNIPC:
      return config::Sampler::kUniPc;
    case records::Sampler::DPMPP:
      return config::Sampler::kDpmPp;
  }
  check.require(false, "sampler: unknown");
  return config::Sampler::kEuler;
}

Stage stage_of(records::Stage value, Checker& check) {
  check.require(static_cast<unsigned>(value) <= static_cast<unsigned>(records::Stage::DELIVER),
                "stage: unknown");
  return check.ok() ? static_cast<Stage>(value) : Stage::kEncode;
}

SamplingPlan read_sampling(records::Sampling::Reader in, Checker& check) {
  SamplingPlan plan;
  plan.sampler = sampler_of(in.getSampler(), check);
  plan.guidance = in.getGuidance();
  check.require(plan.guidance >= 0.0F && plan.guidance <= 100.0F, "guidance: expected 0..100");
  const unsigned steps = check.size(in.getTimesteps(), 1, "timesteps");
  check.require(in.getSigmas().size() == steps + 1, "sigmas: expected one more than timesteps");
  if (!check.ok()) return plan;
  for (float sigma : in.getSigmas()) plan.schedule.sigmas.push_back(sigma);
  for (float timestep : in.getTimesteps()) plan.schedule.timesteps.push_back(timestep);
  for (unsigned i = 0; i < steps; ++i) {
    check.require(plan.schedule.sigmas[i] > plan.schedule.sigmas[i + 1] && plan.schedule.sigmas[i] <= 1.0F,
                  "sigmas: expected a falling list in 0..1");
    check.require(plan.schedule.timesteps[i] >= 0.0F && plan.schedule.timesteps[i] <= 1000.0F,
                  "timesteps: expected 0..1000");
  }
  check.require(plan.schedule.sigmas.back() == 0.0F, "sigmas: the last is 0");
  check.size(in.getSegments(), 1, "segments");
  int next = 0;
  for (auto segment : in.getSegments()) {
    plan.segments.push_back(check.run(segment, steps, "segments"));
    check.require(plan.segments.back().begin == next, "segments: expected runs that follow each other");
    next = plan.segments.back().end;
    if (!check.ok()) return plan;
  }
  check.require(next == static_cast<int>(steps), "segments: expected to end with the last step");
  return plan;
}

std::vector<Run> read_windows(capnp::List<records::Range>::Reader in, Checker& check) {
  std::vector<Run> windows;
  check.size(in, 1, "windows");
  for (auto window : in) {
    windows.push_back(check.run(window, kMaxList, "windows"));
    if (!check.ok()) return windows;
    const std::size_t n = windows.size();
    const bool follows = n == 1 ? windows[0].begin == 0
                                : windows[n - 1].begin > windows[n - 2].begin &&
                                      windows[n - 1].begin <= windows[n - 2].end &&
                                      windows[n - 1].end > windows[n - 2].end;
    check.require(follows, "windows: expected runs from 0 without gaps");
  }
  return windows;
}

std::vector<Rect> read_tiles(capnp::List<records::Tile>::Reader in, const char* field, Checker& check) {
  std::vector<Rect> tiles;
  check.size(in, 1, field);
  for (auto tile : in) {
    tiles.push_back({check.number(tile.getY(), 0, kMaxPictureSide, field),
                     check.number(tile.getX(), 0, kMaxPictureSide, field),
                     check.number(tile.getHeight(), 1, kMaxPictureSide, field),
                     check.number(tile.getWidth(), 1, kMaxPictureSide, field)});
    if (!check.ok()) return tiles;
  }
  return tiles;
}

MasterPlan read_master(records::Master::Reader in, Checker& check) {
  MasterPlan plan;
  plan.scale = check.number(in.getScale(), 1, 16, "master scale");
  plan.sampling = read_sampling(in.getSampling(), check);
  plan.tiles = read_tiles(in.getTiles(), "refine tiles", check);
  plan.decode_tiles = read_tiles(in.getDecodeTiles(), "decode tiles", check);
  plan.windows = read_windows(in.getWindows(), check);
  return plan;
}

TaskRecipe read_recipe(records::Recipe::Reader in, Checker& check) {
  TaskRecipe recipe;
  recipe.engine_build = check.text(in.getEngineBuild(), "engine build");
  recipe.numeric_class = check.text(in.getNumericClass(), "numeric class");
  recipe.model = check.text(in.getModel(), "model");
  recipe.model_digest = check.digest(in.getModelDigest(), "model digest");
  recipe.prompt = check.text(in.getPrompt(), "prompt");
  recipe.negative_prompt = check.text(in.getNegativePrompt(), "negative prompt");
  recipe.seed = in.getSeed();
  recipe.fps = {check.number(in.getFpsNumerator(), 1, 1000000, "fps"),
                check.number(in.getFpsDenominator(), 1, kMaxRateDenominator, "fps")};
  recipe.rendered_frames = check.number(in.getRenderedFrames(), 1, kMaxClipFrames, "rendered frames");
  recipe.frames = check.number(in.getFrames(), 1, in.getRenderedFrames(), "frames");
  recipe.width = check.number(in.getWidth(), 1, kMaxPictureSide, "width");
  recipe.height = check.number(in.getHeight(), 1, kMaxPictureSide, "height");
  recipe.deliver_width = check.number(in.getDeliverWidth(), 1, in.getWidth(), "deliver width");
  recipe.deliver_height = check.number(in.getDeliverHeight(), 1, in.getHeight(), "deliver height");
  recipe.draft = read_sampling(in.getDraft(), check);
  recipe.windows = read_windows(in.getWindows(), check);
  check.size(in.getKeyFrames(), 0, "key frames");
  for (auto key : in.getKeyFrames())
    recipe.key_frames.push_back({check.number(key.getFrame(), 0, in.getRenderedFrames() - 1, "key frame"),
                                 check.digest(key.getImage(), "key frame image")});
  check.size(in.getRevisions(), 0, "revisions");
  for (auto revision : in.getRevisions()) {
    TaskRevision read{check.number(revision.getNumber(), 1, kMaxList, "revision"), {}, revision.getSeed()};
    check.size(revision.getWindows(), 1, "revision windows");
    for (std::uint32_t window : revision.getWindows())
      read.windows.push_back(
          check.number(window, 0, static_cast<std::uint32_t>(recipe.windows.size()) - 1, "revision window"));
    if (!check.ok()) return recipe;
    recipe.revisions.push_back(std::move(read));
  }
  if (in.hasMaster()) recipe.master = read_master(in.getMaster(), check);
  if (in.hasDecodeTiles()) recipe.decode_tiles = read_tiles(in.getDecodeTiles(), "decode tiles", check);
  return recipe;
}

std::vector<TaskInput> read_inputs(capnp::List<records::Input>::Reader in, Checker& check) {
  std::vector<TaskInput> inputs;
  check.size(in, 0, "inputs");
  for (auto input : in) {
    inputs.push_back({check.text(input.getRole(), "input role"),
                      check.digest(input.getDigest(), "input digest"), stage_of(input.getStage(), check),
                      check.number(input.getTake(), 0, kMaxList, "input take"),
                      check.number(input.getWindow(), 0, kMaxList, "input window"),
                      check.number(input.getSegment(), 0, kMaxList, "input segment"),
                      check.number(input.getTile(), 0, kMaxList, "input tile"),
                      check.number(input.getRevision(), 0, kMaxList, "input revision"),
                      check.number(input.getLevel(), 0, 1, "input level")});
    if (!check.ok()) break;
  }
  return inputs;
}

std::vector<TaskCritic> read_critics(capnp::List<records::CriticSetting>::Reader in, Checker& check) {
  std::vector<TaskCritic> critics;
  check.size(in, 0, "critics");
  for (auto critic : in) {
    critics.push_back({check.text(critic.getName(), "critic"), critic.getEnabled(), critic.getRevise(),
                       critic.getReject(), critic.getBlocks()});
    check.require(critics.back().revise <= 1.0 && critics.back().reject <= 1.0,
                  "critic thresholds: expected at most 1");
    if (!check.ok()) break;
  }
  return critics;
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

TaskDelivery read_delivery(records::Delivery::Reader in, Checker& check) {
  TaskDelivery delivery{check.text(in.getFolder(), "delivery folder"),
                        check.text(in.getVersion(), "delivery version"),
                        check.text(in.getTimecode(), "delivery timecode"),
                        check.text(in.getReel(), "delivery reel"),
                        check.number(in.getStartFrame(), 0, 10000000, "start frame"),
                        in.getMaster(),
                        {}};
  // Zero in both: the take's own rate.
  if (in.getFpsNumerator() != 0 || in.getFpsDenominator() != 0)
    delivery.fps = {check.number(in.getFpsNumerator(), 1, 1000000, "delivery fps"),
                    check.number(in.getFpsDenominator(), 1, kMaxRateDenominator, "delivery fps")};
  else
    delivery.fps = {0, 1};
  check.require(stays_below(delivery.folder), "delivery folder: expected a path below the deliveries folder");
  return delivery;
}

void check_indices(const Task& task, Checker& check) {
  if (!check.ok()) return;
  check.require(task.level == 0 || task.recipe.master.has_value(), "level 1: the recipe has no master");
  if (!check.ok()) return;
  check.require(task.window < static_cast<int>(task.windows().size()), "window: not in the recipe");
  check.require(task.segment < static_cast<int>(task.sampling().segments.size()),
                "segment: not in the recipe");
  if (task.stage == Stage::kRefine)
    check.require(task.level == 1 && task.tile < static_cast<int>(task.recipe.master->tiles.size()),
                  "refine tile: not in the recipe");
  const auto& tiles = task.decode_tiles();
  if (task.stage == Stage::kDecode && !tiles.empty())
    check.require(task.tile < static_cast<int>(tiles.size()), "decode tile: not in the recipe");
}

Task read_root(records::TaskSpec::Reader in, Checker& check) {
  Task task;
  task.id = in.getTask();
  task.show = check.text(in.getShow(), "show");
  task.shot = check.text(in.getShot(), "shot");
  task.name = check.text(in.getName(), "name");
  task.take = check.number(in.getTake(), 0, kMaxList, "take");
  task.stage = stage_of(in.getStage(), check);
  task.level = check.number(in.getLevel(), 0, 1, "level");
  task.window = check.number(in.getWindow(), 0, kMaxList, "window");
  task.segment = check.number(in.getSegment(), 0, kMaxList, "segment");
  task.tile = check.number(in.getTile(), 0, kMaxList, "tile");
  task.revision = check.number(in.getRevision(), 0, kMaxList, "revision");
  task.whole_take = in.getWholeTake();
  if (in.getFrames().getEnd() > 0) task.frames = check.run(in.getFrames(), kMaxClipFrames, "frames");
  const auto recipe = in.getRecipe();
  check.require(recipe.size() > 0 && recipe.size() <= kMaxMessageBytes && recipe.size() % 8 == 0,
                "recipe: wrong size");
  if (!check.ok()) return task;
  std::vector<capnp::word> words(recipe.size() / sizeof(capnp::word));
  std::memcpy(words.data(), recipe.begin(), recipe.size());
  // A canonical message is one segment without a table in front.
  const kj::ArrayPtr<const capnp::word> segments[1] = {{words.data(), words.size()}};
  capnp::SegmentArrayMessageReader message(kj::arrayPtr(segments, 1));
  task.recipe = read_recipe(message.getRoot<records::Recipe>(), check);
  task.recipe.hash = hash_bytes(recipe.begin(), recipe.size());
  task.inputs = read_inputs(in.getInputs(), check);
  task.critics = read_critics(in.getCritics(), check);
  if (task.stage == Stage::kFinish || task.stage == Stage::kDeliver)
    task.delivery = read_delivery(in.getDelivery(), check);
  if (task.delivery.fps.numerator == 0) task.delivery.fps = task.recipe.fps;
  check_indices(task, check);
  return task;
}

}  // namespace

std::string_view to_string(Stage stage) {
  constexpr std::string_view kNames[] = {"encode",  "denoise", "critique", "decode",
                                         "enlarge", "refine",  "finish",   "deliver"};
  return kNames[static_cast<std::size_t>(stage)];
}

Result<Task> read_task(std::span<const std::byte> bytes) {
  if (bytes.empty() || bytes.size() > kMaxMessageBytes || bytes.size() % sizeof(capnp::word) != 0)
    return fail(ErrorKind::kInvalid, "task: expected a Cap'n Proto message of at most 1 MiB, found " +
                                         std::to_string(bytes.size()) + " bytes");
  try {
    std::vector<capnp::word> words(bytes.size() / sizeof(capnp::word));
    std::memcpy(words.data(), bytes.data(), bytes.size());
    capnp::FlatArrayMessageReader message(kj::ArrayPtr<const capnp::word>(words.data(), words.size()));
    Checker check;
    Task task = read_root(message.getRoot<records::TaskSpec>(), check);
    if (!check.ok()) return fail(ErrorKind::kInvalid, "task: " + check.problem());
    return task;
  } catch (const kj::Exception& exception) {
    return fail(ErrorKind::kInvalid,
                std::string("task: malformed message: ") + exception.getDescription().cStr());
  }
}

}  // namespace rushes::worker
