// A task as the engine sees it: TaskSpec and Recipe of storage/records/records.capnp, checked and turned into plain
// values.
//
// The bytes come over the wire and are hostile until read here: message size, list lengths, text lengths,
// ranges inside the take, tiles inside the frame. After read_task() every index can be used without another
// check.
//
// Thread contract: plain values.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "config/result.h"
#include "config/sampling.h"
#include "config/schedule.h"
#include "worker/picture/frames.h"

namespace rushes::worker {

enum class Stage : std::uint8_t {
  kEncode,
  kDenoise,
  kCritique,
  kDecode,
  kEnlarge,
  kRefine,
  kFinish,
  kDeliver
};
std::string_view to_string(Stage stage);

struct Run {  // half open
  int begin = 0, end = 0;
  int length() const { return end - begin; }
  bool contains(int i) const { return begin <= i && i < end; }
  bool operator==(const Run&) const = default;
};

struct Rect {  // latent pixels
  int y = 0, x = 0, height = 0, width = 0;
  bool operator==(const Rect&) const = default;
};

struct SamplingPlan {
  config::Sampler sampler = config::Sampler::kEuler;
  config::Schedule schedule;
  float guidance = 1.0F;
  std::vector<Run> segments;  // steps; together [0, steps)
};

struct TaskKeyFrame {
  int frame = 0;
  Digest image{};
};

struct TaskRevision {
  int number = 0;
  std::vector<int> windows;
  std::uint64_t seed = 0;
};

struct MasterPlan {
  int scale = 0;
  SamplingPlan sampling;
  std::vector<Rect> tiles;         // refine, overlapping
  std::vector<Rect> decode_tiles;  // disjoint
  std::vector<Run> windows;        // latent frames
};

struct TaskRecipe {
  std::string engine_build, numeric_class, model, prompt, negative_prompt;
  Digest model_digest{};
  Digest hash{};  // of the canonical recipe: what the EXR header and the sidecar name
  std::uint64_t seed = 0;
  FrameRate fps;
  int frames = 0, rendered_frames = 0;
  int width = 0, height = 0, deliver_width = 0, deliver_height = 0;
  SamplingPlan draft;
  std::vector<Run> windows;  // latent frames
  std::vector<TaskKeyFrame> key_frames;
  std::vector<TaskRevision> revisions;
  std::optional<MasterPlan> master;
  std::vector<Rect> decode_tiles;  // of the draft, disjoint; empty: the whole frame is one tile
};

struct TaskInput {
  std::string role;
  Digest digest{};
  Stage stage = Stage::kEncode;
  int take = 0, window = 0, segment = 0, tile = 0, revision = 0, level = 0;
};

struct TaskCritic {
  std::string dimension;
  bool enabled = true;
  double revise = -1.0, reject = -1.0;  // negative: the default
  bool blocks = true;
};

struct TaskDelivery {
  std::string folder, version, timecode, reel;
  int start_frame = 1001;
  bool master = false;
  FrameRate fps;  // of the delivered frames: the model's, or the shot's where it conforms
};

struct Task {
  std::uint64_t id = 0;
  std::string show, shot, name;
  int take = 0;
  Stage stage = Stage::kEncode;
  int level = 0, window = 0, segment = 0, tile = 0, revision = 0;
  Run frames;
  bool whole_take = false;
  TaskRecipe recipe;
  std::vector<TaskInput> inputs;
  std::vector<TaskCritic> critics;  // critique: what the shot changes of the critics' defaults
  TaskDelivery delivery;

  const SamplingPlan& sampling() const { return level == 0 ? recipe.draft : recipe.master->sampling; }
  const std::vector<Run>& windows() const { return level == 0 ? recipe.windows : recipe.master->windows; }
  // Of the task's level; empty: the whole frame is one tile.
  const std::vector<Rect>& decode_tiles() const {
    return level == 0 ? recipe.decode_tiles : recipe.master->decode_tiles;
  }
  int scale() const { return level == 0 ? 1 : recipe.master->scale; }
};

// `bytes` is a flat Cap'n Proto message with a TaskSpec root. Error: kInvalid, says which field.
Result<Task> read_task(std::span<const std::byte> bytes);

}  // namespace rushes::worker
