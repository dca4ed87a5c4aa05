// The words of storage/records.capnp as plain C++ values: recipes, tasks, results, critiques.
//
// Same names, same meaning, same ranges as the schema (read it for the documentation of a field); conversion
// lives in plan/recipe.h, plan/compose.h and core/journal/record_codec.h. Latent coordinates are absolute in the
// take.
//
// Thread contract: plain values.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "config/rate.h"
#include "config/sampling.h"
#include "storage/digest.h"

namespace rushes::scheduler {

using storage::Digest;  // BLAKE2b-256
using Bytes = std::vector<std::uint8_t>;
using TaskId = std::uint64_t;  // from 1, dense, never reused; 0 = none

// Values equal those of the schema's enumerants.
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
inline constexpr int kStages = 8;
const char* to_string(Stage stage);  // "encode", "denoise", ...

enum class Verdict : std::uint8_t { kUnknown, kPass, kRevise, kReject };
const char* to_string(Verdict verdict);  // "unknown", "pass", "revise", "reject"

struct Range {
  std::uint32_t begin = 0, end = 0;  // half-open
  std::uint32_t size() const { return end - begin; }
  bool operator==(const Range&) const = default;
};

struct Tile {
  std::uint32_t y = 0, x = 0, height = 0, width = 0;  // latent pixels, without halo
  bool operator==(const Tile&) const = default;
};

struct Sampling {
  config::Sampler sampler = config::Sampler::kUniPc;
  std::vector<float> sigmas;     // steps + 1, the last 0
  std::vector<float> timesteps;  // steps
  float guidance = 1;
  std::vector<Range> segments;  // runs of steps, disjoint, ascending, covering all steps
  bool operator==(const Sampling&) const = default;
};

// A picture that the shot must show; bytes is the artifact's size.
struct KeyFrame {
  std::uint32_t frame = 0;
  Digest image{};
  std::uint64_t bytes = 0;
  bool operator==(const KeyFrame&) const = default;
};

struct Revision {
  std::uint32_t number = 0;  // from 1; 0 is the first rendering
  std::vector<std::uint32_t> windows;
  std::uint64_t seed = 0;
  std::string reason;
  bool operator==(const Revision&) const = default;
};

struct Master {
  std::uint32_t scale = 0;  // 0: no upgrade planned
  Sampling sampling;
  std::vector<Tile> tiles, decode_tiles;
  std::vector<Range> windows;
  bool operator==(const Master&) const = default;
};

struct Recipe {
  std::string engine_build, numeric_class, model;
  Digest model_digest{};
  std::string prompt, negative_prompt;
  std::uint64_t seed = 0;
  config::Rate fps;
  std::uint32_t frames = 0, rendered_frames = 0;
  std::uint32_t width = 0, height = 0, deliver_width = 0, deliver_height = 0;
  Sampling draft;
  std::vector<Range> windows;
  std::vector<KeyFrame> key_frames;
  std::vector<Revision> revisions;
  Master master;
  std::vector<Tile> decode_tiles;  // of the draft; empty: the whole frame is one tile
  bool operator==(const Recipe&) const = default;
};

struct Output {
  std::string role;
  Digest digest{};
  std::uint64_t bytes = 0;
  bool operator==(const Output&) const = default;
};

struct Score {
  std::string dimension;
  float score = 0, threshold = 0;
  bool operator==(const Score&) const = default;
};

struct Box {
  float x = 0, y = 0, width = 1, height = 1;
  bool operator==(const Box&) const = default;
};

struct Finding {
  std::string dimension;
  float severity = 0;
  Range frames;
  std::uint32_t window = 0;
  Box box;
  std::string message, remedy;
  double evidence = 0, threshold = 0;
  bool operator==(const Finding&) const = default;
};

struct Critique {
  Verdict verdict = Verdict::kUnknown;
  float score = 0;
  std::vector<Score> dimensions;
  std::vector<Finding> findings;
  std::string critics;
  double compute_seconds = 0;
  bool operator==(const Critique&) const = default;
};

struct TaskResult {
  std::vector<Output> outputs;
  double compute_seconds = 0, wall_seconds = 0;
  std::uint64_t peak_memory_bytes = 0;
  Critique critique;  // critique tasks only
  std::string numeric_class;
  std::vector<std::string> files;
  bool operator==(const TaskResult&) const = default;
};

// What a shot changes about one critic; a negative threshold keeps the critic's own.
struct CriticSetting {
  std::string name;
  bool enabled = true;
  float revise = -1, reject = -1;
  bool operator==(const CriticSetting&) const = default;
};

// Facts of the model that planning needs again after the manifest is gone (upgrades, revisions).
struct ModelGrid {
  std::uint32_t window_frames = 0;                           // native window, 4n+1
  std::uint32_t stride_t = 4, stride_y = 16, stride_x = 16;  // frames, rows, columns per latent
  bool operator==(const ModelGrid&) const = default;
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
  std::uint32_t revise_windows = 2;    // budget per take
  double revise_compute_seconds = -1;  // budget per take, < 0: no bound
  std::vector<CriticSetting> critics;
  std::uint32_t start_frame = 1001;
  std::string timecode = "01:00:00:00", reel;
  config::Rate deliver_rate;          // differs from recipe.fps when the shot conforms
  std::int64_t deadline_wall_ms = 0;  // since 1970; 0: none
  std::vector<std::string> limits;    // shared limits that its tasks claim, ascending
  bool operator==(const ShotSpec&) const = default;
};

// A task waits for another one; with `data` its outputs are also its inputs.
struct Dependency {
  TaskId task = 0;
  bool data = true;
  bool operator==(const Dependency&) const = default;
};

// One task of a graph. Coordinates as in TaskSpec.
struct PlannedTask {
  TaskId id = 0;
  Stage stage = Stage::kEncode;
  std::uint32_t take = 0;  // 0: the whole shot
  std::uint32_t level = 0, window = 0, segment = 0, tile = 0, revision = 0;
  Range frames;
  bool whole_take = false;
  bool master_delivery = false;    // deliver, finish
  std::uint64_t memory_bytes = 0;  // what it needs at most, an estimate (plan/cost.h)
  double work = 0;                 // relative effort inside its stage: tokens x steps, or pixels
  std::vector<Dependency> needs;   // the order decides the order of the inputs
  bool operator==(const PlannedTask&) const = default;
};

// The tasks of one version of a take. Windows that a revision leaves alone keep the tasks of its parent.
struct VersionGraph {
  std::vector<TaskId> denoise;      // [window * segments + segment]
  std::vector<TaskId> checkpoints;  // gated shots: critique at the inner checkpoint, one per window
  std::vector<TaskId>
      window_critiques;        // at the last checkpoint, one per window; empty when there is one window
  std::vector<TaskId> decode;  // one per decode tile
  TaskId critique = 0;         // of the whole take
  bool operator==(const VersionGraph&) const = default;
};

// The tasks of an upgrade.
struct UpgradeGraph {
  TaskId enlarge = 0;          // 0: no upgrade planned
  std::vector<TaskId> refine;  // [(window * tiles + tile) * segments + segment]
  std::vector<TaskId> decode, finish;
  TaskId deliver = 0;
  bool operator==(const UpgradeGraph&) const = default;
};

}  // namespace rushes::scheduler
