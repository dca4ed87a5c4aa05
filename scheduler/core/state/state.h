// The farm's state: shots, takes, tasks, workers, leases.
//
// Only apply() (core/state/apply.h) changes a State; everybody else reads it. Two kinds of fields:
//   kept   what records say; the same after every replay, part of snapshots and of state_hash()
//   soft   marked "soft": rebuilt from the kept fields (indexes) or forgotten at a restart (progress, lease
//          expiry, who is connected); recovery renews every lease once
//
// Times: *_ms of CLOCK_BOOTTIME where a duration is meant (soft), wall_ms since 1970 where it is for people.
//
// Thread contract: owned by the core thread.
#pragma once

#include <array>
#include <cassert>
#include <cstdint>
#include <cstring>
#include <deque>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "config/farm.h"
#include "scheduler/core/event.h"
#include "scheduler/core/policy/estimate.h"
#include "scheduler/core/policy/fit.h"
#include "scheduler/core/policy/limits.h"
#include "scheduler/core/state/event_log.h"
#include "scheduler/plan/vocabulary.h"

namespace rushes::scheduler {

using ShotId = std::uint32_t;    // index into State::shots
using WorkerId = std::uint32_t;  // index into State::workers
using ShowId = std::uint32_t;    // index into State::shows
using FlowId = std::uint32_t;    // index into State::flows
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
  std::string worker, kind, message, exit_cause, log_tail;
  std::int64_t wall_ms = 0;
  bool operator==(const Failure&) const = default;
};

// What a lease adds to the virtual times of its show and flow: seconds by the estimate, until the result says
// how long it really took.
struct Charge {
  double seconds = 0;
  double show_rate = 0, flow_rate = 0;  // virtual time of a second
  bool in_turn = false;                 // the show was served by its virtual time, not for its floor
};

struct Lease {
  std::uint64_t id = 0;
  WorkerId worker = kNoIndex;
  bool revoking = false;               // Revoke was sent; the lease lasts until Stopped or expiry
  TaskState then = TaskState::kReady;  // the task's state once it has stopped
  RevokeCause revoke_cause = RevokeCause::kUnknown;
  std::string revoke_reason;         // for people
  std::int64_t wall_ms = 0;          // when it was leased
  std::int64_t started_wall_ms = 0;  // 0: not started yet
};

// Derived of a lease: forgotten or renewed at a restart.
struct LeaseIndex {
  std::int64_t expires_ms = 0;
  std::int64_t started_ms = 0;  // later than the start where the attempt loads its model
  FlowId flow = kNoIndex;       // the flow that was charged
  Charge charge;
  bool loads = false;                  // it began with another model than its worker had loaded
  FlowId slot_of = kNoIndex;           // the flow that its slot counts for; kNoIndex: it has no slot
  std::uint32_t queued_in = kNoIndex;  // the bucket that it was in, while it waits behind running attempts
};

struct Progress {
  float fraction = 0;
  std::string text;
  double compute_seconds = 0;
  std::int64_t changed_ms = 0;  // when the fraction or text last changed: the no-progress watch
};

inline constexpr std::size_t kKeptFailures = 8;     // of one task
inline constexpr std::size_t kKeptLogBytes = 2048;  // of one failure; the whole log is in the ledger

struct TaskFacts {
  PlannedTask plan;
  ShotId shot = kNoIndex;
  TaskState state = TaskState::kPending;
  std::uint32_t attempt = 0;          // newest attempt, 0: none yet
  std::uint32_t failures = 0;         // attempts that failed since the last retry by a person
  std::uint32_t lost_attempts = 0;    // attempts that ended because a worker was lost
  Lease last_lease;                   // read through lease()
  std::vector<Failure> bad_attempts;  // the last ones that ended badly, at most kKeptFailures
  std::string closed_reason;          // of a final state other than succeeded
  std::uint32_t accepted_attempt = 0;
  std::uint64_t accepted_lease = 0;
  WorkerId accepted_worker = kNoIndex;
  WorkerId slow_on = kNoIndex;  // where it straggled; it is taken from a slow worker once
  TaskResult result;
  std::int64_t planned_wall_ms = 0, started_wall_ms = 0, finished_wall_ms = 0;

  const Lease& lease() const {
    assert(is_held(state));
    return last_lease;
  }
};

