// What records say of shots, takes, tasks and workers: the same after every replay.
//
// Snapshots, state_hash() and the journal carry these types and nothing else; what is derived from them stands
// in core/state/state.h.
//
// Times: wall_ms since 1970, for people. Durations are measured with times of CLOCK_BOOTTIME, which are derived.
//
// Thread contract: plain values.
#pragma once

#include <cassert>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "scheduler/core/event.h"
#include "scheduler/plan/vocabulary.h"
#include "storage/records/ids.h"

namespace rushes::scheduler {

using ShotId = Id<struct ShotTag, std::uint32_t>;                        // State::shots
using WorkerId = Id<struct WorkerTag, std::uint32_t>;                    // State::workers
using ShowId = Id<struct ShowTag, std::uint32_t>;                        // State::shows
using FlowId = Id<struct FlowTag, std::uint32_t>;                        // ReadyQueue::flows()
using SchedulingClassId = Id<struct SchedulingClassTag, std::uint32_t>;  // ReadyQueue::scheduling_classes()
using LimitSetId = Id<struct LimitSetTag, std::uint32_t>;                // ReadyQueue::limits_of()
using WorkerClassId = Id<struct WorkerClassTag, std::uint32_t>;          // Capacity::classes()
using NumericClassId = Id<struct NumericClassTag, std::uint32_t>;        // ModelLoads::classes()
using PoolId = Id<struct PoolTag, std::uint32_t>;                        // ModelLoads::pools()
using TakeWorkId = Id<struct TakeWorkTag, std::uint32_t>;                // Workload::take_work()

// ---- states; values are stored, never renumber

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

// Why an attempt was called off.
enum class RevokeCause : std::uint8_t {
  kUnknown,      // older journals do not say
  kClosed,       // its task is not wanted any more
  kMissing,      // its worker did not name it in Hello: its engine is gone, or it never got the Assign
  kQueued,       // it waited behind running ones, and an idle worker takes it
  kSpeculative,  // it ran ahead of a verdict, and other work is wanted now
  kStraggler     // it is too slow on its worker
};
inline constexpr int kRevokeCauses = 6;

struct Failure {
  AttemptEnd end = AttemptEnd::kNone;
  std::uint32_t attempt = 0;
  std::string worker;
  FailKind kind = FailKind::kEngine;
  std::string message, exit_cause, log_tail;
  std::int64_t wall_ms = 0;
  std::int64_t started_wall_ms = 0;  // 0: it never began
  double slot_seconds = 0;           // for which it held its slot
  SlotKind slot = SlotKind::kCpu;
  bool operator==(const Failure&) const = default;
};

struct Lease {
  std::uint64_t id = 0;
  WorkerId worker;
  bool revoking = false;               // Revoke was sent; the lease lasts until Stopped or expiry
  TaskState then = TaskState::kReady;  // the task's state once it has stopped
  RevokeCause revoke_cause = RevokeCause::kUnknown;
  std::string revoke_reason;         // for people
  std::int64_t wall_ms = 0;          // when it was leased
  std::int64_t started_wall_ms = 0;  // 0: not started yet
};

inline constexpr std::size_t kKeptFailures = 8;     // of one task
inline constexpr std::size_t kKeptLogBytes = 2048;  // of one failure; the whole log is in the ledger

struct TaskFacts {
  PlannedTask plan;
  ShotId shot;
  TaskState state = TaskState::kPending;
  std::uint32_t attempt = 0;          // newest attempt, 0: none yet
  std::uint32_t failures = 0;         // attempts that failed since the last retry by a person
  std::uint32_t lost_attempts = 0;    // attempts that ended because a worker was lost
  Lease last_lease;                   // read through lease()
  std::vector<Failure> bad_attempts;  // the last ones that ended badly, at most kKeptFailures
  std::string closed_reason;          // of a final state other than succeeded
  std::uint32_t accepted_attempt = 0;
  std::uint64_t accepted_lease = 0;
  WorkerId accepted_worker;
  SlotKind accepted_slot = SlotKind::kCpu;
  std::int64_t accepted_started_wall_ms = 0;
  WorkerId slow_on;  // where it straggled; it is taken from a slow worker once
  TaskResult result;
  BySlotKind<double> wasted_seconds;  // slot seconds of attempts that brought no result
  std::int64_t planned_wall_ms = 0, started_wall_ms = 0, finished_wall_ms = 0;

