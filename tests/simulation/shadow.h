// A second account of the farm, kept by the simulator from the journal's records alone.
//
// It knows the invariants of the core in its own words and shares no code with apply() or the indexes:
// what a record claims is checked against it before it is learned, and the core's state is compared with it
// afterwards, both only for what the record touched.
//
// Thread contract: one thread.
#pragma once

#include <functional>
#include <string>
#include <unordered_map>
#include <vector>

#include "scheduler/core/core.h"

namespace rushes::simulation {

struct ShadowTask {
  Stage stage = Stage::kEncode;
  scheduler::ShotId shot;
  std::uint32_t take = 0, revision = 0, missing = 0, attempt = 0;
  std::uint32_t open_gates = 0;  // of what it misses: verdicts of checkpoints
  bool whole_take = false, tensors = false;
  std::uint64_t host_bytes = 0, tensor_bytes = 0;
  std::vector<TaskId> needs, dependents;
  std::vector<TaskId> gates;  // of the needs, those whose verdict it waits for
  scheduler::TaskState state = scheduler::TaskState::kPending;
  std::uint64_t lease = 0;
  scheduler::WorkerId worker;
  std::int64_t expires_ms = 0;
  bool ending = false;  // a revoke was asked
  scheduler::TaskState then = scheduler::TaskState::kReady;
};

struct ShadowShot {
  std::string key, show, numeric_class;
  scheduler::ShotState state = scheduler::ShotState::kQueued;
  std::uint32_t approved = 0;
  bool pause_requested = false;
  std::vector<scheduler::TakeState> takes;
  std::vector<bool> chosen;         // takes whose version a person chose
  std::vector<TaskId> left_before;  // by take: what tasks before made is gone
  std::vector<bool> delivered;      // by take
  std::vector<std::string> limits;  // that it claims
  std::vector<TaskId> tasks;
  scheduler::TaskCounts counts{};
};

struct ShadowWorker {
  scheduler::WorkerFacts facts;
  std::vector<TaskId> held;  // oldest lease first
  bool leaving = false;
};

// What an attempt takes of a worker.
struct ShadowShare {
  SlotKind kind = SlotKind::kCpu;
  std::uint64_t host_bytes = 0, device_bytes = 0;
};

// How a lease ended; a lease that is not there is alive or was never given.
enum class Release : std::uint8_t { kAccepted, kConfirmed, kExpired };

class Shadow {
 public:
  using Complain = std::function<void(int invariant, std::string what)>;

  // What the decision of one event touched, for the comparison behind it.
  struct Touched {
    std::vector<TaskId> tasks;
    std::vector<scheduler::ShotId> shots;
    std::vector<scheduler::WorkerId> workers;
    std::vector<TaskId> accepted, closed;
    std::vector<std::pair<scheduler::ShotId, std::uint32_t>> dropped_takes;
    std::vector<scheduler::ShotId> cancelled_shots;
    struct Leased {  // with what the show held before
      TaskId task;
      scheduler::WorkerId worker;
      SlotKind kind;              // of the slot that it takes
      std::uint32_t held_before;  // slots of that kind
    };
    std::vector<Leased> leases;
  };

  // Checks the record against what is known, then learns it. `now` is the scheduler's clock.
  void learn(const scheduler::Record& record, scheduler::Now now, std::int64_t lease_ms, Touched& touched,
             const Complain& complain);

  using Tasks = IndexedBy<TaskId, ShadowTask, 1>;
  using Shots = IndexedBy<scheduler::ShotId, ShadowShot>;
  using Workers = IndexedBy<scheduler::WorkerId, ShadowWorker>;
  const Tasks& tasks() const { return tasks_; }
  const ShadowTask& task(TaskId id) const { return tasks_[id]; }
  const Shots& shots() const { return shots_; }
  const Workers& workers() const { return workers_; }
  const scheduler::TaskCounts& counts() const { return counts_; }
  // Slots of a kind; what waits behind a running attempt has none.
  std::uint32_t slots_of_show(const std::string& show, SlotKind kind) const;
  ShadowShare share_of(const ShadowTask& task, const WorkerOffer& offer) const;
  std::vector<TaskId> held_in(const ShadowWorker& worker, SlotKind kind) const;  // oldest lease first
  std::uint32_t held_under(const config::SharedLimit& limit) const;
  // What depends on the task may use it: a result from ahead of a verdict counts with the verdict.
  bool is_done(TaskId id) const;
  std::optional<Release> release_of(std::uint64_t lease) const;
  bool has_task(TaskId id) const { return tasks_.has(id); }

  // The first difference between a task or shot of the core and this account; empty: none.
  std::string difference(const scheduler::State& state, TaskId id) const;
  std::string difference_of_shot(const scheduler::State& state, scheduler::ShotId id) const;
  std::string difference_of_farm(const scheduler::State& state) const;  // sizes and counters

 private:
  struct Lesson;
  void add_tasks(scheduler::ShotId shot, const std::vector<scheduler::PlannedTask>& plans, Touched& touched);
  void set_state(TaskId id, scheduler::TaskState to, Touched& touched);
  void release_dependents(TaskId id, Touched& touched);
  void drop_lease(TaskId id, Release release);

  Tasks tasks_;
  Shots shots_;
  Workers workers_;
  std::unordered_map<std::uint64_t, Release> released_;  // by lease
  std::uint64_t last_lease_ = 0;
  scheduler::TaskCounts counts_{};
};

}  // namespace rushes::simulation
