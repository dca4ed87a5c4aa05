#include "scheduler/core/state/tasks.h"

#include <cassert>

#include "config/mutation.h"
#include "scheduler/core/state/needs.h"
#include "scheduler/core/state/paths.h"
#include "scheduler/core/state/waiting.h"

namespace rushes::scheduler {
namespace {

// A checkpoint whose verdict decides whether what waits for it may go on.
bool is_gate(const State& state, const Dependency& need) {
  return !need.data && state.task(need.task).plan.stage == Stage::kCritique;
}

Task& add_task(State& state, ShotId shot, const PlannedTask& plan, std::int64_t wall_ms) {
  assert(plan.id == state.tasks.next_id());
  Task& task = state.tasks.add();
  task.plan = plan;
  task.shot = shot;
  task.planned_wall_ms = wall_ms;
  for (const Dependency& need : plan.needs) {
    Task& maker = state.tasks[need.task];
    if (is_done(maker)) continue;
    if (mutated(Mutation::kForgetDependency) && &need == &plan.needs.back()) continue;
    maker.dependents.push_back(plan.id);
    ++task.missing;
    task.gates += is_gate(state, need) ? 1 : 0;
  }
  mark_changed(state, task);
  state.shots[shot].tasks.push_back(plan.id);
  state.work.add_task(TaskState::kPending);
  ++state.shots[shot].counts[static_cast<int>(TaskState::kPending)];
  return task;
}

}  // namespace

void add_tasks(State& state, ShotId shot, const std::vector<PlannedTask>& plans, std::int64_t wall_ms) {
  const TaskId first = state.tasks.next_id();
  for (const PlannedTask& plan : plans) add_task(state, shot, plan, wall_ms);
  set_paths(state, first);
  for (TaskId id = first; id < state.tasks.next_id(); ++id) {
    Task& task = state.tasks[id];
    if (task.state != TaskState::kPending) continue;
    if (task.missing == 0)
      set_state(state, task, TaskState::kReady);
    else
      refresh_ready(state, task);
  }
}

Task& restore_task(State& state, const TaskFacts& facts, TaskState as) {
  Task& task = add_task(state, facts.shot, facts.plan, facts.planned_wall_ms);
  static_cast<TaskFacts&>(task) = facts;
  task.last_lease = {};
  task.state = TaskState::kPending;
  if (as != TaskState::kPending)
    set_state(state, task, as);
  else
    refresh_ready(state, task);
  return task;
}

void set_state(State& state, Task& task, TaskState to) {
  Shot& shot = state.shots[task.shot];
  assert(shot.counts[static_cast<int>(task.state)] > 0);
  state.work.move_task(task.state, to);
  --shot.counts[static_cast<int>(task.state)];
  ++shot.counts[static_cast<int>(to)];
  if (is_final(to) != is_final(task.state)) add_cost(state, task, is_final(to) ? -1 : 1);
  task.state = to;
  if (!mutated(Mutation::kStaleRow) || to != TaskState::kSucceeded) mark_changed(state, task);
  if (to != TaskState::kReady && to != TaskState::kPending) hold_back(state, task, 0);
  refresh_ready(state, task);
}

void release_dependents(State& state, const Task& task) {
  if (!is_done(task)) return;  // it ran ahead: its dependents wait for the verdict too
  for (std::size_t i = 0; i < task.dependents.size(); ++i) {
    Task& dependent = state.tasks[task.dependents[i]];
    assert(dependent.missing > 0);
    --dependent.missing;
    for (const Dependency& need : dependent.plan.needs)
      if (need.task == task.plan.id && is_gate(state, need)) --dependent.gates;
    if (dependent.missing == 0) state.capacity.remove_speculative(dependent.plan.id);
    if (dependent.state == TaskState::kPending && dependent.missing == 0)
      set_state(state, dependent, TaskState::kReady);
    else if (dependent.state == TaskState::kPending)
      refresh_ready(state, dependent);
    else if (dependent.state == TaskState::kSucceeded && dependent.missing == 0)
      release_dependents(state, dependent);
  }
}

void hold_back(State& state, Task& task, std::int64_t until_ms) {
  if (task.retry_at_ms > 0) state.clock.let_go(task.plan.id, task.retry_at_ms);
  task.retry_at_ms = until_ms;
  if (until_ms > 0) state.clock.hold_back(task.plan.id, until_ms);
}

void recount_unplanned(State& state, Shot& shot) {
  const std::uint64_t before = shot.unplanned;
  shot.unplanned = unplanned_tasks(shot);
  state.work.count_unplanned(before, shot.unplanned);
  count_unplanned_cost(state, shot);
}

void mark_changed(State& state, Task& task) {
  if (!task.changed) state.changed.tasks.push_back(task.plan.id);
  task.changed = true;
}

void mark_changed(State& state, Shot& shot) {
  if (!shot.changed) state.changed.shots.push_back(state.shots.id_of(shot));
  shot.changed = true;
}

void mark_changed(State& state, Worker& worker) {
  if (!worker.changed) state.changed.workers.push_back(state.workers.id_of(worker));
  worker.changed = true;
}

}  // namespace rushes::scheduler
