#include "scheduler/core/state/costs.h"

#include <algorithm>

#include "scheduler/core/policy/fair_share.h"

namespace rushes::scheduler {
namespace {

DeviceSeconds used_by(const TaskFacts& task) {
  DeviceSeconds cost;
  if (task.accepted_attempt > 0)
    cost.used[task.accepted_slot] = policy::charged_seconds(task.result.wall_seconds);
  return cost;
}

}  // namespace

double slot_seconds(const Task& task, Now now) {
  if (task.state != TaskState::kRunning) return 0;
  // Across a restart of the scheduler only the wall clock knows when it began.
  const std::int64_t ms = task.holding.began_ms > 0 ? now.boot_ms - task.holding.began_ms
                                                    : now.wall_ms - task.lease().started_wall_ms;
  return policy::charged_seconds(static_cast<double>(ms) / 1000);
}

DeviceSeconds cost_of(const TaskFacts& task) {
  DeviceSeconds cost = used_by(task);
  cost.wasted = task.wasted_seconds;
  return cost;
}

DeviceSeconds cost_of(const Task& task, Now now) {
  DeviceSeconds cost = cost_of(static_cast<const TaskFacts&>(task));
  if (is_held(task.state)) cost.used[task.holding.kind] += slot_seconds(task, now);
  return cost;
}

void count_costs(State& state, const Task& task, Worker& worker, const DeviceSeconds& cost) {
  state.shots[task.shot].costs[static_cast<std::size_t>(task.plan.stage)] += cost;
  worker.cost += cost;
}

void restore_costs(State& state, const Task& task) {
  state.shots[task.shot].costs[static_cast<std::size_t>(task.plan.stage)] += cost_of(task);
  if (state.workers.has(task.accepted_worker)) state.workers[task.accepted_worker].cost += used_by(task);
  for (const Failure& failure : task.bad_attempts) {
    const WorkerId worker = state.names.worker(failure.worker);
    if (state.workers.has(worker)) state.workers[worker].cost.wasted[failure.slot] += failure.slot_seconds;
  }
}

}  // namespace rushes::scheduler
