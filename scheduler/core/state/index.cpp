#include "scheduler/core/state/index.h"

#include <algorithm>
#include <cassert>

#include "config/mutation.h"
#include "scheduler/core/policy/fit.h"
#include "scheduler/core/state/pools.h"
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

Requirements needs_of(const State& state, const Task& task) {
  const Shot& shot = state.shots[task.shot];
  Requirements needs;
  if (needs_model(task.plan)) needs.model = shot.spec.recipe.model_digest;
  needs.numeric_class = shot.numeric_class;
  needs.memory_bytes = task.plan.memory_bytes;
  needs.stage = task.plan.stage;
  needs.limit_set = shot.limit_set;
  needs.ahead = may_run_ahead(task);
  return needs;
}

std::uint64_t unplanned_tasks(const Shot& shot) {
  if (shot.state == ShotState::kCancelled) return 0;
  const auto takes =
      std::count_if(shot.takes.begin(), shot.takes.end(), [](const Take& take) { return !is_planned(take); });
  return takes == 0 ? 0 : static_cast<std::uint64_t>(takes) * count_take_tasks(shot.spec);
}

namespace index {
namespace {

// A checkpoint whose verdict decides whether what waits for it may go on.
bool is_gate(const State& state, const Dependency& need) {
  return !need.data && state.tasks[need.task - 1].plan.stage == Stage::kCritique;
}

void count_lease(State& state, const Task& task, int by) {
  const Shot& shot = state.shots[task.shot];
  const auto more = static_cast<std::uint32_t>(by);  // wraps for -1
  state.shows[shot.show].leased += more;
  state.held.by_stage[static_cast<int>(task.plan.stage)] += more;
  for (const std::string& limit : shot.spec.limits) state.held.by_name[limit] += more;
  if (by < 0) state.dispatch_due = true;  // a limit may be free for others
}

Show& show_of_task(State& state, TaskId id) {
  return state.shows[state.shots[state.tasks[id - 1].shot].show];
}

// A held task gets a slot, or waits behind those that have one.
void count_slot(State& state, TaskId id, bool has_slot) {
  Task& task = state.tasks[id - 1];
  if (has_slot) {
    task.holding.slot_of = state.shots[task.shot].flow;
    ++state.flows[task.holding.slot_of].slots;
    ++show_of_task(state, id).slots;
  } else {
    task.holding.queued_in = bucket_of(state, state.shots[task.shot].flow, needs_of(state, task));
    ++state.behind[task.holding.queued_in];
  }
}

void uncount_slot(State& state, TaskId id) {
  Task& task = state.tasks[id - 1];
  if (task.holding.queued_in == kNoIndex) {
    --state.flows[task.holding.slot_of].slots;
    --show_of_task(state, id).slots;
  } else {
    const auto found = state.behind.find(task.holding.queued_in);
    if (--found->second == 0) state.behind.erase(found);
    task.holding.queued_in = kNoIndex;
  }
}

void add_memory(Worker& worker, std::uint64_t bytes) {
  auto& held = worker.held_memory;
  held.insert(std::upper_bound(held.begin(), held.end(), bytes, std::greater<>()), bytes);
}

void remove_memory(Worker& worker, std::uint64_t bytes) {
  auto& held = worker.held_memory;
  held.erase(std::lower_bound(held.begin(), held.end(), bytes, std::greater<>()));
}

// In the sums of the farm and of its class.
void count_offer(State& state, Worker& worker, std::uint32_t slots) {
  const std::uint32_t more = slots - worker.counted_slots;  // wraps where it is less
  state.slots += more;
  state.worker_classes[worker.worker_class].slots += more;
  worker.counted_slots = slots;
}

}  // namespace

void add_task(State& state, ShotId shot, const PlannedTask& plan, std::int64_t wall_ms) {
  assert(plan.id == state.tasks.size() + 1);
  Task& task = state.tasks.emplace_back();
  task.plan = plan;
  task.shot = shot;
  task.planned_wall_ms = wall_ms;
  for (const Dependency& need : plan.needs) {
    Task& maker = state.tasks[need.task - 1];
    if (is_done(maker)) continue;
    if (mutated(Mutation::kForgetDependency) && &need == &plan.needs.back()) continue;
    maker.dependents.push_back(plan.id);
    ++task.missing;
    task.gates += is_gate(state, need) ? 1 : 0;
  }
  mark_changed(state, task);
  state.shots[shot].tasks.push_back(plan.id);
  ++state.counts[static_cast<int>(TaskState::kPending)];
  ++state.shots[shot].counts[static_cast<int>(TaskState::kPending)];
}

void begin(State& state, TaskId first) {
  set_paths(state, first);
  for (TaskId id = first; id <= state.tasks.size(); ++id) {
    Task& task = state.tasks[id - 1];
    if (task.state != TaskState::kPending) continue;
    if (task.missing == 0)
      set_state(state, task, TaskState::kReady);
    else
      refresh_ready(state, task);
  }
}

void set_state(State& state, Task& task, TaskState to) {
  Shot& shot = state.shots[task.shot];
  --state.counts[static_cast<int>(task.state)];
  --shot.counts[static_cast<int>(task.state)];
  ++state.counts[static_cast<int>(to)];
  ++shot.counts[static_cast<int>(to)];
  if (is_final(to) != is_final(task.state)) add_cost(state, task, is_final(to) ? -1 : 1);
  task.state = to;
  if (!mutated(Mutation::kStaleRow) || to != TaskState::kSucceeded) mark_changed(state, task);
  if (to != TaskState::kReady && to != TaskState::kPending) hold_back(state, task, 0);
  refresh_ready(state, task);
}

void release_dependents(State& state, const Task& task) {
  if (!is_done(task)) return;  // it ran ahead: what depends on it waits for the verdict too
  for (std::size_t i = 0; i < task.dependents.size(); ++i) {
    Task& dependent = state.tasks[task.dependents[i] - 1];
    assert(dependent.missing > 0);
    --dependent.missing;
    for (const Dependency& need : dependent.plan.needs)
      if (need.task == task.plan.id && is_gate(state, need)) --dependent.gates;
    if (dependent.missing == 0) state.running_ahead.erase(dependent.plan.id);
    if (dependent.state == TaskState::kPending && dependent.missing == 0)
      set_state(state, dependent, TaskState::kReady);
    else if (dependent.state == TaskState::kPending)
      refresh_ready(state, dependent);
    else if (dependent.state == TaskState::kSucceeded && dependent.missing == 0)
      release_dependents(state, dependent);
  }
}

void recount_unplanned(State& state, Shot& shot) {
  state.unplanned -= shot.unplanned;
  shot.unplanned = unplanned_tasks(shot);
  state.unplanned += shot.unplanned;
  count_unplanned_cost(state, shot);
}

void take_lease(State& state, Task& task, const Lease& lease, std::int64_t expires_ms) {
  task.last_lease = lease;
  task.holding.expires_ms = expires_ms;
  Worker& worker = state.workers[lease.worker];
  auto place = worker.leases.end();  // not the end where a snapshot's rows come in the order of the tasks
  while (place != worker.leases.begin() && state.tasks[*(place - 1) - 1].lease().id > lease.id) --place;
  const bool has_slot = place - worker.leases.begin() < static_cast<std::ptrdiff_t>(worker.offer.slots);
  if (has_slot && worker.leases.size() >= worker.offer.slots) {
    uncount_slot(state, worker.leases[worker.offer.slots - 1]);
    count_slot(state, worker.leases[worker.offer.slots - 1], false);
  }
  count_slot(state, task.plan.id, has_slot);
  worker.leases.insert(place, task.plan.id);
  add_memory(worker, task.plan.memory_bytes);
  if (needs_model(task.plan)) {
    uncount_model(state, worker);
    worker.model_given = state.shots[task.shot].spec.recipe.model_digest;
  }
  count_lease(state, task, 1);
  if (task.missing > 0) state.running_ahead.insert(task.plan.id);
  state.expiries.insert({expires_ms, task.plan.id});
  state.next_lease = std::max(state.next_lease, lease.id + 1);
  refresh_hungry(state, lease.worker);
}

void renew_lease(State& state, Task& task, std::int64_t expires_ms) {
  state.expiries.erase({task.holding.expires_ms, task.plan.id});
  task.holding.expires_ms = expires_ms;
  state.expiries.insert({expires_ms, task.plan.id});
}

void drop_lease(State& state, Task& task) {
  const WorkerId id = task.lease().worker;
  Worker& worker = state.workers[id];
  const auto mine = std::find(worker.leases.begin(), worker.leases.end(), task.plan.id);
  uncount_slot(state, task.plan.id);
  if (mine - worker.leases.begin() < static_cast<std::ptrdiff_t>(worker.offer.slots) &&
      worker.leases.size() > worker.offer.slots) {
    uncount_slot(state, worker.leases[worker.offer.slots]);
    count_slot(state, worker.leases[worker.offer.slots], true);
  }
  worker.leases.erase(mine);
  remove_memory(worker, task.plan.memory_bytes);
  count_lease(state, task, -1);
  count_held(state, task, -task.holding.charge.seconds);
  state.running_ahead.erase(task.plan.id);
  state.expiries.erase({task.holding.expires_ms, task.plan.id});
  task.last_lease = {};
  task.holding = {};
  task.progress = {};
  refresh_hungry(state, id);
}

void hold_back(State& state, Task& task, std::int64_t until_ms) {
  if (task.retry_at_ms > 0) state.retries.erase({task.retry_at_ms, task.plan.id});
  task.retry_at_ms = until_ms;
  if (until_ms > 0) state.retries.insert({until_ms, task.plan.id});
}

void mark_changed(State& state, Task& task) {
  if (!task.changed) state.changed.tasks.push_back(task.plan.id);
  task.changed = true;
}

void mark_changed(State& state, Shot& shot) {
  if (!shot.changed) state.changed.shots.push_back(static_cast<ShotId>(&shot - state.shots.data()));
  shot.changed = true;
}

void mark_changed(State& state, Worker& worker) {
  if (!worker.changed) state.changed.workers.push_back(static_cast<WorkerId>(&worker - state.workers.data()));
  worker.changed = true;
}

void refresh_hungry(State& state, WorkerId id) {
  Worker& worker = state.workers[id];
  const bool takes = takes_work(worker);
  const bool hungry = takes && worker.leases.size() < worker.offer.slots + worker.offer.prefetch;
  state.dispatch_due = true;  // also when it takes nothing more: what it would have taken is for others now
  if (hungry)
    state.hungry.insert(id);
  else
    state.hungry.erase(id);
  if (takes && worker.leases.size() < worker.offer.slots)
    state.idle.insert(id);
  else
    state.idle.erase(id);
  if (worker.leases.size() > worker.offer.slots)
    state.stacked.insert(id);
  else
    state.stacked.erase(id);
  uncount_model(state, worker);
  count_model(state, worker);
  count_offer(state, worker, worker.connected ? worker.offer.slots : 0);
}

void count_slots(State& state, const Worker& worker) {
  for (std::size_t i = 0; i < worker.leases.size(); ++i)
    count_slot(state, worker.leases[i], i < worker.offer.slots);
}

void uncount_slots(State& state, Worker& worker) {
  uncount_model(state, worker);
  for (const TaskId id : worker.leases) uncount_slot(state, id);
}

void set_worker_class(State& state, Worker& worker) {
  if (worker.worker_class != kNoIndex) count_offer(state, worker, 0);
  const auto [found, is_new] = state.worker_class_index.try_emplace(
      worker.offer, static_cast<std::uint32_t>(state.worker_classes.size()));
  worker.worker_class = found->second;
  if (!is_new) return;
  const auto& classes = worker.offer.numeric_classes;
  state.worker_classes.push_back(
      {worker.offer, class_of(state, classes.empty() ? std::string() : classes.front()), 0});
  for (Bucket& bucket : state.buckets)
    bucket.fits.push_back(policy::fit(worker.offer, bucket.needs) == policy::Fit::kFits);
}

}  // namespace index
}  // namespace rushes::scheduler
