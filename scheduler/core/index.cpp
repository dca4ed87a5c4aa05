#include "scheduler/core/index.h"

#include <algorithm>
#include <cassert>

#include "config/mutation.h"
#include "scheduler/plan/plan.h"

namespace rushes::scheduler {

bool needs_model(const PlannedTask& plan) {
  switch (plan.stage) {
    case Stage::kFinish:
    case Stage::kDeliver:
      return false;
    case Stage::kCritique:
      return !plan.whole_take;  // a window's preview is decoded by the critique task
    default:
      return true;
  }
}

Needs needs_of(const State& state, const Task& task) {
  const Shot& shot = state.shots[task.shot];
  Needs needs;
  if (needs_model(task.plan)) needs.model = shot.spec.recipe.model_digest;
  needs.numeric_class = shot.numeric_class;
  needs.memory_bytes = task.plan.memory_bytes;
  return needs;
}

std::uint64_t unplanned_tasks(const Shot& shot) {
  if (shot.state == ShotState::kCancelled) return 0;
  const auto takes = std::count_if(shot.takes.begin(), shot.takes.end(),
                                   [](const Take& take) { return take.versions.empty(); });
  return takes == 0 ? 0 : static_cast<std::uint64_t>(takes) * count_take_tasks(shot.spec);
}

namespace index {
namespace {

bool is_done(TaskState state) { return state == TaskState::kSucceeded || state == TaskState::kSkipped; }

ReadyKey key_of(const State& state, const Task& task) {
  return {state.shots[task.shot].spec.priority, task.shot, task.depth, task.plan.id};
}

std::uint32_t bucket_of(State& state, ShowId show, const Needs& needs) {
  const auto [found, is_new] =
      state.bucket_index.try_emplace({show, needs}, static_cast<std::uint32_t>(state.buckets.size()));
  if (is_new) {
    state.buckets.push_back({show, needs, {}});
    state.shows[show].buckets.push_back(found->second);
  }
  return found->second;
}

void leave_bucket(State& state, Task& task) {
  if (task.bucket == kNoIndex) return;
  Bucket& bucket = state.buckets[task.bucket];
  [[maybe_unused]] const auto erased = bucket.ready.erase(key_of(state, task));
  assert(erased == 1);
  --state.shows[bucket.show].ready;
  --state.ready;
  task.bucket = kNoIndex;
}

}  // namespace

ShowId show_of(State& state, const std::string& name) {
  const auto [found, is_new] = state.show_index.try_emplace(name, static_cast<ShowId>(state.shows.size()));
  if (is_new) state.shows.push_back({name, 0, 0, {}});
  return found->second;
}

void add_task(State& state, ShotId shot, const PlannedTask& plan, std::int64_t wall_ms) {
  assert(plan.id == state.tasks.size() + 1);
  Task& task = state.tasks.emplace_back();
  task.plan = plan;
  task.shot = shot;
  task.planned_wall_ms = wall_ms;
  for (const Dependency& need : plan.needs) {
    Task& maker = state.tasks[need.task - 1];
    if (is_done(maker.state)) continue;
    if (mutated(Mutation::kForgetDependency) && &need == &plan.needs.back()) continue;
    maker.dependents.push_back(plan.id);
    ++task.missing;
  }
  state.shots[shot].tasks.push_back(plan.id);
  ++state.counts[static_cast<int>(TaskState::kPending)];
  ++state.shots[shot].counts[static_cast<int>(TaskState::kPending)];
}

void set_depths(State& state, TaskId first) {
  for (TaskId id = state.tasks.size(); id >= first; --id) {
    Task& task = state.tasks[id - 1];
    task.depth = 1;
    for (const TaskId dependent : task.dependents) {
      task.depth = std::max(task.depth, state.tasks[dependent - 1].depth + 1);
    }
  }
  for (TaskId id = first; id <= state.tasks.size(); ++id) {
    Task& task = state.tasks[id - 1];
    if (task.state == TaskState::kPending && task.missing == 0) set_state(state, task, TaskState::kReady);
  }
}

void set_state(State& state, Task& task, TaskState to) {
  Shot& shot = state.shots[task.shot];
  --state.counts[static_cast<int>(task.state)];
  --shot.counts[static_cast<int>(task.state)];
  ++state.counts[static_cast<int>(to)];
  ++shot.counts[static_cast<int>(to)];
  task.state = to;
  if (to != TaskState::kReady) hold_back(state, task, 0);
  refresh_ready(state, task);
}

void release_dependents(State& state, const Task& task) {
  for (const TaskId id : task.dependents) {
    Task& dependent = state.tasks[id - 1];
    assert(dependent.missing > 0);
    if (--dependent.missing == 0 && dependent.state == TaskState::kPending) {
      set_state(state, dependent, TaskState::kReady);
    }
  }
}

void refresh_ready(State& state, Task& task) {
  const Shot& shot = state.shots[task.shot];
  leave_bucket(state, task);
  if (task.state != TaskState::kReady || task.retry_at_ms > 0 || shot.pause_requested) return;
  task.bucket = bucket_of(state, shot.show, needs_of(state, task));
  Bucket& bucket = state.buckets[task.bucket];
  bucket.ready.insert(key_of(state, task));
  ++state.shows[bucket.show].ready;
  ++state.ready;
  state.dispatch_due = true;
}

void refresh_ready(State& state, Shot& shot) {
  for (const TaskId id : shot.tasks) refresh_ready(state, state.tasks[id - 1]);
}

void recount_unplanned(State& state, Shot& shot) {
  state.unplanned -= shot.unplanned;
  shot.unplanned = unplanned_tasks(shot);
  state.unplanned += shot.unplanned;
}

void take_lease(State& state, Task& task, const Lease& lease) {
  task.lease = lease;
  state.workers[lease.worker].leases.push_back(task.plan.id);
  ++state.shows[state.shots[task.shot].show].leased;
  state.expiries.insert({lease.expires_ms, task.plan.id});
  state.next_lease = std::max(state.next_lease, lease.id + 1);
  refresh_hungry(state, lease.worker);
}

void renew_lease(State& state, Task& task, std::int64_t expires_ms) {
  state.expiries.erase({task.lease.expires_ms, task.plan.id});
  task.lease.expires_ms = expires_ms;
  state.expiries.insert({expires_ms, task.plan.id});
}

void drop_lease(State& state, Task& task) {
  auto& leases = state.workers[task.lease.worker].leases;
  leases.erase(std::find(leases.begin(), leases.end(), task.plan.id));
  --state.shows[state.shots[task.shot].show].leased;
  state.expiries.erase({task.lease.expires_ms, task.plan.id});
  const WorkerId worker = task.lease.worker;
  task.lease = {};
  task.progress = {};
  refresh_hungry(state, worker);
}

void hold_back(State& state, Task& task, std::int64_t until_ms) {
  if (task.retry_at_ms > 0) state.retries.erase({task.retry_at_ms, task.plan.id});
  task.retry_at_ms = until_ms;
  if (until_ms > 0) state.retries.insert({until_ms, task.plan.id});
}

void refresh_hungry(State& state, WorkerId id) {
  const Worker& worker = state.workers[id];
  const bool hungry = worker.connected && !worker.draining && worker.quarantined_until_ms == 0 &&
                      worker.leases.size() < worker.slots + worker.prefetch;
  if (hungry) {
    state.hungry.insert(id);
    state.dispatch_due = true;
  } else {
    state.hungry.erase(id);
  }
}

}  // namespace index
}  // namespace rushes::scheduler
