#include "scheduler/core/state/invariants.h"

#include <algorithm>

#include "scheduler/core/policy/fit.h"
#include "scheduler/core/policy/limits.h"
#include "scheduler/core/state/needs.h"
#include "scheduler/core/state/retention.h"

namespace rushes::scheduler {
namespace {

class Checker {
 public:
  explicit Checker(const State& state) : state_(state) {}

  std::vector<std::string> run() {
    for (const Task& task : state_.tasks) check(task);
    for (WorkerId id(0); state_.workers.has(id); ++id) check(state_.workers[id], id);
    for (const Shot& shot : state_.shots) check(shot);
    check_counts();
    return std::move(problems_);
  }

 private:
  void require(bool holds, int invariant, const std::string& what) {
    if (!holds) problems_.push_back("invariant " + std::to_string(invariant) + ": " + what);
  }
  static std::string name(const Task& task) {
    return "task " + std::to_string(task.plan.id.number()) + " (" + to_string(task.state) + ")";
  }

  void check(const Task& task) {
    const Shot& shot = state_.shots[task.shot];
    ++counts_[static_cast<int>(task.state)];
    std::uint32_t missing = 0, gates = 0;
    for (const Dependency& need : task.plan.needs) {
      const bool open = !is_done(state_.task(need.task));
      missing += open ? 1 : 0;
      gates += open && !need.data ? 1 : 0;
    }
    if (task.scheduling_class != kNoId) ++(missing > 0 ? ahead_ : ready_);
    require(missing == task.missing, 6,
            name(task) + " counts " + std::to_string(task.missing) + " missing inputs");
    require(gates == task.gates, 6,
            name(task) + " counts " + std::to_string(task.gates) + " open checkpoints");
    // What runs or ran may miss verdicts (it ran ahead of them), never inputs.
    if (is_held(task.state) || task.state == TaskState::kSucceeded)
      require(missing == gates, 5, name(task) + " misses inputs");
    if (!is_final(task.state))
      for (const Dependency& need : task.plan.needs)
        require(!need.data || !has_left(state_, state_.task(need.task)), 10,
                name(task) + " needs what task " + std::to_string(need.task.number()) + " made, which left");
    if (task.state == TaskState::kReady) require(missing == 0, 5, name(task) + " misses inputs or a verdict");
    require(state_.capacity.speculative().contains(task.plan.id) == (is_held(task.state) && missing > 0), 6,
            name(task) + " running ahead");
    if (task.state == TaskState::kPending) require(missing > 0, 7, name(task) + " waits for nothing");
    const bool should_wait = (task.state == TaskState::kReady ||
                              (task.state == TaskState::kPending && gates > 0 && missing == gates)) &&
                             task.retry_at_ms == 0 && !shot.pause_requested;
    require(should_wait == (task.scheduling_class != kNoId), 6, name(task) + " is in the wrong queue");
    if (task.scheduling_class != kNoId) {
      const SchedulingClass& scheduling_class = state_.queue.scheduling_classes()[task.scheduling_class];
      const LaneKey lane{shot.urgent ? shot.spec.deadline_wall_ms : LaneKey::kNever, task.shot};
      require(scheduling_class.needs == needs_of(state_, task) && scheduling_class.flow == shot.flow, 6,
              name(task) + " is in a wrong scheduling_class");
      require(scheduling_class.lanes.contains(lane) &&
                  scheduling_class.lanes.at(lane).contains({task.path, task.plan.id}),
              6, name(task) + " is not in its lane");
    }
    require((task.retry_at_ms > 0) == state_.clock.retries().contains({task.retry_at_ms, task.plan.id}), 6,
            name(task) + " back-off index");
    if (is_held(task.state)) check_lease(task);
    if (task.state == TaskState::kSucceeded) {
      require(task.accepted_attempt > 0 && task.accepted_attempt <= task.attempt, 2,
              name(task) + " without attempt");
      require(!computes_tensors(task.plan) || task.result.numeric_class.empty() ||
                  task.result.numeric_class == shot.numeric_class,
              5, name(task) + " is of class " + task.result.numeric_class);
    } else {
      require(task.accepted_attempt == 0, 2, name(task) + " has a result");
    }
  }

