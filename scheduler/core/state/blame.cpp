#include "scheduler/core/state/blame.h"

#include <algorithm>

#include "scheduler/core/policy/retry.h"
#include "scheduler/core/state/tasks.h"

namespace rushes::scheduler {

void blame(Worker& worker, const Task& task) {
  if (std::ranges::find(worker.failed_shots, task.shot) == worker.failed_shots.end())
    worker.failed_shots.push_back(task.shot);
}

void forgive(State& state, Worker& worker) {
  if (worker.failed_tasks == 0 && worker.failed_shots.empty()) return;
  worker.failed_tasks = 0;
  worker.failed_shots.clear();
  mark_changed(state, worker);
}

void blame_others(State& state, const Task& task, const Worker& finisher) {
  for (const Failure& failure : task.bad_attempts) {
    const bool counts =
        failure.end == AttemptEnd::kFailed && policy::blames_worker(fault_of(failure.kind), false);
    if (!counts || failure.worker == finisher.name) continue;
    const WorkerId id = state.names.worker(failure.worker);
    if (!state.workers.has(id)) continue;
    ++state.workers[id].failed_tasks;
    mark_changed(state, state.workers[id]);
  }
}

}  // namespace rushes::scheduler
