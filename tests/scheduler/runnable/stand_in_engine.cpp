#include "tests/scheduler/runnable/stand_in_engine.h"

#include <algorithm>
#include <map>
#include <set>
#include <span>
#include <string>

#include "worker/engine/blend.h"
#include "worker/picture/frames.h"

namespace rushes::scheduler {
namespace {

using worker::Region;
using worker::Task;

bool meets(Range a, Range b) { return a.begin < b.end && b.begin < a.end; }
bool meets(const Rect& a, const Rect& b) {
  return meets(Range{a.y, a.y + a.height}, Range{b.y, b.y + b.height}) &&
         meets(Range{a.x, a.x + a.width}, Range{b.x, b.x + b.width});
}
bool meets(const Region& a, const Region& b) { return meets(a.t, b.t) && meets(a.rect, b.rect); }
bool inside(const Rect& inner, const Rect& outer) {
  return inner.y >= outer.y && inner.x >= outer.x && inner.height > 0 && inner.width > 0 &&
         inner.y + inner.height <= outer.y + outer.height && inner.x + inner.width <= outer.x + outer.width;
}

// The task and the frame it works on; the first thing that is wrong.
class Checker {
 public:
  Checker(const Task& task, const ModelGrid& grid) : task_(task), grid_(grid) {
    for (const Input& input : task.inputs) by_role_[input.role].push_back(&input);
  }

  Status run() {
    require(task_.recipe.width % stride_x() == 0 && task_.recipe.height % stride_y() == 0,
            "the frame is no multiple of the strides");
    require((task_.recipe.rendered_frames - 1) % stride_t() == 0, "the length does not fit the stride");
    require(task_.windows().back().end == latents(), "the windows do not end with the take");
    for (const Range& window : task_.recipe.windows)
      require(window.size() <= static_cast<int>((grid_.window_frames - 1) / grid_.stride_t + 1),
              "a window is longer than the model's");
    switch (task_.stage) {
      case Stage::kEncode:
        encode();
        break;
      case Stage::kDenoise:
      case Stage::kRefine:
        denoise();
        break;
      case Stage::kCritique:
        task_.whole_take ? take_critique() : window_critique();
        break;
      case Stage::kDecode:
        decode();
        break;
      case Stage::kEnlarge:
        enlarge();
        break;
      case Stage::kFinish:
        finish();
        break;
      case Stage::kDeliver:
        deliver();
        break;
    }
    for (const auto& [role, inputs] : by_role_)
      require(used_.contains(role) || inputs.empty(),
              std::string("input \"") + to_string(role) + "\" is used by nothing");
    if (problem_.empty()) return {};
    return fail(ErrorKind::kInvalid, task_.name + ": " + problem_);
  }

 private:
  void require(bool condition, const std::string& what) {
    if (!condition && problem_.empty()) problem_ = what;
  }
  int stride_t() const { return static_cast<int>(grid_.stride_t); }
  int stride_y() const { return static_cast<int>(grid_.stride_y); }
  int stride_x() const { return static_cast<int>(grid_.stride_x); }
  int latents() const { return (task_.recipe.rendered_frames - 1) / stride_t() + 1; }
  Rect frame(int level) const {  // latents
    const int scale = level == 0 ? 1 : task_.recipe.master.scale;
    return {0, 0, task_.recipe.height / stride_y() * scale, task_.recipe.width / stride_x() * scale};
  }
  Region whole(int level) const { return {{0, latents()}, frame(level)}; }
  std::vector<Rect> decode_tiles(int level) const {
    const auto& tiles = level == 0 ? task_.recipe.decode_tiles : task_.recipe.master.decode_tiles;
    return tiles.empty() ? std::vector<Rect>{frame(level)} : tiles;
  }
  std::vector<Rect> sampled_tiles() const {
    return task_.level == 0 ? std::vector<Rect>{frame(0)} : task_.recipe.master.tiles;
  }
  Region region(int window, int tile) const {
    const auto tiles = sampled_tiles();
    if (window >= static_cast<int>(task_.windows().size()) || tile >= static_cast<int>(tiles.size()))
      return {};
    return {task_.windows()[static_cast<std::size_t>(window)], tiles[static_cast<std::size_t>(tile)]};
  }

