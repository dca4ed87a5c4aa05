// The farm's state: the facts of core/state/facts.h, and what is derived from them.
//
// Only apply() (core/state/apply.h) changes a State; all others read it. Derived fields and classes are rebuilt
// from the facts when records are replayed, or forgotten at a restart (progress, lease expiry, connections);
// recovery renews every lease once.
//
// Times: *_ms of CLOCK_BOOTTIME where a duration is meant, wall_ms since 1970 where it is for people.
//
// Thread contract: owned by the core thread.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <deque>
#include <map>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "config/farm.h"
#include "scheduler/core/policy/estimate.h"
#include "scheduler/core/policy/fit.h"
#include "scheduler/core/policy/limits.h"
#include "scheduler/core/state/capacity.h"
#include "scheduler/core/state/device_seconds.h"
#include "scheduler/core/state/event_log.h"
#include "scheduler/core/state/facts.h"
#include "scheduler/core/state/lease_clock.h"
#include "scheduler/core/state/model_loads.h"
#include "scheduler/core/state/names.h"
#include "scheduler/core/state/ready_queue.h"
#include "scheduler/core/state/workload.h"
#include "storage/records/ids.h"

namespace rushes::scheduler {

struct Now {
  std::int64_t boot_ms = 0;
  std::int64_t wall_ms = 0;
};

// What a lease adds to the virtual times of its show and flow: seconds by the estimate, until the result says
// how long it really took.
struct Charge {
  double seconds = 0;
  double show_rate = 0, flow_rate = 0;  // virtual time of a second
  bool in_turn = false;                 // the show was served by its virtual time, not for its floor
};

// Derived of a lease: forgotten or renewed at a restart.
struct LeaseIndex {
  std::int64_t expires_ms = 0;
  std::int64_t began_ms = 0;    // when it got its slot to itself; 0: not yet, or before a restart
  std::int64_t started_ms = 0;  // later than the start where the attempt loads its model
  FlowId flow;                  // the flow that was charged
  Charge charge;
  bool loads = false;              // it began with another model than its worker had loaded
  SlotKind kind = SlotKind::kCpu;  // of the slot that it takes
  std::uint64_t host_bytes = 0;    // that it takes of its worker
  FlowId slot_of;                  // the flow that its slot counts for; none: it has no slot
  SchedulingClassId queued_in;     // its scheduling class, while it waits behind running attempts
};

struct Progress {
  float fraction = 0;
  std::string text;
  double compute_seconds = 0;   // as its engine counts them: a sign of life
  std::int64_t changed_ms = 0;  // when the fraction or text last changed: the no-progress watch
};

struct Task : TaskFacts {
  // derived
  LeaseIndex holding;  // of lease()
  std::vector<TaskId> dependents;
  std::uint32_t missing = 0;           // dependencies that are not done yet
  std::uint32_t gates = 0;             // missing checkpoints whose verdict it waits for
  float cost = 0;                      // expected seconds
  float path = 0;                      // expected seconds of the longest way from here to an end
  SchedulingClassId scheduling_class;  // while it can be dispatched
  bool changed = false;                // it stands in State::changed
  std::int64_t retry_at_ms = 0;        // > 0: held back after a failure
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

struct Shot : ShotFacts {
  // derived
  ShowId show;
  std::vector<TaskId> tasks;  // all of them, ascending
  TaskCounts counts{};        // tasks by state
  std::uint64_t unplanned =
      0;  // tasks of takes that are not planned yet, plan_takes() in core/decide/takes.h
  std::int64_t recipe_bytes = 0;  // of the recipe without a seed
  double unplanned_seconds = 0;   // expected of those, and of an upgrade that is still to come
  TakeWorkId take_work;
  std::uint32_t ready = 0;  // tasks in scheduling classes, without those that would run ahead
  LimitSetId limit_set;     // the limits that it names
  PoolId pool;
  FlowId flow;                  // where its tasks wait
  bool urgent = false;          // its deadline is in danger
  std::int64_t slack_ms = 0;    // what the deadline left when it was looked at
  std::int64_t look_at_ms = 0;  // when the deadline is looked at again
  double left_seconds = 0;      // expected, of all open tasks together
  StageCosts costs{};           // of the attempts that are over
  bool changed = false;         // it stands in State::changed
};

struct DigestHash {
  std::size_t operator()(const Digest& digest) const {  // a digest is its own hash
    std::size_t word = 0;
    std::memcpy(&word, digest.data(), sizeof word);
    return word;
  }
};

struct Worker : WorkerFacts {
  // derived
  std::int64_t quarantined_until_ms = 0;
  bool connected = false;
  bool leaving = false;      // it finishes what runs and stops
  std::string refused_twin;  // WorkerProcess::id of the last process that was refused its name
  std::int64_t seen_ms = 0, seen_wall_ms = 0;  // heard of; wall 0: not since the scheduler started
  BySlotKind<std::vector<TaskId>>
      leases;                    // tasks that it holds, oldest first: as many as it has slots have one
  policy::HeldBytes held_bytes;  // that they may need
  SlotCounts counted_slots;      // in Capacity::slots()
  WorkerClassId worker_class;
  Digest model_given{};                               // of the task it was given last
  bool counted_loaded = false, counted_idle = false;  // in LoadedModel
  std::unordered_set<Digest, DigestHash> cached;      // artifacts that it reported, bounded
  Digest model_loaded{};                              // of the task it started last
  std::vector<DeviceState> devices;                   // as its last heartbeat told
  std::uint64_t accepted = 0, failed = 0;
  DeviceSeconds cost;    // of the attempts that it has ended
  bool changed = false;  // it stands in State::changed
};

// Connected, not leaving, draining or quarantined: gets new tasks.
inline bool takes_work(const Worker& worker) {
  return worker.connected && !worker.leaving && !worker.draining && worker.quarantined_until_ms == 0;
}
inline bool has_free_slot(const Worker& worker, SlotKind kind) {
  return worker.leases[kind].size() < worker.offer.resources.slots[kind];
}
inline std::size_t held_by(const Worker& worker) {
  return worker.leases[SlotKind::kCpu].size() + worker.leases[SlotKind::kGpu].size();
}
std::vector<TaskId> all_leases(const Worker& worker);  // those of each kind oldest first

struct Show {
  std::string name;
  std::uint32_t leased = 0;      // attempts held now
  SlotCounts slots;              // attempts that have a slot; those fetched ahead wait for one
  std::uint32_t ready = 0;       // tasks in its scheduling classes, without those that would run ahead
  double weight = 1, floor = 0;  // of State::sharing
  double pass = 0;               // virtual time
  double clock = 0;              // the virtual time of its flows
  std::vector<FlowId> flows;
};

// What farm.yaml says about sharing; told by decide() before anything can be leased.
struct Sharing {
  std::vector<config::Show> shows;
  std::vector<config::SharedLimit> limits;
  bool operator==(const Sharing&) const = default;
};

// Rows whose facts differ from the last snapshot; the next snapshot writes only those.
struct Changed {
  std::vector<TaskId> tasks;
  std::vector<ShotId> shots;
  std::vector<WorkerId> workers;
  std::size_t batches = 0;  // batches from this index on are new
};

// Things that went wrong and were handled, for metrics.
struct Counters {
  std::uint64_t stale_results = 0, stale_failures = 0, stale_beats = 0, refused_hellos = 0, refused_twins = 0,
                repeated_results = 0, lease_expiries = 0;
};

struct State {
  IndexedBy<std::uint64_t, Batch, 1> batches;
  IndexedBy<ShotId, Shot> shots;
  IndexedBy<TaskId, Task, 1, std::deque> tasks;  // a deque: a long list never moves
  IndexedBy<WorkerId, Worker> workers;
  std::uint64_t next_lease = 1;
  std::uint64_t epoch = 0;
  std::map<WorkKey, policy::Estimate> rates;  // of one unit of work
  EventLog events;

  // derived
  IndexedBy<ShowId, Show> shows;
  Names names;
  ReadyQueue queue;
  Capacity capacity;
  ModelLoads loads;
  LeaseClock clock;
  Workload work;
  policy::HeldLimits held;  // limits held by leases
  Sharing sharing;
  Changed changed;
  Counters counters;
  std::int64_t recovered_wall_ms = 0;  // when this scheduler started; 0: it has not said so yet
  std::int64_t look_at_retention_ms =
      0;  // when takes whose days are over are looked for again; 0: never looked
  std::int64_t retention_clock_ms = 0;  // wall clock less boot clock at the last look
  bool dispatch_due = false;            // something became ready or free since the last dispatch

  const Task& task(TaskId id) const { return tasks[id]; }
  bool has_task(TaskId id) const { return tasks.has(id); }
  const Shot* find_shot(std::string_view key) const;
  const Worker* find_worker(std::string_view name) const;
  const Take* take_of(const Task& task) const;  // null: the task belongs to the whole shot
};

}  // namespace rushes::scheduler
