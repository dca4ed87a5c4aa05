// The second resolution level: plan_master(), plan_upgrade().
#include <algorithm>

#include "scheduler/plan/cost.h"
#include "scheduler/plan/limits.h"
#include "scheduler/plan/plan.h"
#include "scheduler/plan/windows.h"

namespace rushes::scheduler {
namespace {

struct UpgradeBuilder {
  const ShotSpec& spec;
  std::uint32_t take;
  TaskId encode, next;
  UpgradePlan plan;

  std::uint32_t windows() const { return static_cast<std::uint32_t>(plan.master.windows.size()); }
  std::uint32_t tiles() const { return static_cast<std::uint32_t>(plan.master.tiles.size()); }
  std::uint32_t segments() const { return static_cast<std::uint32_t>(plan.master.sampling.segments.size()); }
  std::size_t at(std::uint32_t window, std::uint32_t tile, std::uint32_t segment) const {
    return (static_cast<std::size_t>(window) * tiles() + tile) * segments() + segment;
  }
  std::uint64_t master_pixels() const {
    return static_cast<std::uint64_t>(spec.recipe.width) * spec.recipe.height * spec.scale * spec.scale;
  }

  LatentExtent extent() const {  // of the master
    const int scale = static_cast<int>(spec.scale);
    return {(spec.recipe.rendered_frames - 1) / spec.grid.stride_t + 1,
            spec.recipe.height / spec.grid.stride_y * scale, spec.recipe.width / spec.grid.stride_x * scale};
  }

  PlannedTask task(Stage stage) {
    PlannedTask t;
    t.id = next++;
    t.stage = stage;
    t.take = take;
    t.level = 1;
    return t;
  }
  TaskId add(PlannedTask t) {
    plan.tasks.push_back(std::move(t));
    return plan.tasks.back().id;
  }

  void add_enlarge(const VersionGraph& kept) {
    PlannedTask t = task(Stage::kEnlarge);
    t.work = static_cast<double>(master_pixels()) * spec.recipe.rendered_frames;
    set_memory(t, encode_memory(spec.grid, extent()));
    for (const TaskId tile : kept.decode) t.needs.push_back({tile, true});
    plan.graph.enlarge = add(std::move(t));
  }

  void add_refine(std::uint32_t window, std::uint32_t tile, std::uint32_t segment) {
    const Master& master = plan.master;
    PlannedTask t = task(Stage::kRefine);
    t.window = window;
    t.tile = tile;
    t.segment = segment;
    const std::uint64_t latents = static_cast<std::uint64_t>(master.windows[window].size()) *
                                  master.tiles[tile].height * master.tiles[tile].width;
    t.work = sampling_work(latents, master.sampling.segments[segment].size(), master.sampling.guidance);
    set_memory(t, sampling_memory(spec.grid, latents));
    t.needs.push_back({encode, true});
    t.needs.push_back({plan.graph.enlarge, true});
    if (segment > 0) {
      for (std::uint32_t w = window == 0 ? 0 : window - 1; w <= std::min(window + 1, windows() - 1); ++w) {
        for (std::uint32_t n = 0; n < tiles(); ++n) {
          if (overlap(master.windows[w], master.windows[window]) &&
              overlap(master.tiles[n], master.tiles[tile])) {
            t.needs.push_back({plan.graph.refine[at(w, n, segment - 1)], true});
          }
        }
      }
    }
    plan.graph.refine[at(window, tile, segment)] = add(std::move(t));
  }

  void add_decode(std::uint32_t index) {
    const Rect& tile = plan.master.decode_tiles[index];
    PlannedTask t = task(Stage::kDecode);
    t.tile = index;
    const std::uint64_t pixels = static_cast<std::uint64_t>(tile.height) * tile.width * spec.grid.stride_y *
                                 spec.grid.stride_x * spec.recipe.rendered_frames;
    t.work = static_cast<double>(pixels);
    set_memory(t, decode_memory(spec.grid, extent(), tile));
    for (std::uint32_t w = 0; w < windows(); ++w) {
      for (std::uint32_t n = 0; n < tiles(); ++n) {
        t.needs.push_back({plan.graph.refine[at(w, n, segments() - 1)], true});
      }
    }
    plan.graph.decode.push_back(add(std::move(t)));
  }

  void add_finish(const Range& frames, TaskId critique) {
    PlannedTask t = task(Stage::kFinish);
    t.frames = frames;
    t.master_delivery = true;
    t.work = static_cast<double>(frames.size()) * static_cast<double>(master_pixels());
    set_memory(t, picture_memory(master_pixels()));
    for (const TaskId tile : plan.graph.decode) t.needs.push_back({tile, true});
    t.needs.push_back({critique, true});
    plan.graph.finish.push_back(add(std::move(t)));
  }

  void add_delivery(TaskId critique) {
    PlannedTask t = task(Stage::kDeliver);
    t.frames = {0, spec.recipe.frames};
    t.master_delivery = true;
    t.work = static_cast<double>(spec.recipe.frames) * static_cast<double>(master_pixels());
    set_memory(t, movie_memory(master_pixels()));
    for (const TaskId tile : plan.graph.decode) t.needs.push_back({tile, true});
    t.needs.push_back({critique, true});
    for (const TaskId run : plan.graph.finish) t.needs.push_back({run, true});
    plan.graph.deliver = add(std::move(t));
  }
};

}  // namespace

Master plan_master(const ShotSpec& spec) {
  const int scale = static_cast<int>(spec.scale);
  const int height = spec.recipe.height / spec.grid.stride_y, width = spec.recipe.width / spec.grid.stride_x;
  Master master;
  master.scale = scale;
  master.windows = spec.recipe.windows;
  master.tiles = cut_tiles(height * scale, width * scale, height, width);
  master.decode_tiles =
      cut_decode_tiles(height * scale, width * scale, spec.grid, spec.recipe.rendered_frames);
  master.sampling = spec.master;
  master.sampling.segments =
      cut_master_segments(spec.master.sigmas, master.tiles.size() == 1 && master.windows.size() == 1);
  return master;
}

Result<UpgradePlan> plan_upgrade(const ShotSpec& spec, std::uint32_t take, const VersionGraph& kept,
                                 TaskId encode, TaskId first) {
  if (const Status made = check_upgrade(spec); !made) return tl::unexpected(made.error());
  UpgradeBuilder build{spec, take, encode, first, {}};
  const Master& master = build.plan.master = plan_master(spec);
  build.plan.graph.refine.resize(master.windows.size() * master.tiles.size() *
                                 master.sampling.segments.size());
  build.add_enlarge(kept);
  for (std::uint32_t s = 0; s < build.segments(); ++s) {
    for (std::uint32_t w = 0; w < build.windows(); ++w) {
      for (std::uint32_t n = 0; n < build.tiles(); ++n) build.add_refine(w, n, s);
    }
  }
  for (std::uint32_t i = 0; i < master.decode_tiles.size(); ++i) build.add_decode(i);
  for (const Range& run : cut_runs(spec.recipe.frames)) build.add_finish(run, kept.critique);
  build.add_delivery(kept.critique);
  return std::move(build.plan);
}

}  // namespace rushes::scheduler
