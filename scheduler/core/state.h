// The farm's state: shots, takes, tasks, workers, leases.
//
// Only apply() (core/apply.h) changes a State; everybody else reads it. Two kinds of fields:
//   kept   what records say; the same after every replay, part of snapshots and of state_hash()
//   soft   marked "soft": rebuilt from the kept fields (indexes) or forgotten at a restart (progress, lease
//   expiry,
//          who is connected); recovery renews every lease once
//
// Times: *_ms of CLOCK_BOOTTIME where a duration is meant (soft), wall_ms since 1970 where it is for people.
//
// Thread contract: owned by the core thread.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "scheduler/core/event.h"
#include "scheduler/core/event_log.h"
#include "scheduler/plan/vocabulary.h"

namespace rushes::scheduler {

using ShotId = std::uint32_t;    // index into State::shots
using WorkerId = std::uint32_t;  // index into State::workers
using ShowId = std::uint32_t;    // index into State::shows
inline constexpr std::uint32_t kNoIndex = 0xffffffff;

struct Now {
  std::int64_t boot_ms = 0;
  std::int64_t wall_ms = 0;
};

// DESIGN section 4. Values are stored; never renumber.
enum class TaskState : std::uint8_t {
  kPending,
  kReady,
  kLeased,
  kRunning,
  kSucceeded,
  kFailed,
  kCancelled,
  kAborted,
  kSkipped
};
inline constexpr int kTaskStates = 9;
enum class ShotState : std::uint8_t {
  kQueued,
  kDrafting,
  kReview,
  kUpgrading,
  kDelivered,
  kAttention,
  kCancelled
};
inline constexpr int kShotStates = 7;
enum class TakeState : std::uint8_t { kPlanned, kRendering, kJudged, kApproved, kDropped, kMaster };
const char* to_string(TaskState state);  // "pending", "ready", ...
const char* to_string(ShotState state);
const char* to_string(TakeState state);
inline bool is_final(TaskState s) { return s == TaskState::kSucceeded || s >= TaskState::kCancelled; }
inline bool is_held(TaskState s) { return s == TaskState::kLeased || s == TaskState::kRunning; }

// Why the last attempt ended without a result.
enum class AttemptEnd : std::uint8_t { kNone, kFailed, kExpired, kStopped, kWorkerRestarted };
const char* to_string(AttemptEnd end);

struct Failure {
  AttemptEnd end = AttemptEnd::kNone;
  std::uint32_t attempt = 0;
  std::string worker, kind, message, exit_cause, log_tail;
  std::int64_t wall_ms = 0;
  bool operator==(const Failure&) const = default;
};

struct Lease {
  std::uint64_t id = 0;
  WorkerId worker = kNoIndex;
  bool revoking = false;               // Revoke was sent; the lease lasts until Stopped or expiry
  TaskState then = TaskState::kReady;  // what the task becomes once it has stopped
  std::string revoke_reason;
  std::int64_t wall_ms = 0;          // when it was leased
  std::int64_t started_wall_ms = 0;  // 0: not started yet
  std::int64_t expires_ms = 0;       // soft
};

struct Progress {  // soft
  float fraction = 0;
  std::string text;
  double compute_seconds = 0;
  std::int64_t changed_ms = 0;  // when the fraction or text last changed: the no-progress watch
};

inline constexpr std::size_t kKeptFailures = 8;     // of one task
inline constexpr std::size_t kKeptLogBytes = 2048;  // of one failure; the whole log is in the ledger

struct Task {
  PlannedTask plan;
  ShotId shot = kNoIndex;
  TaskState state = TaskState::kPending;
  std::uint32_t attempt = 0;          // newest attempt, 0: none yet
  std::uint32_t failures = 0;         // attempts that failed since the last retry by a person
  std::uint32_t losses = 0;           // attempts that ended because a worker was lost
  Lease lease;                        // meaningful while is_held(state)
  std::vector<Failure> bad_attempts;  // the last ones that ended badly, at most kKeptFailures
  std::string closed_reason;          // of a final state other than succeeded
  std::uint32_t accepted_attempt = 0;
  std::uint64_t accepted_lease = 0;
  WorkerId accepted_worker = kNoIndex;
  TaskResult result;
  std::int64_t planned_wall_ms = 0, started_wall_ms = 0, finished_wall_ms = 0;
  // soft
  std::vector<TaskId> dependents;
  std::uint32_t missing = 0;        // dependencies that are not done yet
  std::uint32_t depth = 0;          // tasks on the longest way from here to an end
  std::uint32_t bucket = kNoIndex;  // index into State::buckets while it can be dispatched
  std::int64_t retry_at_ms = 0;     // > 0: held back after a failure
  Progress progress;
};

// One rendering of a take: number 0 is the first, number n the take's revision n. Tasks of windows that a
// revision does not touch are those of its parent (frozen).
struct Version {
  std::uint32_t number = 0, parent = 0;
  std::vector<std::uint32_t> windows;  // rendered for this version
  std::uint64_t seed = 0;
  std::string reason, by;  // by: a person, empty: the critics
  VersionGraph graph;
  Bytes recipe;  // canonical, with this version in its lineage
  Digest recipe_hash{};
  bool judged = false;
  Verdict verdict = Verdict::kUnknown;
  float score = 0;
  std::int64_t planned_wall_ms = 0, judged_wall_ms = 0;
};

struct Take {
  ShotId shot = kNoIndex;
  std::uint32_t number = 0;  // from 1
  TakeState state = TakeState::kPlanned;
  std::string reason;  // why it was dropped, who approved it
  std::vector<Version> versions;
  std::uint32_t kept = 0;  // the better version: what is shown, ranked and delivered
  UpgradeGraph upgrade;    // empty until planned
  Bytes master_recipe;
  Digest master_recipe_hash{};
};

struct DeliveryDone {
  std::uint32_t take = 0;
  bool master = false;
  std::string folder, version;
  std::vector<std::string> files;
  std::int64_t wall_ms = 0;
  bool operator==(const DeliveryDone&) const = default;
};

using TaskCounts = std::array<std::uint32_t, kTaskStates>;

struct Shot {
  std::string key;  // "show/shot"
  ShotSpec spec;
  std::uint64_t batch = 0;
  std::string by;
  ShowId show = kNoIndex;
  ShotState state = ShotState::kQueued;
  std::string reason;         // of attention and cancelled, one line
  TaskId attention_task = 0;  // the evidence, if it is one task
  bool pause_requested = false, paused = false;
  std::string numeric_class, engine_build;  // empty until the first task is leased
  TaskId encode = 0;
  std::vector<TaskId> tasks;           // all of them, ascending
  std::vector<Take> takes;             // takes[n-1] is take n
  std::vector<std::uint32_t> ranking;  // take numbers, best first; empty until all are judged
  std::uint32_t approved = 0;          // take number, 0: none
  TaskId draft_delivery = 0;           // the newest
  std::uint32_t draft_versions = 0, master_versions = 0;  // deliveries planned so far
  std::vector<DeliveryDone> deliveries;
  std::int64_t created_wall_ms = 0, started_wall_ms = 0, finished_wall_ms = 0;
  TaskCounts counts{};          // soft; tasks by state
  std::uint64_t unplanned = 0;  // soft; tasks of takes that are not planned yet, see Decider::plan_takes()
};

struct Worker {
  std::string name, build;
  std::uint32_t protocol_version = 1;
  std::uint32_t slots = 0, prefetch = 0;
  std::uint64_t memory_bytes = 0;
  std::vector<std::string> numeric_classes;
  std::vector<event::ModelOffer> models;
  bool draining = false;
  std::int64_t joined_wall_ms = 0;
  std::uint32_t failures_in_row = 0;      // of tasks that others may finish
  std::int64_t quarantined_until_ms = 0;  // soft
  // soft
  bool connected = false;
  std::int64_t seen_ms = 0, seen_wall_ms = 0;
  std::vector<TaskId> leases;              // tasks that it holds, oldest first
  std::unordered_set<std::string> cached;  // digests (32 raw bytes) that it says it holds, bounded
  Digest model_loaded{};                   // of the task it started last
  std::uint64_t accepted = 0, failed = 0;
  double compute_seconds = 0;
};

struct Batch {
  std::string name, idempotency_key, by;
  Digest text{};
  std::vector<ShotId> shots;
  std::int64_t wall_ms = 0;
};

// What a worker must offer to run a task. Ready tasks of one show with the same needs share a bucket.
struct Needs {
  Digest model{};             // zero: none
  std::string numeric_class;  // empty: not chosen yet
  std::uint64_t memory_bytes = 0;
  auto operator<=>(const Needs&) const = default;
};

// The order inside a bucket: priority, then the older shot, then the longer remaining path, then the task
// number.
struct ReadyKey {
  std::uint32_t priority = 0;
  ShotId shot = 0;
  std::uint32_t depth = 0;
  TaskId task = 0;
  bool operator<(const ReadyKey& other) const {
    if (priority != other.priority) return priority > other.priority;
    if (shot != other.shot) return shot < other.shot;
    if (depth != other.depth) return depth > other.depth;
    return task < other.task;
  }
};

struct Bucket {
  ShowId show = kNoIndex;
  Needs needs;
  std::set<ReadyKey> ready;
};

struct Show {
  std::string name;
  std::uint32_t leased = 0;                       // soft: attempts held now
  std::uint32_t ready = 0;                        // soft: tasks in its buckets
  std::vector<std::uint32_t> buckets;             // soft
  std::array<double, kStages> compute_seconds{};  // soft: of accepted results, by Stage
};

// Measured seconds of one unit of work (PlannedTask::work); a moving average of accepted results.
struct WorkRate {
  double seconds_per_work = 0;
  std::uint32_t samples = 0;
};
struct WorkKey {
  Stage stage = Stage::kEncode;
  std::uint32_t level = 0;
  std::string model, numeric_class;
  auto operator<=>(const WorkKey&) const = default;
};

// Things that went wrong but were handled; soft, for metrics.
struct Counters {
  std::uint64_t stale_results = 0, stale_failures = 0, stale_beats = 0, refused_hellos = 0,
                repeated_results = 0, lease_expiries = 0;
};

struct State {
  std::vector<Batch> batches;  // batch n is batches[n-1]
  std::vector<Shot> shots;
  std::deque<Task> tasks;  // task id is index + 1; a deque: a long list never moves
  std::vector<Worker> workers;
  std::vector<Show> shows;
  std::uint64_t next_lease = 1;
  std::uint64_t epoch = 0;
  EventLog events;
  // soft
  Counters counters;
  TaskCounts counts{};
  std::uint64_t unplanned = 0;  // of all shots
  std::unordered_map<std::string, ShotId> shot_index;
  std::unordered_map<std::string, WorkerId> worker_index;
  std::unordered_map<std::string, std::uint64_t> key_index;  // idempotency key -> batch
  std::map<std::string, ShowId> show_index;
  std::vector<Bucket> buckets;
  std::map<std::pair<ShowId, Needs>, std::uint32_t> bucket_index;
  std::uint64_t ready = 0;                             // tasks in buckets
  std::set<std::pair<std::int64_t, TaskId>> expiries;  // of every lease
  std::set<std::pair<std::int64_t, TaskId>> retries;   // tasks held back
  std::set<WorkerId> hungry;                           // could hold more than they do
  std::map<WorkKey, WorkRate> rates;
  std::int64_t ticked_ms = 0;  // when the clock was last looked at; 0: not yet
  bool dispatch_due = false;   // something became ready or free since the last dispatch

  const Task& task(TaskId id) const { return tasks[id - 1]; }
  bool has_task(TaskId id) const { return id >= 1 && id <= tasks.size(); }
  const Shot* find_shot(std::string_view key) const;
  const Worker* find_worker(std::string_view name) const;
  const Take* take_of(const Task& task) const;  // null: the task belongs to the whole shot
};

}  // namespace rushes::scheduler
