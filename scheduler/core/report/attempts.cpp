#include "scheduler/core/report/attempts.h"

#include <algorithm>

#include "scheduler/plan/compose.h"

namespace rushes::scheduler::view {
namespace {

std::optional<double> seconds_between(std::int64_t from_ms, std::int64_t to_ms) {
  if (from_ms <= 0 || to_ms < from_ms) return std::nullopt;
  return static_cast<double>(to_ms - from_ms) / 1000;
}

std::string name_of(const State& state, WorkerId worker) {
  return state.workers.has(worker) ? state.workers[worker].name : "";
}

AttemptInfo bad_attempt(const Failure& bad) {
  return {bad.attempt, bad.worker, to_string(bad.end), bad.kind, bad.started_wall_ms, bad.wall_ms,
          seconds_between(bad.started_wall_ms, bad.wall_ms),
          // The message of an engine that died has the cause.
          bad.message.find(bad.exit_cause) != std::string::npos ? bad.message
                                                                : bad.message + " (" + bad.exit_cause + ")"};
}

TaskAttempts row_of(const State& state, const Task& task, Now now) {
  const Shot& shot = state.shots[task.shot];
  return {task.plan.id, shot.key, task_name(shot.spec, task.plan), task.state, attempts(state, task, now)};
}

// 0 stands first.
int order_of(const Task& task) {
  if (task.state == TaskState::kFailed) return 0;
  return task.bad_attempts.empty() ? 2 : 1;
}

}  // namespace

std::vector<AttemptInfo> attempts(const State& state, const Task& task, Now now) {
  std::vector<AttemptInfo> rows;
  for (const Failure& bad : task.bad_attempts) rows.push_back(bad_attempt(bad));
  if (task.accepted_attempt > 0)
    rows.push_back({task.accepted_attempt, name_of(state, task.accepted_worker), "succeeded", std::nullopt,
                    task.accepted_started_wall_ms, task.finished_wall_ms, task.result.wall_seconds, ""});
  if (is_held(task.state)) {
    const Lease& lease = task.lease();
    rows.push_back({task.attempt, name_of(state, lease.worker), to_string(task.state), std::nullopt,
                    lease.started_wall_ms, 0, seconds_between(lease.started_wall_ms, now.wall_ms),
                    task.progress.text});
  }
  std::stable_sort(rows.begin(), rows.end(),
                   [](const AttemptInfo& a, const AttemptInfo& b) { return a.attempt < b.attempt; });
  return rows;
}

std::optional<TaskAttempts> attempts_of(const State& state, TaskId task, Now now) {
  if (!state.has_task(task)) return std::nullopt;
  return row_of(state, state.task(task), now);
}

std::optional<std::vector<TaskAttempts>> attempts_of(const State& state, std::string_view shot, Now now) {
  const Shot* found = state.find_shot(shot);
  if (found == nullptr) return std::nullopt;
  std::vector<const Task*> tasks;
  for (const TaskId id : found->tasks)
    if (state.task(id).attempt > 0) tasks.push_back(&state.task(id));
  std::stable_sort(tasks.begin(), tasks.end(),
                   [](const Task* a, const Task* b) { return order_of(*a) < order_of(*b); });
  std::vector<TaskAttempts> rows;
  rows.reserve(tasks.size());
  for (const Task* task : tasks) rows.push_back(row_of(state, *task, now));
  return rows;
}

}  // namespace rushes::scheduler::view