  const std::vector<const Input*>& inputs(Role role) {
    used_.insert(role);
    return by_role_[role];
  }
  const Input* only(Role role) {
    const auto& found = inputs(role);
    require(found.size() == 1,
            std::string("expected one \"") + to_string(role) + "\", found " + std::to_string(found.size()));
    return found.empty() ? nullptr : found.front();
  }

  // The limits of worker/picture and of artifacts.
  void fits_clip(std::int64_t height, std::int64_t width, std::int64_t frames) {
    require(height >= 1 && width >= 1 && height <= kMaxPictureSide && width <= kMaxPictureSide,
            "a picture of " + std::to_string(width) + "x" + std::to_string(height));
    require(frames >= 1 && frames <= kMaxClipFrames, std::to_string(frames) + " frames");
    require(height * width * 3 <= kMaxClipValues / std::max<std::int64_t>(frames, 1),
            "a clip of too many values");
  }
  void fits_artifact(std::int64_t bytes) {
    require(bytes + 4096 <= static_cast<std::int64_t>(kMaxArtifactBytes), "an artifact over 4 GiB");
  }
  void fits_latents(const Region& region, std::int64_t copies) {
    fits_artifact(static_cast<std::int64_t>(region.volume()) * grid_.channels * 4 * copies);
  }

  // Latents of segment `segment` that meet `target`: all of them, each once, and together they cover it.
  void blends(const Region& target, int segment) {
    std::set<std::pair<int, int>> given;
    std::vector<Region> parts;
    for (const Input* input : inputs(Role::kLatent)) {
      require(input->take == task_.take && input->level == task_.level && input->segment == segment,
              "latents of another take, level or segment");
      require(given.insert({input->window, input->tile}).second, "the same latents twice");
      parts.push_back(region(input->window, input->tile));
      require(meets(parts.back(), target), "latents that lie elsewhere");
    }
    const auto tiles = static_cast<int>(sampled_tiles().size());
    for (int w = 0; w < static_cast<int>(task_.windows().size()); ++w)
      for (int n = 0; n < tiles; ++n)
        if (meets(region(w, n), target))
          require(given.contains({w, n}), "the latents of window " + std::to_string(w) + " tile " +
                                              std::to_string(n) + " are missing");
    require(covers(target, parts), "the latents do not cover the task");
  }

  // Whether every element of `target` lies in a part: a grid of all edges, each cell looked up at its corner.
  static bool covers(const Region& target, const std::vector<Region>& parts) {
    std::set<int> ts{target.t.begin}, ys{target.rect.y}, xs{target.rect.x};
    for (const Region& part : parts) {
      ts.insert({part.t.begin, part.t.end});
      ys.insert({part.rect.y, part.rect.y + part.rect.height});
      xs.insert({part.rect.x, part.rect.x + part.rect.width});
    }
    for (const int t : ts)
      for (const int y : ys)
        for (const int x : xs) {
          const Region cell{{t, t + 1}, {y, x, 1, 1}};
          if (meets(cell, target) &&
              std::none_of(parts.begin(), parts.end(), [&](const Region& p) { return meets(p, cell); }))
            return false;
        }
    return true;
  }

  // Decoded tiles of one take and level: inside the frame, disjoint, and as large as the frame together.
  void shows(int take, int level) {
    std::vector<Rect> tiles;
    std::int64_t area = 0;
    const auto all = decode_tiles(level);
    for (const Input* input : inputs(Role::kFrames)) {
      if (input->take != take) continue;
      require(input->level == level, "frames of another level");
      require(input->tile < static_cast<int>(all.size()), "a decode tile that the recipe does not have");
      if (!problem_.empty()) return;
      const Rect tile = all[static_cast<std::size_t>(input->tile)];
      require(inside(tile, frame(level)), "a decode tile reaches beyond the frame");
      require(std::none_of(tiles.begin(), tiles.end(), [&](const Rect& t) { return meets(t, tile); }),
              "decode tiles overlap");
      tiles.push_back(tile);
      area += std::int64_t{tile.height} * tile.width;
    }
    require(area == std::int64_t{frame(level).height} * frame(level).width,
            "the decoded tiles of take " + std::to_string(take) + " do not cover the frame");
  }
  // Frames are read and written one by one.
  void fits_delivery(int level, int frames) {
    const int scale = level == 0 ? 1 : task_.recipe.master.scale;
    fits_clip(task_.recipe.deliver_height * scale, task_.recipe.deliver_width * scale, 1);
    require(frames >= 1 && frames <= kMaxClipFrames, std::to_string(frames) + " frames");
    require(task_.recipe.deliver_height * scale >= 2 && task_.recipe.deliver_width * scale >= 2,
            "a movie needs two pixels a side");
  }

