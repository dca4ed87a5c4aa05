#include "scheduler/plan/plan.h"

#include <algorithm>
#include <cassert>
#include <map>
#include <set>
#include <tuple>

#include "config/digest.h"
#include "config/schedule.h"
#include "scheduler/plan/cost.h"
#include "scheduler/plan/limits.h"
#include "scheduler/plan/numbers.h"
#include "scheduler/plan/windows.h"

namespace rushes::scheduler {
namespace {

Result<Sampling> resolve_sampling(const config::Sampling& wanted) {
  auto schedule = config::make_schedule(wanted);
  if (!schedule) return tl::unexpected(schedule.error());
  Sampling result;
  result.sampler = wanted.sampler;
  result.sigmas = std::move(schedule->sigmas);
  result.timesteps = std::move(schedule->timesteps);
  result.guidance = static_cast<float>(wanted.guidance);
  return result;
}

int latent_frames(const ShotSpec& spec) { return (spec.recipe.rendered_frames - 1) / spec.grid.stride_t + 1; }

LatentExtent draft_extent(const ShotSpec& spec) {
  return {latent_frames(spec), spec.recipe.height / spec.grid.stride_y,
          spec.recipe.width / spec.grid.stride_x};
}

// Gives out ids and collects tasks.
class Builder {
 public:
  Builder(const ShotSpec& spec, std::uint32_t take, TaskId encode, TaskId first)
      : spec_(spec), take_(take), encode_(encode), next_(first) {}

  PlannedTask task(Stage stage) {
    PlannedTask t;
    t.id = next_++;
    t.stage = stage;
    t.take = take_;
    return t;
  }
  TaskId add(PlannedTask t) {
    tasks_.push_back(std::move(t));
    return tasks_.back().id;
  }
  std::vector<PlannedTask> take_tasks() { return std::move(tasks_); }

  const ShotSpec& spec_;
  const std::uint32_t take_;
  TaskId encode_;  // of the prompt of what is planned next

