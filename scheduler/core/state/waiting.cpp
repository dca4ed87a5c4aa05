#include "scheduler/core/state/waiting.h"

#include <algorithm>
#include <cassert>

#include "scheduler/core/policy/affinity.h"
#include "scheduler/core/policy/fit.h"
#include "scheduler/core/policy/priority.h"
#include "scheduler/core/state/needs.h"
#include "scheduler/core/state/tasks.h"
#include "storage/records/words_codec.h"

namespace rushes::scheduler {
namespace {

LaneKey lane_of(const Shot& shot, ShotId id) {
  return {shot.urgent ? shot.spec.deadline_wall_ms : LaneKey::kNever, id};
}

// In what its model has to do.
void count_waiting(State& state, const Task& task, int by) {
  const SchedulingClass& scheduling_class = state.queue.scheduling_classes()[task.scheduling_class];
  if (scheduling_class.pool == kNoId || scheduling_class.needs.ahead) return;
  const bool is_kept_from_some = task.failures > 0 || task.slow_on != kNoId;
  state.loads.count_waiting(scheduling_class.pool, by,
                            policy::ready_seconds(static_cast<double>(task.cost), is_kept_from_some));
}

void enter(State& state, Task& task) {
  const Shot& shot = state.shots[task.shot];
  task.scheduling_class = scheduling_class_of(state, shot.flow, needs_of(state, task));
  state.queue.insert(task.scheduling_class, lane_of(shot, task.shot), {task.path, task.plan.id});
  count_waiting(state, task, 1);
}

void leave(State& state, Task& task) {
  state.queue.erase(task.scheduling_class, lane_of(state.shots[task.shot], task.shot),
                    {task.path, task.plan.id});
  count_waiting(state, task, -1);
}

// A show that had nothing to do joins at the clock, as its flows do.
void count_entered(State& state, const Task& task) {
  const SchedulingClass& scheduling_class = state.queue.scheduling_classes()[task.scheduling_class];
  if (scheduling_class.needs.ahead) return state.queue.count_ahead(1);
  Shot& shot = state.shots[task.shot];
  Show& show = state.shows[state.queue.flows()[scheduling_class.flow].show];
  if (show.ready == 0) show.pass = std::max(show.pass, state.queue.clock());
  if (shot.ready == 0) state.queue.add_shot(scheduling_class.flow, show.clock);
  ++shot.ready;
  ++show.ready;
  state.queue.count_ready(1);
}

void count_left(State& state, const Task& task) {
  const SchedulingClass& scheduling_class = state.queue.scheduling_classes()[task.scheduling_class];
  if (scheduling_class.needs.ahead) return state.queue.count_ahead(-1);
  Shot& shot = state.shots[task.shot];
  Show& show = state.shows[state.queue.flows()[scheduling_class.flow].show];
  assert(shot.ready > 0 && show.ready > 0);
  --shot.ready;
  --show.ready;
  state.queue.count_ready(-1);
  if (shot.ready == 0) state.queue.remove_shot(scheduling_class.flow);
}

void take_out(State& state, Task& task) {
  leave(state, task);
  count_left(state, task);
  task.scheduling_class = kNoId;
}

}  // namespace

ShowId show_of(State& state, const std::string& name) {
  ShowId show = state.names.show(name);
  if (show != kNoId) return show;
  show = state.shows.next_id();
  state.names.add_show(name, show);
  state.shows.add().name = name;
  configure(state, state.sharing);
  return show;
}

void configure(State& state, const Sharing& sharing) {
  if (&state.sharing != &sharing) state.sharing = sharing;
  for (Show& show : state.shows) {
    show.weight = 1;
    show.floor = 0;
    for (const config::Show& listed : state.sharing.shows) {
      if (listed.name != show.name) continue;
      show.weight = listed.weight;
      show.floor = listed.floor;
    }
  }
}

SchedulingClassId scheduling_class_of(State& state, FlowId flow, const Requirements& needs) {
  const SchedulingClassId known = state.queue.find_scheduling_class(flow, needs);
  if (known != kNoId) return known;
  SchedulingClass scheduling_class;
  scheduling_class.flow = flow;
  scheduling_class.needs = needs;
  if (needs.model != Digest{})
    scheduling_class.pool = state.loads.pool_of(needs.model, state.loads.class_of(needs.numeric_class));
  for (const WorkerClass& each : state.capacity.classes())
    scheduling_class.runs_in.push_back(kind_on(each.offer, needs));
  return state.queue.add_scheduling_class(std::move(scheduling_class));
}

void add_shot(State& state, ShotId id) {
  Shot& shot = state.shots[id];
  state.names.add_shot(shot.key, id);
  shot.show = show_of(state, shot.spec.show);
  shot.recipe_bytes = std::ssize(encode_recipe(shot.spec.recipe));
  set_pool(state, shot);
  recount_unplanned(state, shot);
  shot.limit_set = state.queue.limit_set_of(shot.spec.limits);
  set_urgent(state, id, false);
  watch_deadline(state, id);
}

void set_pool(State& state, Shot& shot) {
  const PoolId before = shot.pool;
  shot.pool = state.loads.pool_of(shot.spec.recipe.model_digest, state.loads.class_of(shot.numeric_class));
  if (before == shot.pool) return;
  if (before != kNoId) state.loads.add_left(before, -shot.left_seconds);
  state.loads.add_left(shot.pool, shot.left_seconds);
}

void watch_deadline(State& state, ShotId id) {
  const Shot& shot = state.shots[id];
  if (shot.spec.deadline_wall_ms <= 0) return;
  if (shot.state == ShotState::kDelivered || shot.state == ShotState::kCancelled)
    state.work.unwatch(shot.spec.deadline_wall_ms, id);
  else
    state.work.watch(shot.spec.deadline_wall_ms, id);
}

void set_urgent(State& state, ShotId id, bool urgent) {
  Shot& shot = state.shots[id];
  std::vector<TaskId> waiting;
  for (const TaskId task : shot.tasks) {
    if (state.task(task).scheduling_class == kNoId) continue;
    waiting.push_back(task);
    take_out(state, state.tasks[task]);
  }
  shot.urgent = urgent;
  const auto [flow, is_new] = state.queue.flow_of(
      shot.show, policy::effective_priority(shot.spec.priority, urgent), shot.spec.recipe.model_digest);
  if (is_new) state.shows[shot.show].flows.push_back(flow);
  shot.flow = flow;
  for (const TaskId task : waiting) refresh_ready(state, state.tasks[task]);
}

void refresh_ready(State& state, Task& task) {
  if (task.scheduling_class != kNoId) take_out(state, task);
  const Shot& shot = state.shots[task.shot];
  if (!may_be_leased(task) || task.retry_at_ms > 0 || shot.pause_requested) return;
  enter(state, task);
  count_entered(state, task);
  state.dispatch_due = true;
}

void refresh_ready(State& state, Shot& shot) {
  for (const TaskId id : shot.tasks) refresh_ready(state, state.tasks[id]);
}

void set_path(State& state, Task& task, float cost, float path) {
  if (task.path == path && task.cost == cost) return;
  const bool waits = task.scheduling_class != kNoId;
  if (waits) leave(state, task);
  task.cost = cost;
  task.path = path;
  if (waits) enter(state, task);
}

}  // namespace rushes::scheduler