struct Task : TaskFacts {
  // derived
  LeaseIndex holding;  // of lease()
  std::vector<TaskId> dependents;
  std::uint32_t missing = 0;        // dependencies that are not done yet
  std::uint32_t gates = 0;          // missing checkpoints whose verdict it waits for
  float cost = 0;                   // expected seconds
  float path = 0;                   // expected seconds of the longest way from here to an end
  std::uint32_t bucket = kNoIndex;  // index into State::buckets while it can be dispatched
  bool changed = false;             // it stands in State::changed
  std::int64_t retry_at_ms = 0;     // > 0: held back after a failure
  Progress progress;
};

// It waits for nothing but checkpoints' verdicts: it may run ahead of them.
inline bool may_run_ahead(const Task& task) {
  return task.state == TaskState::kPending && task.gates > 0 && task.missing == task.gates;
}
inline bool may_be_leased(const Task& task) { return task.state == TaskState::kReady || may_run_ahead(task); }
// What depends on it may use it: a result from ahead of a verdict counts once the verdict is there.
inline bool is_done(const Task& task) {
  return (task.state == TaskState::kSucceeded && task.missing == 0) || task.state == TaskState::kSkipped;
}

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

using TaskCounts = std::array<std::uint32_t, kTaskStates>;

struct ShotFacts {
  std::string key;  // "show/shot"
  ShotSpec spec;
  std::uint64_t batch = 0;
  std::string by;
  ShotState state = ShotState::kQueued;
  std::string reason;         // of attention and cancelled, one line
  TaskId attention_task = 0;  // the evidence, if it is one task
  bool pause_requested = false, paused = false;
  std::string numeric_class, engine_build;  // empty until the first task is leased
  TaskId encode = 0;
  std::vector<Take> takes;             // takes[n-1] is take n
  std::vector<std::uint32_t> ranking;  // take numbers, best first; empty until all are judged
  std::uint32_t approved = 0;          // take number, 0: none
  TaskId draft_delivery = 0;           // the newest
  std::uint32_t draft_versions = 0, master_versions = 0;  // deliveries planned so far
  std::vector<DeliveryDone> deliveries;
  std::int64_t created_wall_ms = 0, started_wall_ms = 0, finished_wall_ms = 0;
};

struct Shot : ShotFacts {
  // derived
  ShowId show = kNoIndex;
  std::vector<TaskId> tasks;           // all of them, ascending
  TaskCounts counts{};                 // tasks by state
  std::uint64_t unplanned = 0;         // tasks of takes that are not planned yet, see Decider::plan_takes()
  double unplanned_seconds = 0;        // expected of those, and of an upgrade that is still to come
  std::uint32_t take_work = kNoIndex;  // index into State::take_works
  std::uint32_t ready = 0;             // tasks in buckets, without those that would run ahead
  std::uint32_t limit_set = 0;         // index into State::limit_sets
  std::uint32_t pool = kNoIndex;       // index into State::pools
  FlowId flow = kNoIndex;              // where its tasks wait
  bool urgent = false;                 // its deadline is in danger
  std::int64_t slack_ms = 0;           // what the deadline left when it was looked at
  std::int64_t look_at_ms = 0;         // when the deadline is looked at again
  double left_seconds = 0;             // expected, of all open tasks together
  bool changed = false;                // it stands in State::changed
};

struct DigestHash {
  std::size_t operator()(const Digest& digest) const {  // a digest is its own hash
    std::size_t word = 0;
    std::memcpy(&word, digest.data(), sizeof word);
    return word;
  }
};

struct WorkerFacts {
  std::string name;
  WorkerOffer offer;
  bool draining = false;
  std::int64_t joined_wall_ms = 0;
  std::uint32_t failures_in_row = 0;  // of tasks that others may finish
};

struct Worker : WorkerFacts {
  // derived
  std::int64_t quarantined_until_ms = 0;
  bool connected = false;
  std::int64_t seen_ms = 0, seen_wall_ms = 0;
  std::vector<TaskId> leases;                         // tasks that it holds, oldest first
  std::vector<std::uint64_t> held_memory;             // bytes that they may need, the largest first
  std::uint32_t counted_slots = 0;                    // in State::slots
  std::uint32_t worker_class = kNoIndex;              // index into State::worker_classes
  Digest model_given{};                               // of the task it was given last
  bool counted_loaded = false, counted_idle = false;  // in LoadedModel
  std::unordered_set<Digest, DigestHash> cached;      // artifacts that it reported, bounded
  Digest model_loaded{};                              // of the task it started last
  std::uint64_t accepted = 0, failed = 0;
  double compute_seconds = 0;
  bool changed = false;  // it stands in State::changed
};