 private:
  TaskId next_;
  std::vector<PlannedTask> tasks_;
};

std::uint64_t grid_area(const ShotSpec& spec, std::uint32_t scale) {
  return static_cast<std::uint64_t>(spec.recipe.width / spec.grid.stride_x) *
         (spec.recipe.height / spec.grid.stride_y) * scale * scale;
}

std::uint64_t frame_pixels(const ShotSpec& spec, std::uint32_t scale) {
  return static_cast<std::uint64_t>(spec.recipe.width) * spec.recipe.height * scale * scale;
}

PlannedTask denoise_task(Builder& build, std::uint32_t window, std::uint32_t segment,
                         std::uint32_t revision) {
  const Recipe& recipe = build.spec_.recipe;
  PlannedTask t = build.task(Stage::kDenoise);
  t.window = window;
  t.segment = segment;
  t.revision = revision;
  const std::uint64_t latents = recipe.windows[window].size() * grid_area(build.spec_, 1);
  t.work = sampling_work(latents, recipe.draft.segments[segment].size(), recipe.draft.guidance);
  set_memory(t, sampling_memory(build.spec_.grid, latents));
  t.needs.push_back({build.encode_, true});
  return t;
}

PlannedTask critique_task(Builder& build, const Range& frames, std::uint32_t revision) {
  PlannedTask t = build.task(Stage::kCritique);
  t.frames = frames;
  t.revision = revision;
  t.work = static_cast<double>(frames.size()) * static_cast<double>(frame_pixels(build.spec_, 1));
  return t;
}

PlannedTask window_critique(Builder& build, std::uint32_t window, std::uint32_t segment,
                            std::uint32_t revision, TaskId latents) {
  PlannedTask t =
      critique_task(build, clip_frames(build.spec_.recipe.windows[window], build.spec_.grid), revision);
  set_memory(t, decoded_clip_memory(build.spec_.grid, grid_area(build.spec_, 1), t.frames.size()));
  t.window = window;
  t.segment = segment;
  t.needs.push_back({latents, true});
  return t;
}

// Decode tiles and the critique of the whole take, once all windows of `graph` are there.
void add_judging(Builder& build, VersionGraph& graph, std::uint32_t revision) {
  const ShotSpec& spec = build.spec_;
  const auto segments = spec.recipe.draft.segments.size();
  const auto tiles = draft_tiles(spec);
  graph.decode.clear();
  for (std::uint32_t i = 0; i < tiles.size(); ++i) {
    PlannedTask t = build.task(Stage::kDecode);
    t.tile = i;
    t.revision = revision;
    const std::uint64_t pixels = static_cast<std::uint64_t>(tiles[i].height) * tiles[i].width *
                                 spec.grid.stride_y * spec.grid.stride_x * spec.recipe.rendered_frames;
    t.work = static_cast<double>(pixels);
    set_memory(t, decode_memory(spec.grid, draft_extent(spec), tiles[i]));
    for (std::size_t w = 0; w < spec.recipe.windows.size(); ++w) {
      t.needs.push_back({graph.denoise[w * segments + segments - 1], true});
    }
    graph.decode.push_back(build.add(std::move(t)));
  }
  PlannedTask t = critique_task(build, {0, spec.recipe.frames}, revision);
  t.whole_take = true;
  set_memory(t, movie_memory(frame_pixels(spec, 1)));
  for (const TaskId tile : graph.decode) t.needs.push_back({tile, true});
  graph.critique = build.add(std::move(t));
}

// Denoise tasks of `windows` with their critiques; other windows stay as `graph` has them.
void add_windows(Builder& build, VersionGraph& graph, std::span<const std::uint32_t> windows,
                 std::uint32_t revision) {
  const Recipe& recipe = build.spec_.recipe;
  const auto count = static_cast<std::uint32_t>(recipe.windows.size());
  const auto segments = static_cast<std::uint32_t>(recipe.draft.segments.size());
  const std::uint32_t gate = build.spec_.gate ? inner_checkpoint(recipe.draft) : segments;
  for (std::uint32_t s = 0; s < segments; ++s) {
    for (const std::uint32_t w : windows) {
      PlannedTask t = denoise_task(build, w, s, revision);
      if (s > 0) {
        for (std::uint32_t n = w == 0 ? 0 : w - 1; n <= std::min(w + 1, count - 1); ++n) {
          if (overlap(recipe.windows[n], recipe.windows[w]))
            t.needs.push_back({graph.denoise[n * segments + s - 1], true});
        }
      }
      if (s > gate) t.needs.push_back({graph.checkpoints[w], false});
      graph.denoise[w * segments + s] = build.add(std::move(t));
    }
    if (s == gate && gate < segments) {
      for (const std::uint32_t w : windows) {
        graph.checkpoints[w] =
            build.add(window_critique(build, w, s, revision, graph.denoise[w * segments + s]));
      }
    }
  }
  if (count > 1) {
    for (const std::uint32_t w : windows) {
      graph.window_critiques[w] = build.add(
          window_critique(build, w, segments - 1, revision, graph.denoise[w * segments + segments - 1]));
    }
  }
}

// Plans what a version of a take was made of again. A piece is one denoise task that some version had: a segment of a
// window, from the recipe of that version. Versions are counted by their place in the lineage.
class Replay {
 public:
  Replay(const ShotSpec& spec, std::span<const Rendered> lineage)
      : spec_(spec), lineage_(lineage), makers_(spec.recipe.windows.size()) {
    for (std::uint32_t v = 0; v < lineage.size(); ++v)
      for (const std::uint32_t window : lineage[v].windows)
        if (window < makers_.size()) makers_[window].push_back(v);
    for (std::uint32_t w = 0; w < makers_.size(); ++w) want({makers_[w].back(), segments() - 1, w});
    while (!unseen_.empty()) {
      const Piece piece = unseen_.back();
      unseen_.pop_back();
      for (const Piece& before : read_by(piece)) want(before);
    }
  }

