// The farm as people see it: plain structs for the HTTP API, read from a State.
//
// Thread contract: the functions read the State and run on the core thread; what they return are values.
#pragma once

#include <array>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "scheduler/core/report/shot_times.h"
#include "scheduler/core/state/state.h"

namespace rushes::scheduler::view {

// One window's way through denoising, for a progress bar.
struct WindowProgress {
  std::uint32_t window = 0;
  Range latents;  // latent frames
  std::uint32_t segments = 0, done = 0;
  float fraction = 0;  // 0..1, with the running segment's own progress
  std::string doing;   // what its running attempt says, may be empty
  std::string worker;  // who runs it now, may be empty
  std::uint32_t revision = 0;
};

struct StageSeconds {
  Stage stage = Stage::kEncode;
  std::uint32_t level = 0;
  std::uint32_t tasks = 0, done = 0;
  double wall_seconds = 0;  // of accepted results
};

// Decoded frames of one tile, of all frames of a take.
struct DecodedTile {
  std::uint32_t tile = 0;
  Output frames;
};

struct VersionInfo {  // a first rendering (number 0) or a revision
  std::uint32_t number = 0;
  std::vector<std::uint32_t> windows;
  std::uint64_t seed = 0;
  std::string reason, by;
  bool judged = false, kept = false, left = false;  // left: its pictures, by the show's retention
  Verdict verdict = Verdict::kUnknown;
  float score = 0;
  DeviceSeconds cost;
  // Once it was judged; without both when the worker was older than they are.
  std::optional<Output> movie, sheet;
  std::vector<DecodedTile> decoded;  // of the tiles that are there
};

// What one critique task says or is doing.
struct CritiqueInfo {
  TaskId task;
  std::uint32_t take = 0, version = 0, window = 0;
  bool whole_take = false;
  TaskState state = TaskState::kPending;
  std::string doing;  // what the critics look at now
  Range frames;
  Critique critique;  // when succeeded
};

struct TakeInfo {
  std::uint32_t number = 0;
  TakeState state = TakeState::kPlanned;
  std::string reason;
  std::uint64_t seed = 0;
  std::uint32_t rank = 0;               // 1 is best, 0: not ranked
  Verdict verdict = Verdict::kUnknown;  // of the kept version
  float score = 0;
  bool judged = false;
  std::string stage;   // the stage that is under way: "denoise", "critique", ...
  float fraction = 0;  // of the take's planned work
  std::vector<WindowProgress> windows, master_windows;
  std::vector<VersionInfo> versions;
  std::vector<StageSeconds> seconds;
  std::vector<DecodedTile> master_decoded;
  std::string recipe_hash;  // hex; empty until the take is planned
  DeviceSeconds cost;
  std::string left_reason;        // why pictures of it left
  std::int64_t left_wall_ms = 0;  // 0: none left
};

// A task that people ask about by its number.
struct NotableTask {
  TaskId task;
  std::string name;  // as TaskInfo's
  TaskState state = TaskState::kPending;
  std::string worker;  // who has it, or had it last
  float fraction = 0;
  std::string words;  // what it does, or what its last attempt failed of
};
inline constexpr std::size_t kMaxNotable = 64;

struct ShotInfo {
  std::string shot, show, name, prompt, model;
  ShotState state = ShotState::kQueued;
  std::string reason;  // of attention and cancelled
  TaskId attention_task;
  std::string waiting;      // why nothing moves, from the scheduler's own decision; empty when something runs
  std::string waiting_for;  // the kind of that reason in a word: "limit", "share" (explain.h)
  std::optional<double> starts_in_seconds;  // about, of what waits; only of one shot
  std::int64_t deadline_wall_ms = 0;        // 0: none
  bool at_risk = false;                     // its deadline is in danger: it is served faster
  double slack_seconds = 0;                 // what the deadline leaves beside the work that is left
  std::vector<std::string> limits;          // shared limits that it claims
  bool pause_requested = false, paused = false;
  std::uint32_t priority = 0, frames = 0, approved = 0;
  config::Rate fps;  // delivered
  std::uint64_t batch = 0;
  std::string numeric_class;
  TaskCounts tasks{};  // by TaskState
  float fraction = 0;
  std::string approved_by;  // empty: not approved, or an older journal does not say
  std::int64_t approved_wall_ms = 0;
  std::optional<ShotTimes> times;          // only of one shot
  double elapsed_seconds = 0;              // wall, since the first task was leased
  std::optional<double> estimate_seconds;  // wall, until it ends; absent while nothing was measured
  DeviceSeconds cost;                      // with what its running attempts took so far
  std::vector<TakeInfo> takes;
  // Failed tasks and the one that attention is about, then those that run, at most kMaxNotable; only of one shot.
  std::vector<NotableTask> notable;
  std::vector<DeliveryDone> deliveries;
  std::int64_t created_wall_ms = 0, started_wall_ms = 0, finished_wall_ms = 0;
};

struct TaskInfo {
  TaskId task;
  std::string shot, name;  // name: "sh010 take 1 denoise window 0 steps 3-6"
  Stage stage = Stage::kEncode;
  std::uint32_t take = 0, level = 0, window = 0, segment = 0, tile = 0, revision = 0;
  TaskState state = TaskState::kPending;
  std::string reason;       // why it waits, or why it ended
  std::string waiting_for;  // the kind of that reason in a word (explain.h); empty: it does not wait
  std::optional<double> starts_in_seconds;  // about
  bool ahead = false;                       // it runs ahead of its checkpoint's verdict
  std::uint32_t attempts = 0, failures = 0, lost_attempts = 0;
  std::string worker;  // who has it, or whose result was accepted
  float fraction = 0;
  std::vector<TaskId> needs;
  std::vector<Output> outputs;
  DeviceSeconds cost;
  std::int64_t planned_wall_ms = 0, started_wall_ms = 0, finished_wall_ms = 0;
};

struct WorkerInfo {
  std::string name, build,
      state;             // state: "connected", "lost", "stopped", "draining", "drained", "quarantined"
  bool drained = false;  // by a person: it gets nothing new until it is undrained
  // Lost or stopped since; 0: it is there, or was not heard of since the scheduler started, at unheard_wall_ms.
  std::int64_t gone_wall_ms = 0, unheard_wall_ms = 0;
  WorkerProcess process;
  std::uint32_t prefetch = 0, held = 0, running = 0;
  Resources offered, taken;                          // taken: by the attempts that have a slot
  std::vector<std::string> numeric_classes, models;  // models: names
  std::vector<DeviceState> devices;                  // as it told last
  std::vector<TaskId> tasks;
  std::uint64_t accepted = 0, failed = 0;
  DeviceSeconds cost;
  std::int64_t seen_wall_ms = 0, joined_wall_ms = 0;
};

struct FarmInfo {
  std::uint64_t epoch = 0, last_event = 0;
  TaskCounts tasks{};
  std::uint32_t shots = 0, open_shots = 0, workers = 0, connected = 0, slots = 0;
  Counters counters;
};

// What the farm counts, for GET /metrics.
struct ShowFigures {
  std::string name;
  TaskCounts tasks{};
  StageCosts costs{};  // of attempts that are over
};
struct FarmFigures {
  FarmInfo farm;
  std::vector<ShowFigures> shows;
  std::map<std::string, std::uint32_t> workers;             // by WorkerInfo::state; every state is there
  std::array<std::uint32_t, kShotStates> shots{};           // by state, without archived ones
  std::map<std::string, std::vector<DeviceState>> devices;  // by name of the connected worker
};

FarmInfo farm(const State& state);
FarmFigures figures(const State& state);
std::vector<ShotInfo> shots(const State& state,
                            Now now);  // newest last; takes without windows, seconds and pictures
std::optional<ShotInfo> shot(const State& state, std::string_view key, Now now);
std::optional<TaskInfo> task(const State& state, TaskId id, Now now);
std::vector<TaskInfo> tasks(const State& state, std::string_view shot, Now now);
std::vector<CritiqueInfo> critiques(const State& state, std::string_view shot);
std::vector<WorkerInfo> workers(const State& state, Now now);

}  // namespace rushes::scheduler::view