  void check_lease(const Task& task) {
    ++leases_;
    require(state_.workers.has(task.lease().worker), 3, name(task) + " is held by no worker");
    require(task.lease().id < state_.next_lease, 3, name(task) + " has a lease of the future");
    require(lease_ids_.insert(task.lease().id).second, 3, name(task) + " shares its lease");
    require(state_.clock.expiries().contains({task.holding.expires_ms, task.plan.id}), 3,
            name(task) + " lease never expires");
    if (!state_.workers.has(task.lease().worker)) return;
    const Worker& worker = state_.workers[task.lease().worker];
    const std::vector<TaskId>& leases = worker.leases[task.holding.kind];
    require(std::count(leases.begin(), leases.end(), task.plan.id) == 1, 3,
            name(task) + " is not among the leases of " + worker.name);
  }

  void check(const Worker& worker, WorkerId id) {
    const Resources& has = worker.offer.resources;
    held_ += held_by(worker);
    std::size_t behind = 0;
    for (const SlotKind kind : kEverySlotKind) {
      const std::size_t held = worker.leases[kind].size();
      behind += held > has.slots[kind] ? held - has.slots[kind] : 0;
      check(worker, id, kind);
    }
    for (const SlotKind kind : kEverySlotKind) {
      const std::size_t held = worker.leases[kind].size();
      const bool idle = takes_work(worker) && held < has.slots[kind];
      const bool hungry =
          idle || (takes_work(worker) && has.slots[kind] > 0 && behind < worker.offer.prefetch);
      require(hungry == state_.capacity.with_room(kind).contains(id), 6, worker.name + " hungry index");
      require(idle == state_.capacity.idle(kind).contains(id), 6, worker.name + " idle index");
      require((held > has.slots[kind]) == state_.capacity.with_queue(kind).contains(id), 6,
              worker.name + " stacked index");
      require(behind <= worker.offer.prefetch || !worker.connected || !hungry, 4,
              worker.name + " holds more than it offered");
    }
    require(policy::host_bytes_taken(worker.held_bytes, has.slots) <= has.host_bytes || !worker.connected, 4,
            worker.name + " has too much host memory reserved");
  }

  // What it holds in slots of one kind.
  void check(const Worker& worker, WorkerId id, SlotKind kind) {
    const Resources& has = worker.offer.resources;
    std::vector<std::uint64_t> bytes;
    std::uint64_t older = 0;
    for (const TaskId task_id : worker.leases[kind]) {
      const Task& task = state_.task(task_id);
      const policy::Footprint takes = policy::footprint(worker.offer, needs_of(state_, task));
      require(is_held(task.state) && task.lease().worker == id, 3, worker.name + " holds " + name(task));
      require(task.lease().id > older, 6, worker.name + " holds " + name(task) + " out of its turn");
      older = task.lease().id;
      const bool has_slot = bytes.size() < has.slots[kind];
      if (has_slot) ++slots_[state_.shots[task.shot].show][kind];
      if (task.holding.queued_in != kNoId) ++behind_[task.holding.queued_in];
      require((task.holding.queued_in == kNoId) == has_slot, 6, name(task) + " waits behind others");
      require(takes.kind == kind && task.holding.kind == kind, 4,
              name(task) + " is in a slot of another kind");
      require(takes.host_bytes <= has.host_bytes || !worker.connected, 4,
              worker.name + " has not the host memory for " + name(task));
      require(takes.device_bytes <= policy::device_bytes_each(has) || !worker.connected, 4,
              worker.name + " has not the device memory for " + name(task));
      bytes.push_back(takes.host_bytes);
    }
    std::sort(bytes.begin(), bytes.end(), std::greater<>());
    require(bytes == worker.held_bytes[kind], 6, worker.name + " memory index");
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
      const bool unwanted = shot.state == ShotState::kCancelled ||
                            (task.plan.take > 0 && shot.take(task.plan.take).state == TakeState::kDropped);
      const bool ending = is_held(task.state) && task.lease().revoking;
      require(!unwanted || is_final(task.state) || ending, 5,
              name(task) + " of a dropped take or cancelled shot");
    }
    for (const TaskId id : shot.tasks) {
      const Task& task = state_.task(id);
      const bool open = !is_final(task.state) && !(is_held(task.state) && task.lease().revoking);
      require(shot.state != ShotState::kDelivered || !open, 6,
              shot.key + " is delivered with an open " + to_string(task.plan.stage) + " " + name(task));
    }
    for (const Take& take : shot.takes) {
      require(take.left.before <= state_.tasks.next_id(), 10, shot.key + " lost pictures of the future");
      require(shot.approved != take.number || !has_left(take), 10, shot.key + " approved what left");
    }
    if (shot.state == ShotState::kAttention)
      require(!shot.reason.empty(), 7, shot.key + " needs attention, why?");
  }