// Connected, not draining, not quarantined: gets new tasks.
inline bool takes_work(const Worker& worker) {
  return worker.connected && !worker.draining && worker.quarantined_until_ms == 0;
}
inline bool has_free_slot(const Worker& worker) { return worker.leases.size() < worker.offer.slots; }

struct Batch {
  std::string name, idempotency_key, by;
  Digest text{};
  std::vector<ShotId> shots;
  std::int64_t wall_ms = 0;
};

// What a worker must offer to run a task, and what the farm must. Waiting tasks of one flow with the same
// requirements share a bucket.
struct Requirements : policy::Requirements {
  Stage stage = Stage::kEncode;
  std::uint32_t limit_set = 0;  // index into State::limit_sets: the limits that its shot names
  bool ahead = false;           // would run ahead of its checkpoint's verdict
  auto operator<=>(const Requirements&) const = default;
};

// The order inside a lane: the longest remaining path first, then the task number.
struct ReadyKey {
  float path = 0;
  TaskId task = 0;
  bool operator<(const ReadyKey& other) const {
    return path != other.path ? path > other.path : task < other.task;
  }
};

// The order of lanes: shots whose deadline is in danger by their deadlines, then the older shot.
struct LaneKey {
  std::int64_t deadline_wall_ms = 0;  // of an urgent shot, else kNever
  ShotId shot = 0;
  auto operator<=>(const LaneKey&) const = default;
  static constexpr std::int64_t kNever = std::int64_t{1} << 62;
};

using Lane = std::set<ReadyKey>;  // a shot's tasks in one bucket, never empty

struct Bucket {
  FlowId flow = kNoIndex;
  Requirements needs;
  std::map<LaneKey, Lane> lanes;
  std::set<std::pair<float, LaneKey>> by_path;  // minus the path of each lane's first task
  std::uint32_t pool = kNoIndex;                // index into State::pools; kNoIndex: needs no model
  std::uint32_t place = kNoIndex;               // in Flow::buckets or Flow::ahead, while it has lanes
  std::vector<bool> fits;  // by Worker::worker_class: whether those workers may ever take it
};

// Shots of a show that share a priority and a model: served in the order of lanes, beside other flows by
// their rate.
struct Flow {
  ShowId show = kNoIndex;
  std::uint32_t priority = 0;  // with the deadline's boost
  Digest model{};
  std::uint32_t shots = 0;                    // that have ready tasks
  std::uint32_t slots = 0;                    // that its tasks hold
  double pass = 0;                            // virtual time
  std::vector<std::uint32_t> buckets, ahead;  // that have lanes
};

struct Show {
  std::string name;
  // soft
  std::uint32_t leased = 0;      // attempts held now
  std::uint32_t slots = 0;       // of them, those that have a slot: what was fetched ahead waits for one
  std::uint32_t ready = 0;       // tasks in its buckets, without those that would run ahead
  double weight = 1, floor = 0;  // of State::sharing
  double pass = 0;               // virtual time
  double clock = 0;              // the virtual time of its flows
  std::vector<FlowId> flows;
  std::array<double, kStages> compute_seconds{};  // of accepted results, by Stage
};

// What farm.yaml says about sharing; soft, told by decide() before anything can be leased.
struct Sharing {
  std::vector<config::Show> shows;
  std::vector<config::SharedLimit> limits;
  bool operator==(const Sharing&) const = default;
};

// The work of a take's first rendering and of its upgrade, by stage: what a shot that is not planned yet will
// be.
using StageWork = std::array<double, kStages>;
struct TakeWork {
  StageWork all{}, path{};                // all tasks; those on the longest way from its start to its end
  StageWork revision{}, revision_path{};  // of one window
  StageWork upgrade{}, upgrade_path{};
};
struct TakeShape {
  Digest model{};
  std::uint32_t frames = 0, steps = 0, master_steps = 0, scale = 0;  // scale 0: no upgrade
  float guidance = 1;
  bool gate = false;
  auto operator<=>(const TakeShape&) const = default;
};

// Workers that offer the same.
struct WorkerClass {
  WorkerOffer offer;
  std::uint32_t numeric_class = kNoIndex;  // index into State::classes: the first that it offers
  std::uint32_t slots = 0;                 // of connected workers
};

// What one model has to do in one numeric class.
struct Pool {
  Digest model{};
  std::uint32_t numeric_class = kNoIndex;  // index into State::classes; kNoIndex: of shots that have none yet
  double left_seconds = 0;                 // expected, of all that is open of its shots
  std::uint32_t ready = 0;  // tasks in buckets that need the model, but for those that run ahead
  double ready_seconds = 0, held_seconds = 0;  // expected of those, and of the leased ones
};