  // Its tasks; `graph` gets those of what is shown.
  void plan(Builder& build, VersionGraph& graph, std::uint32_t number) {
    const std::uint32_t gate = spec_.gate ? inner_checkpoint(spec_.recipe.draft) : segments();
    const TaskId shots_encode = build.encode_;
    for (const Piece& piece : pieces_) {
      const auto& [v, s, w] = piece;
      build.encode_ = encode_of(build, v, number, shots_encode);
      const bool shown = makers_[w].back() == v;
      PlannedTask t = denoise_task(build, w, s, number);
      for (const Piece& before : read_by(piece)) t.needs.push_back({ids_.at(before), true});
      if (shown && s > gate) t.needs.push_back({graph.checkpoints[w], false});
      const TaskId id = add(build, std::move(t), v);
      ids_[piece] = id;
      if (!shown) continue;
      graph.denoise[w * segments() + s] = id;
      if (s == gate) graph.checkpoints[w] = add(build, window_critique(build, w, s, number, id), v);
      if (s + 1 == segments() && makers_.size() > 1)
        graph.window_critiques[w] = add(build, window_critique(build, w, s, number, id), v);
    }
    const Rendered& last = lineage_.back();
    if (last.encode != kNoId) graph.encode = encodes_.at(last.encode);
  }

 private:
  using Piece =
      std::tuple<std::uint32_t, std::uint32_t, std::uint32_t>;  // version, segment, window: in this order

  std::uint32_t segments() const { return static_cast<std::uint32_t>(spec_.recipe.draft.segments.size()); }
  void want(const Piece& piece) {
    if (pieces_.insert(piece).second) unseen_.push_back(piece);
  }
  // What it starts from: its own window and its neighbours as they were then.
  std::vector<Piece> read_by(const Piece& piece) const {
    const auto& [v, s, w] = piece;
    std::vector<Piece> before;
    const auto& windows = spec_.recipe.windows;
    const auto last = static_cast<std::uint32_t>(windows.size() - 1);
    for (std::uint32_t n = w == 0 ? 0 : w - 1; s > 0 && n <= std::min(w + 1, last); ++n)
      if (overlap(windows[n], windows[w]))
        before.emplace_back(*std::prev(std::upper_bound(makers_[n].begin(), makers_[n].end(), v)), s - 1, n);
    return before;
  }
  TaskId add(Builder& build, PlannedTask task, std::uint32_t v) const {
    task.replays = lineage_[v].number;
    return build.add(std::move(task));
  }
  TaskId encode_of(Builder& build, std::uint32_t v, std::uint32_t number, TaskId shots_encode) {
    if (lineage_[v].encode == kNoId) return shots_encode;
    const auto [found, is_new] = encodes_.try_emplace(lineage_[v].encode);
    if (is_new) {
      PlannedTask t = plan_encode(spec_, build.task(Stage::kEncode).id);
      t.take = build.take_;
      t.revision = number;
      found->second = add(build, std::move(t), v);
    }
    return found->second;
  }