  void check_counts() {
    require(counts_ == state_.work.counts(), 6, "task counters");
    require(planned_ == state_.tasks.size(), 6, "tasks of shots do not sum to all tasks");
    require(ready_ == state_.queue.ready() && ahead_ == state_.queue.ahead(), 6, "ready counters");
    require(unplanned_ == state_.work.unplanned(), 6, "unplanned counter");
    std::size_t queued = 0, leased = 0, shown = 0;
    for (const SchedulingClass& scheduling_class : state_.queue.scheduling_classes()) {
      const Flow& flow = state_.queue.flows()[scheduling_class.flow];
      const auto& listed = scheduling_class.needs.ahead ? flow.ahead : flow.scheduling_classes;
      for (const auto& [key, lane] : scheduling_class.lanes) {
        if (!scheduling_class.needs.ahead) queued += lane.size();
        require(!lane.empty() && scheduling_class.by_path.contains({-lane.begin()->path, key}), 6,
                "lanes by path");
      }
      require(scheduling_class.by_path.size() == scheduling_class.lanes.size(), 6, "lanes by path");
      const bool is_listed = std::count(listed.begin(), listed.end(),
                                        state_.queue.scheduling_classes().id_of(scheduling_class)) == 1;
      require(is_listed == !scheduling_class.lanes.empty(), 6, "scheduling_classes of a flow");
    }
    check_limits();
    for (ShowId id(0); state_.shows.has(id); ++id)
      require(state_.shows[id].slots == slots_[id], 6, "slots of show " + state_.shows[id].name);
    for (const Show& show : state_.shows) {
      leased += show.leased;
      shown += show.ready;
    }
    require(queued == ready_ && shown == ready_, 6, "scheduling_classes");
    require(behind_ == state_.capacity.queued(), 6, "attempts that wait behind others");
    require(leased == leases_ && held_ == leases_ && state_.clock.expiries().size() == leases_, 6,
            "lease counters");
  }

  void check_limits() {
    std::array<std::uint32_t, kStages> by_stage{};
    std::map<std::string, std::uint32_t> by_name;
    for (const Task& task : state_.tasks) {
      if (!is_held(task.state)) continue;
      ++by_stage[static_cast<int>(task.plan.stage)];
      for (const std::string& limit : state_.shots[task.shot].spec.limits) ++by_name[limit];
    }
    require(by_stage == state_.held.by_stage, 6, "leases by stage");
    for (const auto& [limit, count] : state_.held.by_name)
      require(count == by_name[limit], 6, "limit " + limit);
    for (const config::SharedLimit& limit : state_.sharing.limits) {
      require(policy::held(limit, state_.held) <= static_cast<std::uint32_t>(limit.count), 4,
              "more than " + std::to_string(limit.count) + " tasks hold the limit " + limit.name);
    }
  }

  const State& state_;
  std::vector<std::string> problems_;
  TaskCounts counts_{};
  std::set<std::uint64_t> lease_ids_;
  std::map<ShowId, SlotCounts> slots_;
  std::map<SchedulingClassId, std::uint32_t> behind_;
  std::size_t ready_ = 0, ahead_ = 0, leases_ = 0, held_ = 0, planned_ = 0;
  std::uint64_t unplanned_ = 0;
};

}  // namespace

std::vector<std::string> check_invariants(const State& state) { return Checker(state).run(); }

}  // namespace rushes::scheduler
