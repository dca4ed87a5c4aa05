// The words that scheduler, workers and tools share: recipes, tasks, results, critiques as plain C++ values.
//
// Same names, same meaning and same ranges as storage/records/records.capnp, which documents every field;
// storage/records/words_codec.h turns them into bytes and back. Latent coordinates are absolute in the take.
//
// Thread contract: plain values.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "config/digest.h"
#include "config/rate.h"
#include "config/sampling.h"
#include "config/stage.h"
#include "storage/records/ids.h"

namespace rushes {

using Bytes = std::vector<std::uint8_t>;
inline std::string_view chars_of(std::span<const std::uint8_t> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}
using TaskId = Id<struct TaskTag, std::uint64_t, 0>;  // from 1, dense, never reused

// ---- enums: values equal those of the schema's enumerants; to_string() is the one table of an enum's words. Stage is in config/stage.h

enum class Verdict : std::uint8_t { kUnknown, kPass, kRevise, kReject };
inline constexpr int kVerdicts = 4;
const char* to_string(Verdict verdict);  // "unknown", "pass", "revise", "reject"

// What an artifact is to the task that reads it; stored and sent as its word.
enum class Role : std::uint8_t {
  kImage,         // a key frame's picture
  kConditioning,  // encode
  kLatent,        // denoise, refine
  kHistory,       // of a solver: read by the next segment of the same window and tile only
  kFrames,        // decode
  kGuide,         // enlarge
  kCritique,      // critique
  kFiles,         // finish: names and pixel hashes of the frames written
  kSidecar,       // deliver
  kProxy,         // critique of a whole take: its movie, for people
  kSheet          // critique of a whole take: its contact sheet, for people
};
inline constexpr int kRoles = 11;
const char* to_string(Role role);  // "image", "conditioning", ...

// Why an attempt failed; journals store the word. Values up to kDevice equal those of wire.capnp, which says
// when a worker sends each; the scheduler itself writes the other two.
enum class FailKind : std::uint8_t {
  kEngine,
  kCrash,
  kMemory,
  kInput,
  kModel,
  kTimeout,
  kArtifact,
  kRefused,
  kDevice,
  kLost,    // the worker was silent or started anew
  kStopped  // the attempt was called off or given back
};
inline constexpr int kFailKinds = 11;
const char* to_string(
    FailKind kind);  // "engine", "crash", "memory", "input", "model", "timeout", "artifact", ...

// Where the cause of a failed attempt lies.
enum class Fault : std::uint8_t {
  kInput,     // in what the shot asks: the same on every host, so it is not tried again
  kHost,      // in the host or its network, as far as one attempt can tell
  kDevice,    // in a device of the host, or in the memory of either
  kModel,     // in the model's files of this host
  kCancelled  // nowhere: the attempt was called off
};
inline constexpr int kFaults = 5;
const char* to_string(Fault fault);  // "input", "host", "device", "model", "cancelled"
Fault fault_of(FailKind kind);

// What a slot of a worker runs on.
enum class SlotKind : std::uint8_t { kCpu, kGpu };
inline constexpr int kSlotKinds = 2;
inline constexpr std::array kEverySlotKind{SlotKind::kCpu, SlotKind::kGpu};
const char* to_string(SlotKind kind);  // "cpu", "gpu"

template <>
inline constexpr int kCount<Verdict> = kVerdicts;
template <>
inline constexpr int kCount<Role> = kRoles;
template <>
inline constexpr int kCount<FailKind> = kFailKinds;
template <>
inline constexpr int kCount<Fault> = kFaults;
template <>
inline constexpr int kCount<SlotKind> = kSlotKinds;

// Whether an attempt computes tensors: it loads the model and belongs to its take's numeric class. All others
// decode, encode and judge pictures on the host's CPU, with the same result in every class.
bool computes_tensors(Stage stage, bool whole_take);

// ---- geometry

struct Range {
  int begin = 0, end = 0;  // half-open
  int size() const { return end - begin; }
  bool contains(int i) const { return begin <= i && i < end; }
  bool operator==(const Range&) const = default;
};

// Records call it Tile. Latent pixels, without halo.
struct Rect {
  int y = 0, x = 0, height = 0, width = 0;
  bool operator==(const Rect&) const = default;
};

// Normalised 0..1, origin at the top left, y down.
struct Box {
  float x = 0, y = 0, width = 1, height = 1;
  bool operator==(const Box&) const = default;
};

// ---- recipes: everything that decides a take's pixels

struct Sampling {
  config::Sampler sampler = config::Sampler::kUniPc;
  std::vector<float> sigmas;     // steps + 1, the last 0
  std::vector<float> timesteps;  // steps
  float guidance = 1;
  std::vector<Range> segments;  // runs of steps, disjoint, ascending, covering all steps
  int steps() const { return static_cast<int>(timesteps.size()); }
  bool operator==(const Sampling&) const = default;
};

// A picture that the shot must show; bytes is the artifact's size.
struct KeyFrame {
  int frame = 0;
  Digest image{};
  std::uint64_t bytes = 0;
  bool operator==(const KeyFrame&) const = default;
};

struct Revision {
  std::uint32_t number = 0;  // from 1; 0 is the first rendering
  std::vector<std::uint32_t> windows;
  std::uint64_t seed = 0;
  std::string reason;
  std::string prompt = {};  // with which the windows were rendered; empty: that of before
  bool operator==(const Revision&) const = default;
};

struct Master {
  int scale = 0;  // 0: no upgrade planned
  Sampling sampling;
  std::vector<Rect> tiles;         // of refine tasks, overlapping
  std::vector<Rect> decode_tiles;  // disjoint
  std::vector<Range> windows;
  bool operator==(const Master&) const = default;
};

// How each window was made of prompt, seed and revisions: storage/records/lineage.h.
struct Recipe {
  std::string engine_build, numeric_class, model;
  Digest model_digest{};
  std::string prompt;  // the take's own; empty: an older recipe, whose revisions have prompts, does not say
  std::string negative_prompt;
  std::uint64_t seed = 0;  // the take's own
  config::Rate fps;
  int frames = 0, rendered_frames = 0;
  int width = 0, height = 0, deliver_width = 0, deliver_height = 0;
  Sampling draft;
  std::vector<Range> windows;
  std::vector<KeyFrame> key_frames;
  std::vector<Revision> revisions;
  Master master;
  std::vector<Rect> decode_tiles;  // of the draft; empty: the whole frame is one tile
  bool operator==(const Recipe&) const = default;
};

// ---- tasks

// The one attempt that may deliver a task's result.
struct AttemptId {
  TaskId task;
  std::uint32_t attempt = 0;  // from 1
  std::uint64_t lease = 0;    // never reused
  auto operator<=>(const AttemptId&) const = default;
};
std::string to_string(const AttemptId& id);  // "task 12 attempt 2"

// An artifact that a task reads, and the task that made it.
struct Input {
  Role role = Role::kLatent;
  Digest digest{};
  std::uint64_t bytes = 0;
  Stage stage = Stage::kEncode;
  int take = 0, window = 0, segment = 0, tile = 0, revision = 0, level = 0;
  bool operator==(const Input&) const = default;
};

// How the scores of one critic count (config/critics.h). Older shots list only what they changed: a critic that is
// not listed has its default rule, a negative threshold is the default one.
struct CriticSetting {
  std::string name;
  bool enabled = true;
  float revise = -1, reject = -1;
  bool blocks = true;  // false: it advises
  bool operator==(const CriticSetting&) const = default;
};

// What a contact sheet says of a take beside its critique.
struct TakeShown {
  int take = 0, version = 0;  // the current version
  std::uint64_t seed = 0;     // of the version's windows
  int rank = 0;               // from 1, the best; 0: not ranked
  bool operator==(const TakeShown&) const = default;
};

struct Delivery {
  std::string folder, version;
  int start_frame = 1001;
  std::string timecode, reel;
  bool master = false;
  config::Rate fps{0, 0};         // of the delivered frames; 0/0: the recipe's
  std::int64_t shot_wall_ms = 0;  // when the shot was submitted: tells shots of one name on two farms apart
  std::vector<TakeShown> takes;   // deliver: all takes of the shot; older schedulers list none
  bool operator==(const Delivery&) const = default;
};

// One task as a worker gets it.
struct TaskSpec {
  TaskId id;
  std::string show, shot;
  int take = 0;  // from 1; 0: the whole shot
  Stage stage = Stage::kEncode;
  int level = 0, window = 0, segment = 0, tile = 0, revision = 0;
  Range frames;
  bool whole_take = false;
  Bytes recipe_bytes;  // canonical
  std::vector<Input> inputs;
  Delivery delivery;  // finish, deliver
  std::string name;   // for people
  std::vector<CriticSetting> critics;
  bool operator==(const TaskSpec&) const = default;
};

// ---- results

struct Output {
  Role role = Role::kLatent;
  Digest digest{};
  std::uint64_t bytes = 0;
  bool operator==(const Output&) const = default;
};

struct Score {
  std::string dimension;
  double score = 0;
  double threshold = 0, reject = 0;  // the rule's thresholds in force
  bool blocks = true;                // false: it advises
  bool operator==(const Score&) const = default;
};

struct Finding {
  std::string dimension;
  double severity = 0;  // 0..1
  Range frames;         // of the take
  int window = 0;       // the window to render again
  Box box;
  std::string message, remedy;         // for people: what was seen, what would help
  double evidence = 0, threshold = 0;  // the measured number and the limit it broke, in the critic's unit
  bool blocks = true;                  // false: advice, which changes no verdict and asks for no revision
  bool operator==(const Finding&) const = default;
};

struct Critique {
  Verdict verdict = Verdict::kUnknown;
  double score = 0;  // the worst dimension's, of those that block
  std::vector<Score> dimensions;
  std::vector<Finding> findings;
  std::string critics;  // names and versions of the critics that ran
  double compute_seconds = 0;
  bool operator==(const Critique&) const = default;
};

struct TaskResult {
  std::vector<Output> outputs;
  double compute_seconds = 0, wall_seconds = 0;
  std::uint64_t peak_memory_bytes = 0;
  Critique critique;  // critique tasks only
  std::string numeric_class;
  std::vector<std::string> files;  // finish, deliver: relative to the deliveries folder
  bool operator==(const TaskResult&) const = default;
};

// ---- workers

struct ModelOffer {
  std::string name;
  Digest digest{};  // config::model_digest()
  auto operator<=>(const ModelOffer&) const = default;
};

// One value for each kind of slot.
template <class T>
struct BySlotKind {
  std::array<T, kSlotKinds> values{};
  T& operator[](SlotKind kind) { return values[static_cast<std::size_t>(kind)]; }
  const T& operator[](SlotKind kind) const { return values[static_cast<std::size_t>(kind)]; }
  auto operator<=>(const BySlotKind&) const = default;
};
using SlotCounts = BySlotKind<std::uint32_t>;
inline std::uint32_t total(const SlotCounts& slots) { return slots[SlotKind::kCpu] + slots[SlotKind::kGpu]; }

// What a worker has for attempts, or what they take of it. The memory is what is left beside the weights of models.
struct Resources {
  SlotCounts slots;                // attempts that run at once
  std::uint64_t host_bytes = 0;    // of all attempts together
  std::uint64_t device_bytes = 0;  // of all GPU slots together; each is a device with an equal share of it
  auto operator<=>(const Resources&) const = default;
};

// What is new in a version of WorkerOffer::protocol_version.
inline constexpr std::uint32_t kTakesStoredSpecs = 2;  // task descriptions that are artifacts
inline constexpr std::uint32_t kTellsSlotsByKind =
    3;  // and runs a stage without tensors for takes of any class
inline constexpr std::uint32_t kNamesItsProcess = 4;  // and says that it leaves

// What a worker offers while it is connected.
struct WorkerOffer {
  std::string build;
  std::uint32_t protocol_version = 1;
  Resources resources{{{1, 0}}, 0, 0};
  std::uint32_t prefetch = 0;  // attempts that wait behind those that run, of all kinds together
  std::vector<std::string> numeric_classes;  // of its engines, in its order of preference
  std::vector<ModelOffer> models;
  auto operator<=>(const WorkerOffer&) const = default;
};

inline constexpr std::size_t kMaxProcessRemarks = 64;
inline constexpr std::size_t kMaxDevices = 64;

// A GPU of a worker, as its driver tells it.
struct DeviceState {
  std::string name;        // "NVIDIA H200"
  std::string capability;  // compute capability, "9.0"; empty: the driver does not say
  std::string driver;      // its version, "580.95.05"
  std::uint64_t total_bytes = 0, free_bytes = 0;
  std::int32_t celsius = -1;        // temperature; -1: the driver does not say
  std::uint64_t memory_errors = 0;  // uncorrected, since the driver was loaded
  std::string trouble;              // why it cannot be asked, empty: it can
  bool operator==(const DeviceState&) const = default;
};

// One start of a worker's agent.
struct WorkerProcess {
  std::string id;    // drawn at random; empty: of a build before kNamesItsProcess
  std::string lock;  // names the lock of its folder, which one process at a time can hold
  std::string host;
  std::uint32_t pid = 0;
  std::string address;  // as the scheduler sees it
  // What it could not offer, and why, and what its engines noted at their start; at most kMaxProcessRemarks.
  std::vector<std::string> remarks;
  bool operator==(const WorkerProcess&) const = default;
};
std::string to_string(const WorkerProcess& process);  // "bay1 (10.0.0.7), process 4711"

// Where tensors of a class are computed: those of "cuda-..." on a GPU, those of any other class on the CPU.
SlotKind slot_kind_of(std::string_view numeric_class);

// Protocol versions before kTellsSlotsByKind know slots of one kind, that of the first numeric class, and bytes
// of memory for all of them: of devices on a GPU worker, of the host on others. What such an offer means now (a host
// has at least as much memory as its devices), and what a worker tells those who know no more.
struct PlainOffer {
  std::uint32_t slots = 1;
  std::uint64_t memory_bytes = 0;
};
Resources resources_of(const PlainOffer& plain, const std::vector<std::string>& numeric_classes);
PlainOffer plain_offer(const Resources& resources);

}  // namespace rushes