  const ShotSpec& spec_;
  const std::span<const Rendered> lineage_;
  std::vector<std::vector<std::uint32_t>>
      makers_;  // by window: the versions that rendered it, the first one first
  std::set<Piece> pieces_;
  std::vector<Piece> unseen_;
  std::map<Piece, TaskId> ids_;
  std::map<TaskId, TaskId> encodes_;  // of then -> of now
};

// A graph with room for every task, none of which is planned.
VersionGraph empty_graph(const ShotSpec& spec) {
  const std::size_t windows = spec.recipe.windows.size(), segments = spec.recipe.draft.segments.size();
  VersionGraph empty;
  empty.denoise.resize(windows * segments);
  if (spec.gate && inner_checkpoint(spec.recipe.draft) < segments) empty.checkpoints.resize(windows);
  if (windows > 1) empty.window_critiques.resize(windows);
  return empty;
}

}  // namespace

Result<Digest> digest_of_model(const config::ModelManifest& model) {
  std::string text = config::model_digest(model);
  if (text.starts_with(config::kDigestPrefix)) text.erase(0, config::kDigestPrefix.size());
  return digest_from_hex(text);
}

Result<ShotSpec> resolve_shot(const config::Shot& shot, const config::ModelManifest& model,
                              std::span<const StoredPicture> images, const config::CriticRules& critics) {
  const std::string where = "shot " + shot.show + "/" + shot.name;
  if (const auto problems = config::validate_shot(shot, model); !problems.empty()) {
    return fail(ErrorKind::kInvalid, where + ": " + problems.front().key + ": " + problems.front().message);
  }
  const auto digest = digest_of_model(model);
  if (!digest) return with_context(digest.error(), where + ": model " + model.name);
  auto draft = resolve_sampling(config::draft_sampling(shot, model));
  if (!draft) return with_context(draft.error(), where + ": draft sampling");
  auto master = resolve_sampling(config::master_sampling(shot, model));
  if (!master) return with_context(master.error(), where + ": master sampling");

  ShotSpec spec;
  spec.show = shot.show;
  spec.name = shot.name;
  spec.grid.window_frames = model.frames;
  spec.grid.stride_t = model.vae.stride[0];
  spec.grid.stride_y = model.vae.stride[1];
  spec.grid.stride_x = model.vae.stride[2];
  spec.grid.channels = static_cast<int>(model.vae.mean.size());
  spec.grid.memory = model.memory;
  spec.master = std::move(*master);
  spec.seeds = shot.seeds;
  spec.priority = static_cast<std::uint32_t>(shot.priority);
  spec.deadline_wall_ms = shot.deadline.value_or(0);
  spec.limits = shot.limits;
  std::sort(spec.limits.begin(), spec.limits.end());
  spec.gate = shot.gate;
  spec.approve_best = shot.approve == config::Approve::kBest;
  spec.upgrade = shot.upgrade.enabled;
  spec.scale = static_cast<std::uint32_t>(shot.upgrade.scale);
  spec.revise_windows = static_cast<std::uint32_t>(shot.budget.windows);
  spec.revise_device_seconds = shot.budget.device_seconds.value_or(-1.0);
  for (const config::CriticRule& rule : config::changed(critics, shot.critics))
    spec.critics.push_back({rule.name, rule.enabled, rule.revise, rule.reject, rule.blocks});
  spec.start_frame = static_cast<std::uint32_t>(shot.start_frame);
  spec.timecode = config::to_string(config::shot_timecode(shot, model));
  spec.reel = shot.reel;
  spec.deliver_rate = config::shot_rate(shot, model);

  Recipe& recipe = spec.recipe;
  recipe.model = model.name;
  recipe.model_digest = *digest;
  recipe.prompt = shot.prompt;
  recipe.negative_prompt = shot.negative_prompt.value_or(model.negative_prompt);
  recipe.fps = model.fps;
  const int frames = config::shot_frames(shot, model);
  recipe.frames = frames;
  recipe.rendered_frames = model.rendered_frames(frames);
  recipe.width = model.size.width;
  recipe.height = model.size.height;
  recipe.deliver_width = model.deliver.width;
  recipe.deliver_height = model.deliver.height;
  recipe.draft = std::move(*draft);
  for (const StoredPicture& image : images) {
    recipe.key_frames.push_back(image.key);
    spec.pictures.pixels += image.load.pixels;
    spec.pictures.memory = std::max(spec.pictures.memory, image.load.memory);
  }
  if (images.size() != shot.key_frames.size()) {
    return fail(ErrorKind::kInvalid, where + ": key frames: expected " +
                                         std::to_string(shot.key_frames.size()) + " stored images, found " +
                                         std::to_string(images.size()));
  }
  recipe.windows = cut_windows(latent_frames(spec), model.latent_frames(model.frames));
  recipe.draft.segments = cut_segments(recipe.draft.sigmas, static_cast<int>(recipe.windows.size()));
  recipe.decode_tiles =
      cut_decode_tiles(recipe.height / spec.grid.stride_y, recipe.width / spec.grid.stride_x, spec.grid,
                       recipe.rendered_frames);
  if (recipe.decode_tiles.size() == 1) recipe.decode_tiles.clear();  // the whole frame
  if (const Status made = check_draft(spec); !made) return tl::unexpected(made.error());
  if (!spec.upgrade) return spec;
  if (const Status made = check_upgrade(spec); !made) return tl::unexpected(made.error());
  return spec;
}

Range clip_frames(const Range& latents, const ModelGrid& grid) {
  const int begin = latents.begin == 0 ? 0 : (latents.begin - 1) * grid.stride_t + 1;
  return {begin, (latents.end - 1) * grid.stride_t + 1};
}

std::vector<Rect> draft_tiles(const ShotSpec& spec) {
  if (!spec.recipe.decode_tiles.empty()) return spec.recipe.decode_tiles;
  return {{0, 0, spec.recipe.height / spec.grid.stride_y, spec.recipe.width / spec.grid.stride_x}};
}

Recipe take_recipe(const ShotSpec& spec, std::uint32_t take) {
  assert(take >= 1 && take <= spec.seeds.size());
  Recipe recipe = spec.recipe;
  recipe.seed = spec.seeds[take - 1];
  return recipe;
}

PlannedTask plan_encode(const ShotSpec& spec, TaskId id) {
  PlannedTask t;
  t.id = id;
  t.stage = Stage::kEncode;
  t.work = 1;
  t.host_bytes = kBaseMemory;
  if (spec.recipe.key_frames.empty()) return t;
  set_memory(t, encode_memory(spec.grid, draft_extent(spec)));
  t.host_bytes += reading_memory(spec.pictures, frame_pixels(spec, 1));
  t.host_seconds = reading_seconds(spec.pictures);
  return t;
}

VersionPlan plan_take(const ShotSpec& spec, std::uint32_t take, TaskId encode, TaskId first) {
  std::vector<std::uint32_t> all(spec.recipe.windows.size());
  for (std::uint32_t w = 0; w < all.size(); ++w) all[w] = w;
  return plan_revision(spec, take, 0, all, empty_graph(spec), encode, first);
}

VersionPlan plan_revision(const ShotSpec& spec, std::uint32_t take, std::uint32_t number,
                          std::span<const std::uint32_t> windows, const VersionGraph& parent, TaskId encode,
                          TaskId first, bool new_prompt) {
  assert(!windows.empty() && windows.back() < spec.recipe.windows.size());
  VersionPlan plan;
  plan.graph = parent;
  if (new_prompt) {
    plan.graph.encode = encode = first;
    plan.tasks.push_back(plan_encode(spec, first++));
    plan.tasks.back().take = take;
    plan.tasks.back().revision = number;
  }
  Builder build(spec, take, encode, first);
  add_windows(build, plan.graph, windows, number);
  add_judging(build, plan.graph, number);
  for (PlannedTask& task : build.take_tasks()) plan.tasks.push_back(std::move(task));
  return plan;
}

VersionPlan plan_again(const ShotSpec& spec, std::uint32_t take, std::uint32_t number,
                       std::span<const Rendered> lineage, TaskId encode, TaskId first) {
  VersionPlan plan;
  plan.graph = empty_graph(spec);
  Builder build(spec, take, encode, first);
  Replay(spec, lineage).plan(build, plan.graph, number);
  add_judging(build, plan.graph, number);
  plan.tasks = build.take_tasks();
  return plan;
}

PlannedTask plan_draft_delivery(const ShotSpec& spec, std::uint32_t take, std::span<const TaskId> shown,
                                TaskId id) {
  PlannedTask t;
  t.id = id;
  t.stage = Stage::kDeliver;
  t.take = take;
  t.frames = {0, spec.recipe.frames};
  t.work = static_cast<double>(spec.recipe.frames) * static_cast<double>(frame_pixels(spec, 1));
  set_memory(t, movie_memory(frame_pixels(spec, 1)));
  for (const TaskId task : shown) t.needs.push_back({task, true});
  return t;
}

std::uint64_t count_take_tasks(const ShotSpec& spec) {
  const std::uint64_t windows = spec.recipe.windows.size(), segments = spec.recipe.draft.segments.size();
  const std::uint64_t tiles = draft_tiles(spec).size();
  const bool gated = spec.gate && inner_checkpoint(spec.recipe.draft) < segments;
  return windows * segments + (gated ? windows : 0) + (windows > 1 ? windows : 0) + tiles + 1;
}

}  // namespace rushes::scheduler