// A model and the workers that were given a task of it last.
struct LoadedModel {
  std::vector<std::uint32_t> slots, idle;  // by worker class: their slots; how many of them have a free one
  policy::Estimate load;                   // seconds that loading it took
};

// A worker kept free for a wide task (policy/backfill.h).
struct Reservation {
  TaskId task = 0;
  WorkerId worker = kNoIndex;
  std::int64_t start_ms = 0;  // promised
};

// What is learned about how long tasks take (policy/estimate.h).
struct WorkKey {
  Stage stage = Stage::kEncode;
  std::uint32_t level = 0;
  std::string model, numeric_class;
  auto operator<=>(const WorkKey&) const = default;
};

// Whose kept fields differ from what the last snapshot says of them; a snapshot writes only those.
struct Changed {
  std::vector<TaskId> tasks;
  std::vector<ShotId> shots;
  std::vector<WorkerId> workers;
  std::size_t batches = 0;  // batches from this index on are new
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
  std::map<WorkKey, policy::Estimate> rates;  // of one unit of work
  EventLog events;
  // soft
  Changed changed;
  Counters counters;
  TaskCounts counts{};
  std::uint64_t unplanned = 0;  // of all shots
  std::unordered_map<std::string, ShotId> shot_index;
  std::unordered_map<std::string, WorkerId> worker_index;
  std::unordered_map<std::string, std::uint64_t> key_index;  // idempotency key -> batch
  std::map<std::string, ShowId> show_index;
  std::vector<Flow> flows;
  std::map<std::tuple<ShowId, std::uint32_t, Digest>, FlowId> flow_index;
  std::vector<Bucket> buckets;
  std::map<std::pair<FlowId, Requirements>, std::uint32_t> bucket_index;
  std::vector<std::vector<std::string>> limit_sets{{}};  // sets of limits that shots name; 0: none
  std::uint64_t ready = 0;  // tasks in buckets, without those that would run ahead
  std::uint64_t ahead = 0;  // tasks that would run ahead
  double clock = 0;         // the virtual time of shows
  policy::HeldLimits held;
  std::vector<Reservation> reservations;
  std::set<WorkerId> stacked;                     // hold more than they have slots: some of it waits
  std::map<std::uint32_t, std::uint32_t> behind;  // how many attempts wait there, by the bucket they were in
  std::set<TaskId> running_ahead;                 // held before their checkpoint's verdict
  std::set<std::pair<std::int64_t, ShotId>> with_deadline;  // open shots
  double left_seconds = 0;                                  // expected, of all open tasks together
  std::uint64_t judged = 0, revised = 0;  // versions of takes; those that the farm rendered again
  ShotId paths_cursor = 0;                // the next shot whose estimates are looked at
  std::uint32_t slots = 0;                // of connected workers
  Sharing sharing;
  std::map<TakeShape, std::uint32_t> take_shapes;
  std::vector<TakeWork> take_works;
  std::map<WorkerOffer, std::uint32_t> worker_class_index;
  std::vector<WorkerClass> worker_classes;
  std::vector<std::string> classes;  // numeric classes that somebody offered or a shot is pinned to
  std::vector<Pool> pools;
  std::map<std::pair<Digest, std::uint32_t>, std::uint32_t> pool_index;
  std::map<Digest, LoadedModel> models;
  std::set<std::pair<std::int64_t, TaskId>> expiries;  // of every lease
  std::set<std::pair<std::int64_t, TaskId>> retries;   // tasks held back
  std::set<WorkerId> hungry;                           // could hold more than they do
  std::set<WorkerId> idle;                             // of them, those with a free slot
  std::int64_t ticked_ms = 0;                          // when the clock was last looked at; 0: not yet
  bool dispatch_due = false;  // something became ready or free since the last dispatch

  const Task& task(TaskId id) const { return tasks[id - 1]; }
  TaskId next_task() const { return tasks.size() + 1; }
  ShotId id_of(const Shot& shot) const { return static_cast<ShotId>(&shot - shots.data()); }
  WorkerId id_of(const Worker& worker) const { return static_cast<WorkerId>(&worker - workers.data()); }
  bool has_task(TaskId id) const { return id >= 1 && id <= tasks.size(); }
  const Shot* find_shot(std::string_view key) const;
  const Worker* find_worker(std::string_view name) const;
  const Take* take_of(const Task& task) const;  // null: the task belongs to the whole shot
};

}  // namespace rushes::scheduler
