#include "scheduler/core/state/paths.h"

#include <algorithm>
#include <array>
#include <optional>

#include "scheduler/core/policy/path.h"
#include "scheduler/core/state/estimates.h"
#include "scheduler/core/state/take_work.h"
#include "scheduler/core/state/waiting.h"

namespace rushes::scheduler {
namespace {

// Expected seconds of tasks, for many tasks of one shot in a row.
class Costs {
 public:
  explicit Costs(const State& state) : state_(state) {}
  float of(const Task& task) {
    if (task.shot != shot_) pace_.fill({});
    shot_ = task.shot;
    auto& pace = pace_[static_cast<std::size_t>(task.plan.stage)][task.plan.level > 0 ? 1 : 0];
    if (!pace) pace = scheduler::pace(state_, state_.shots[task.shot], task.plan.stage, task.plan.level);
    return static_cast<float>(pace->of(task.plan.work) + task.plan.host_seconds);
  }

 private:
  const State& state_;
  ShotId shot_;
  std::array<std::array<std::optional<Pace>, 2>, kStages> pace_{};
};

// To the sums of what is left of the shot, its pool and the farm.
void add_left(State& state, Shot& shot, double seconds) {
  shot.left_seconds = std::max(0.0, shot.left_seconds + seconds);
  state.loads.add_left(shot.pool, seconds);
  state.work.add_left(seconds);
}

float path_behind(const State& state, const Task& task) {
  const Shot& shot = state.shots[task.shot];
  const bool first = shot.unplanned > 0 && task.plan.id == shot.encode;
  const auto ways = policy::ways_behind(task.plan.stage, task.plan.level, task.plan.whole_take, first);
  policy::WaySeconds seconds;
  if (ways.takes) seconds.takes = path_of_takes(state, shot);
  if (ways.after_takes) seconds.after_takes = path_after_takes(state, shot);
  for (const TaskId id : task.dependents)
    seconds.dependents = std::max(seconds.dependents, state.task(id).path);
  if (ways.siblings)
    for (const Dependency& need : task.plan.needs)
      for (const TaskId id : state.task(need.task).dependents)
        if (id > task.plan.id) seconds.siblings = std::max(seconds.siblings, state.task(id).path);
  return policy::path_behind(seconds);
}

// What an earlier task leads to has become longer.
void raise_path(State& state, Task& task, float behind) {
  if (is_final(task.state) || task.path >= task.cost + behind) return;
  set_path(state, task, task.cost, task.cost + behind);
  for (const Dependency& need : task.plan.needs) raise_path(state, state.tasks[need.task], task.path);
}

}  // namespace

void set_paths(State& state, TaskId first) {
  Costs costs(state);
  for (std::uint64_t number = state.tasks.size(); number >= first.number(); --number) {
    Task& task = state.tasks[TaskId(number)];
    const float cost = costs.of(task);
    set_path(state, task, cost, cost + path_behind(state, task));
    if (!is_final(task.state)) add_cost(state, task, 1);
    for (const Dependency& need : task.plan.needs) {
      if (need.task < first) raise_path(state, state.tasks[need.task], task.path);
    }
  }
}

void refresh_paths(State& state, Shot& shot) {
  count_unplanned_cost(state, shot);
  Costs costs(state);
  for (auto id = shot.tasks.rbegin(); id != shot.tasks.rend(); ++id) {
    Task& task = state.tasks[*id];
    if (is_final(task.state)) continue;
    const float cost = costs.of(task);
    add_cost(state, task, -1);
    set_path(state, task, cost, cost + path_behind(state, task));
    add_cost(state, task, 1);
  }
}

void count_unplanned_cost(State& state, Shot& shot) {
  if (shot.take_work == kNoId) shot.take_work = take_work_of(state, shot.spec);
  const double seconds = unplanned_seconds(state, shot);
  add_left(state, shot, seconds - shot.unplanned_seconds);
  shot.unplanned_seconds = seconds;
}

void add_cost(State& state, Task& task, double sign) {
  add_left(state, state.shots[task.shot], sign * static_cast<double>(task.cost));
}

}  // namespace rushes::scheduler
