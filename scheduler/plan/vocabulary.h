// The words of planning: shots as the farm keeps them, and the graphs of their tasks.
//
// Same names and ranges as storage/records/records.capnp, which documents every field. What workers see too is in
// storage/records/words.h.
//
// Thread contract: plain values.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "config/model_memory.h"
#include "config/picture.h"
#include "storage/records/words.h"

namespace rushes::scheduler {

// Facts of the model that planning needs again after the manifest is gone (upgrades, revisions).
struct ModelGrid {
  int window_frames = 0;                           // native window, 4n+1
  int stride_t = 4, stride_y = 16, stride_x = 16;  // frames, rows, columns per latent
  int channels = 16;                               // of a latent
  config::ModelMemory memory;
  bool operator==(const ModelGrid&) const = default;
};

// A picture of a shot, looked at and stored.
struct StoredPicture {
  KeyFrame key;
  config::PictureLoad load;
};

// A shot as the farm keeps it: what was asked, resolved against the model. `recipe` is the recipe of every
// take except seed, class and build.
struct ShotSpec {
  std::string show, name;
  Recipe recipe;
  ModelGrid grid;
  Sampling master;                   // used when the take is upgraded
  std::vector<std::uint64_t> seeds;  // one per take
  std::uint32_t priority = 50;
  bool gate = false, approve_best = false, upgrade = false;
  std::uint32_t scale = 4;
  std::uint32_t revise_windows = 2;   // budget per take
  double revise_device_seconds = -1;  // budget per take, < 0: no bound
  std::vector<CriticSetting> critics;
  std::uint32_t start_frame = 1001;
  std::string timecode = "01:00:00:00", reel;
  config::Rate deliver_rate;          // differs from recipe.fps when the shot conforms
  std::int64_t deadline_wall_ms = 0;  // since 1970; 0: none
  std::vector<std::string> limits;    // shared limits that its tasks claim, ascending
  config::PictureLoad pictures;       // its key frames; 0: none, or an older shot that does not say
  // What the model will not do as the prompt says, in sentences (config/prompt.h).
  std::vector<std::string> remarks;
  bool operator==(const ShotSpec&) const = default;
};

// A task waits for another one; with `data` its outputs are also its inputs.
struct Dependency {
  TaskId task;
  bool data = true;
  bool operator==(const Dependency&) const = default;
};

// One task of a graph. Coordinates as in TaskSpec.
struct PlannedTask {
  TaskId id;
  Stage stage = Stage::kEncode;
  std::uint32_t take = 0;  // 0: the whole shot
  std::uint32_t level = 0, window = 0, segment = 0, tile = 0, revision = 0;
  Range frames;
  bool whole_take = false;
  bool master_delivery = false;  // deliver, finish
  // What it needs at most, an estimate (plan/cost.h): pictures and files; and tensors, which lie in the memory of the
  // host or of a device, as the numeric class of its take has it.
  std::uint64_t host_bytes = 0, tensor_bytes = 0;
  double work = 0;                // relative effort inside its stage: tokens x steps, or pixels
  double host_seconds = 0;        // beside it, on one core of any host: pictures that people sent are read
  std::vector<Dependency> needs;  // the order decides the order of the inputs
  // The version of its take of whose recipe it makes again what left; none: its own version's.
  std::optional<std::uint32_t> replays;
  bool operator==(const PlannedTask&) const = default;
};

inline bool computes_tensors(const PlannedTask& task) {
  return computes_tensors(task.stage, task.whole_take);
}

// The tasks of one version of a take. Windows that a revision leaves alone keep the tasks of its parent.
struct VersionGraph {
  std::vector<TaskId> denoise;      // [window * segments + segment]
  std::vector<TaskId> checkpoints;  // gated shots: critique at the inner checkpoint, one per window
  std::vector<TaskId>
      window_critiques;        // at the last checkpoint, one per window; empty when there is one window
  std::vector<TaskId> decode;  // one per decode tile
  TaskId critique;             // of the whole take
  TaskId encode;               // of a prompt of its own; none: the shot's
  bool operator==(const VersionGraph&) const = default;
};

// The tasks of an upgrade.
struct UpgradeGraph {
  TaskId enlarge;              // 0: no upgrade planned
  std::vector<TaskId> refine;  // [(window * tiles + tile) * segments + segment]
  std::vector<TaskId> decode, finish;
  TaskId deliver;
  bool operator==(const UpgradeGraph&) const = default;
};

}  // namespace rushes::scheduler