  const Lease& lease() const {
    assert(is_held(state));
    return last_lease;
  }
};

// One rendering of a take: number 0 is the first, number n the take's revision n. Tasks of windows that a
// revision does not touch are those of its parent (frozen).
struct Version {
  std::uint32_t number = 0, parent = 0;
  std::vector<std::uint32_t> windows;  // rendered for this version
  std::uint64_t seed = 0;
  std::string reason, by;  // by: a person, empty: the critics
  std::string prompt;      // of its own; empty: that of its parent
  VersionGraph graph;
  Bytes recipe;  // canonical, with this version in its lineage
  Digest recipe_hash{};
  bool judged = false;
  Verdict verdict = Verdict::kUnknown;
  float score = 0;
  bool was_kept = false;  // it became the take's current version once
  bool again = false;     // its parent's pictures left, and it makes the same ones from the same recipe
  std::int64_t planned_wall_ms = 0, judged_wall_ms = 0;
};

// What a take made was removed by the show's retention: the outputs of all its tasks before `before`.
struct TakeLeft {
  TaskId before;  // none: nothing left
  std::string reason;
  std::int64_t wall_ms = 0;  // the last time
};

struct Take {
  ShotId shot;
  std::uint32_t number = 0;  // from 1
  TakeState state = TakeState::kPlanned;
  std::string reason;  // why it was dropped, who approved it
  std::vector<Version> versions;
  std::uint32_t kept = 0;  // the current version: what is shown, ranked and delivered
  std::string
      chosen_by;  // the person who chose the current version, which no critic changes; empty: the critics
  bool chosen_by_retry =
      false;  // it was chosen because that person had it rendered, not because they kept it
  bool chosen_by_restore = false;  // because that person asked to have the dropped take back
  TakeLeft left;
  std::int64_t changed_wall_ms = 0;  // its last change of state or version; 0: an older journal does not say
  UpgradeGraph upgrade;              // empty until planned
  Bytes master_recipe;
  Digest master_recipe_hash{};
};

// The versions that a version of the take is made of, the first rendering first: of one that makes another one again,
// those of the other one.
std::vector<std::uint32_t> lineage_of(const Take& take, std::uint32_t version);
// The same as a recipe has it: without the first rendering.
std::vector<Revision> revisions_of(const Take& take, std::uint32_t version);

// Canonical, with which a task of the take is rendered.
inline const Bytes& recipe_of(const Take& take, const PlannedTask& task) {
  return task.level > 0 ? take.master_recipe : take.versions[task.replays.value_or(task.revision)].recipe;
}

// Its tasks exist: a shot's takes are planned when its first task is leased.
inline bool is_planned(const Take& take) { return !take.versions.empty(); }

struct DeliveryDone {
  std::uint32_t take = 0;
  bool master = false;
  std::string folder, version;
  std::vector<std::string> files;
  std::int64_t wall_ms = 0;
  bool operator==(const DeliveryDone&) const = default;
};

// A time on the wall clock; end 0: it lasts.
struct WallSpan {
  std::int64_t begin_ms = 0, end_ms = 0;
  bool over = false;  // of ShotFacts::person_waits: nobody was waited for
  bool operator==(const WallSpan&) const = default;
};
inline constexpr std::size_t kKeptWaits = 256;  // of one shot

// ShotFacts::approved_by where no person chose: no token has such a name.
inline constexpr std::string_view kApproveBest = "approve: best";

struct ShotFacts {
  std::string key;             // "show/shot"; of an archived one "show/shot@number"
  std::uint32_t archived = 0;  // that number, from 1; 0: not archived
  ShotSpec spec;
  std::uint64_t batch = 0;
  std::string by;
  ShotState state = ShotState::kQueued;
  std::string reason;     // of attention and cancelled, one line
  TaskId attention_task;  // the evidence, if it is one task
  bool pause_requested = false, paused = false;
  std::string numeric_class, engine_build;  // empty until the first task is leased; see class_of()
  TaskId encode;
  std::vector<Take> takes;             // read through take()
  std::vector<std::uint32_t> ranking;  // take numbers, best first; empty until all are judged
  std::uint32_t approved = 0;          // take number, 0: none
  std::string approved_by;
  std::int64_t approved_wall_ms = 0;
  TaskId draft_delivery;                                  // the newest
  std::uint32_t draft_versions = 0, master_versions = 0;  // deliveries planned so far
  std::vector<DeliveryDone> deliveries;
  std::int64_t created_wall_ms = 0, started_wall_ms = 0, finished_wall_ms = 0;
  // When nothing of it went on without a person's word, oldest first, at most kKeptWaits: it waited for them (in review,
  // attention or paused), or it was over (delivered, cancelled).
  std::vector<WallSpan> person_waits;
  std::int64_t archived_wall_ms = 0;  // 0: not archived, or an older journal does not say

  // `number` is from 1 on.
  const Take& take(std::uint32_t number) const {
    assert(number >= 1 && number <= takes.size());
    return takes[number - 1];
  }
  Take& take(std::uint32_t number) {
    assert(number >= 1 && number <= takes.size());
    return takes[number - 1];
  }
};

// "show/shot", or "show/shot@archived".
std::string key_of(const ShotSpec& spec, std::uint32_t archived);
// The numeric class that it is rendered in: chosen with its first task, before that its show's; empty: any.
inline const std::string& class_of(const ShotFacts& shot) {
  return shot.numeric_class.empty() ? shot.spec.recipe.numeric_class : shot.numeric_class;
}

struct WorkerFacts {
  std::string name;
  WorkerOffer offer;
  bool draining = false;
  std::int64_t joined_wall_ms = 0;
  // Since its last result: shots whose attempts failed here by a fault that may be the worker's, each once, and tasks
  // that failed here and that another worker finished.
  std::vector<ShotId> failed_shots;
  std::uint32_t failed_tasks = 0;
  WorkerProcess process;             // that said Hello last and was welcomed
  std::int64_t stopped_wall_ms = 0;  // when it said that it left; 0: it did not
  bool forgotten = false;            // in no list, until it comes back
};

struct Batch {
  std::string name, idempotency_key, by;
  Digest text{};
  std::vector<ShotId> shots;
  std::int64_t wall_ms = 0;
};

// What is learned about how long tasks take (policy/estimate.h).
struct WorkKey {
  Stage stage = Stage::kEncode;
  std::uint32_t level = 0;
  std::string model, numeric_class;
  auto operator<=>(const WorkKey&) const = default;
};

}  // namespace rushes::scheduler