  void encode() {
    const auto& images = inputs(Role::kImage);
    require(images.size() == task_.recipe.key_frames.size(), "a key frame's picture is missing");
    for (std::size_t i = 0; i < images.size() && problem_.empty(); ++i)
      require(images[i]->digest == task_.recipe.key_frames[i].image, "the pictures are in another order");
    if (images.empty()) return;
    fits_clip(task_.recipe.height, task_.recipe.width, 1);
    fits_artifact(static_cast<std::int64_t>(whole(0).volume()) * (4 + grid_.channels) * 4);
  }
  void denoise() {
    only(Role::kConditioning);
    const Region own = region(task_.window, task_.tile);
    require(inside(own.rect, frame(task_.level)), "a tile reaches beyond the frame");
    require(own.rect.y % 2 == 0 && own.rect.x % 2 == 0 && own.rect.height % 2 == 0 && own.rect.width % 2 == 0,
            "a tile is not made of whole patches");
    if (task_.level == 1) only(Role::kGuide);
    if (task_.segment > 0) blends(own, task_.segment - 1);
    fits_latents(own, 5);
  }
  void window_critique() {
    const Input* latent = only(Role::kLatent);
    if (latent != nullptr)
      require(latent->window == task_.window && latent->segment == task_.segment, "another window's latents");
    fits_clip(task_.recipe.height, task_.recipe.width,
              (region(task_.window, 0).t.size() - 1) * stride_t() + 1);
  }
  void take_critique() {
    shows(task_.take, 0);
    fits_delivery(0, task_.recipe.frames);
  }
  void decode() {
    blends(whole(task_.level), static_cast<int>(task_.sampling().segments.size()) - 1);
    const auto tiles = decode_tiles(task_.level);
    require(task_.tile < static_cast<int>(tiles.size()), "a decode tile that the recipe does not have");
    if (!problem_.empty()) return;
    const Rect tile = tiles[static_cast<std::size_t>(task_.tile)];
    require(inside(tile, frame(task_.level)), "a decode tile reaches beyond the frame");
    const std::int64_t height = tile.height * stride_y(), width = tile.width * stride_x();
    fits_clip(height, width, stride_t());
    fits_artifact(height * width * task_.recipe.rendered_frames * 6);
  }
  void enlarge() {
    shows(task_.take, 0);
    const int scale = task_.recipe.master.scale;
    fits_clip(task_.recipe.height * scale, task_.recipe.width * scale, stride_t());
    fits_latents(whole(1), 1);
  }
  void finish() {
    shows(task_.take, 1);
    only(Role::kCritique);
    require(task_.frames.size() > 0 && task_.frames.end <= task_.recipe.frames, "frames outside the take");
    fits_delivery(1, 1);
  }
  void deliver() {
    std::set<int> takes{task_.take}, judged;
    for (const Input* input : inputs(Role::kFrames)) takes.insert(input->take);
    for (const int take : takes) shows(take, task_.level);
    for (const Input* input : inputs(Role::kCritique)) {
      require(takes.contains(input->take), "the critique of a take that is not shown");
      require(judged.insert(input->take).second, "two critiques of a take");
    }
    require(judged.contains(task_.take), "the delivered take has no critique");
    if (task_.level == 1) require(!inputs(Role::kFiles).empty(), "the finished files are missing");
    fits_delivery(task_.level, 1);
  }

  const Task& task_;
  const ModelGrid& grid_;
  std::map<Role, std::vector<const Input*>> by_role_;
  std::set<Role> used_;
  std::string problem_;
};

}  // namespace

Status stand_in_run(std::string_view description, const ModelGrid& grid) {
  const auto task = worker::read_task(description);
  if (!task) return tl::unexpected(task.error());
  return Checker(*task, grid).run();
}

}  // namespace rushes::scheduler
