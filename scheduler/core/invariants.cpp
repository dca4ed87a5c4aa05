#include "scheduler/core/invariants.h"

#include <algorithm>

#include "scheduler/core/index.h"
#include "scheduler/core/policy/fit.h"

namespace rushes::scheduler {
namespace {

class Checker {
 public:
  explicit Checker(const State& state) : state_(state) {}

  std::vector<std::string> run() {
    for (const Task& task : state_.tasks) check(task);
    for (WorkerId id = 0; id < state_.workers.size(); ++id) check(state_.workers[id], id);
    for (const Shot& shot : state_.shots) check(shot);
    check_counts();
    return std::move(problems_);
  }

 private:
  void require(bool holds, int invariant, const std::string& what) {
    if (!holds) problems_.push_back("invariant " + std::to_string(invariant) + ": " + what);
  }
  static std::string name(const Task& task) {
    return "task " + std::to_string(task.plan.id) + " (" + to_string(task.state) + ")";
  }
  static bool done(const Task& task) {
    return task.state == TaskState::kSucceeded || task.state == TaskState::kSkipped;
  }

  void check(const Task& task) {
    const Shot& shot = state_.shots[task.shot];
    ++counts_[static_cast<int>(task.state)];
    if (task.bucket != kNoIndex) ++ready_;
    std::uint32_t missing = 0;
    for (const Dependency& need : task.plan.needs) missing += done(state_.task(need.task)) ? 0 : 1;
    require(missing == task.missing, 6,
            name(task) + " counts " + std::to_string(task.missing) + " missing inputs");
    if (is_held(task.state) || task.state == TaskState::kSucceeded || task.state == TaskState::kReady) {
      require(missing == 0, 5, name(task) + " misses inputs");
    }
    if (task.state == TaskState::kPending) require(missing > 0, 7, name(task) + " waits for nothing");
    const bool should_wait =
        task.state == TaskState::kReady && task.retry_at_ms == 0 && !shot.pause_requested;
    require(should_wait == (task.bucket != kNoIndex), 6, name(task) + " is in the wrong queue");
    if (task.bucket != kNoIndex) {
      require(state_.buckets[task.bucket].needs == needs_of(state_, task), 6,
              name(task) + " is in a wrong bucket");
    }
    require((task.retry_at_ms > 0) == state_.retries.contains({task.retry_at_ms, task.plan.id}), 6,
            name(task) + " back-off index");
    if (is_held(task.state)) check_lease(task);
    if (task.state == TaskState::kSucceeded) {
      require(task.accepted_attempt > 0 && task.accepted_attempt <= task.attempt, 2,
              name(task) + " without attempt");
      require(task.result.numeric_class.empty() || task.result.numeric_class == shot.numeric_class, 5,
              name(task) + " is of class " + task.result.numeric_class);
    } else {
      require(task.accepted_attempt == 0, 2, name(task) + " has a result");
    }
  }

  void check_lease(const Task& task) {
    ++leases_;
    require(task.lease.worker < state_.workers.size(), 3, name(task) + " is held by nobody");
    require(task.lease.id < state_.next_lease, 3, name(task) + " has a lease of the future");
    require(lease_ids_.insert(task.lease.id).second, 3, name(task) + " shares its lease");
    require(state_.expiries.contains({task.lease.expires_ms, task.plan.id}), 3,
            name(task) + " lease never expires");
    if (task.lease.worker >= state_.workers.size()) return;
    const Worker& worker = state_.workers[task.lease.worker];
    require(std::count(worker.leases.begin(), worker.leases.end(), task.plan.id) == 1, 3,
            name(task) + " is not among the leases of " + worker.name);
  }

  void check(const Worker& worker, WorkerId id) {
    held_ += worker.leases.size();
    std::uint64_t memory = 0;
    std::uint32_t beside = 0;
    for (const TaskId task_id : worker.leases) {
      const Task& task = state_.task(task_id);
      require(is_held(task.state) && task.lease.worker == id, 3, worker.name + " holds " + name(task));
      if (beside++ < worker.slots) memory += task.plan.memory_bytes;
    }
    require(memory <= worker.memory_bytes, 4, worker.name + " has too much memory reserved");
    const bool hungry = policy::takes_work(worker) && worker.leases.size() < worker.slots + worker.prefetch;
    require(hungry == state_.hungry.contains(id), 6, worker.name + " hungry index");
    require(worker.leases.size() <= worker.slots + worker.prefetch || !worker.connected || hungry == false, 4,
            worker.name + " holds more than it offered");
  }

  void check(const Shot& shot) {
    TaskCounts counts{};
    for (const TaskId id : shot.tasks) ++counts[static_cast<int>(state_.task(id).state)];
    require(counts == shot.counts, 6, shot.key + " counters");
    require(shot.unplanned == unplanned_tasks(shot), 6,
            shot.key + " counts " + std::to_string(shot.unplanned) + " tasks to plan");
    unplanned_ += shot.unplanned;
    require(shot.unplanned == 0 || shot.started_wall_ms == 0, 7, shot.key + " runs and is not planned");
    planned_ += shot.tasks.size();
    for (const TaskId id : shot.tasks) {
      const Task& task = state_.task(id);
      const bool unwanted =
          shot.state == ShotState::kCancelled ||
          (task.plan.take > 0 && shot.takes[task.plan.take - 1].state == TakeState::kDropped);
      const bool ending = is_held(task.state) && task.lease.revoking;
      require(!unwanted || is_final(task.state) || ending, 5,
              name(task) + " of a dropped take or cancelled shot");
    }
    for (const TaskId id : shot.tasks) {
      const Task& task = state_.task(id);
      const bool open = !is_final(task.state) && !(is_held(task.state) && task.lease.revoking);
      require(shot.state != ShotState::kDelivered || !open, 6,
              shot.key + " is delivered with an open " + to_string(task.plan.stage) + " " + name(task));
    }
    if (shot.state == ShotState::kAttention)
      require(!shot.reason.empty(), 7, shot.key + " needs attention, why?");
  }

  void check_counts() {
    require(counts_ == state_.counts, 6, "task counters");
    require(planned_ == state_.tasks.size(), 6, "tasks of shots do not sum to all tasks");
    require(unplanned_ == state_.unplanned, 6, "unplanned counter");
    require(ready_ == state_.ready, 6, "ready counter");
    std::size_t queued = 0, leased = 0, shown = 0;
    for (const Bucket& bucket : state_.buckets) queued += bucket.ready.size();
    for (const Show& show : state_.shows) {
      leased += show.leased;
      shown += show.ready;
    }
    require(queued == ready_ && shown == ready_, 6, "buckets");
    require(leased == leases_ && held_ == leases_ && state_.expiries.size() == leases_, 6, "lease counters");
  }

  const State& state_;
  std::vector<std::string> problems_;
  TaskCounts counts_{};
  std::set<std::uint64_t> lease_ids_;
  std::size_t ready_ = 0, leases_ = 0, held_ = 0, planned_ = 0;
  std::uint64_t unplanned_ = 0;
};

}  // namespace

std::vector<std::string> check_invariants(const State& state) { return Checker(state).run(); }

}  // namespace rushes::scheduler
