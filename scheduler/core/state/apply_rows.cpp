#include "scheduler/core/state/apply_rows.h"

#include "config/mutation.h"
#include "scheduler/core/state/costs.h"
#include "scheduler/core/state/leases.h"
#include "scheduler/core/state/paths.h"
#include "scheduler/core/state/tasks.h"
#include "scheduler/core/state/waiting.h"

namespace rushes::scheduler {

void apply_one(State& state, const record::FarmRow& r) {
  state.next_lease = r.next_lease;
  state.epoch = r.epoch;
  state.events.restart_at(r.last_event);
}

void apply_one(State& state, const record::BatchRow& r) {
  state.batches.add(r.row);
  state.names.add_batch(r.row.idempotency_key, r.batch);
}

void apply_one(State& state, const record::WorkerRow& r) {
  set_offer(state, state.workers.add(), r.row);
  state.names.add_worker(r.row.name, r.worker);
}

void apply_one(State& state, const record::ShotRow& r) {
  Shot& shot = state.shots.add();
  static_cast<ShotFacts&>(shot) = r.row;
  add_shot(state, r.shot);
}

void apply_one(State& state, const record::TaskRow& r) {
  const bool held = is_held(r.row.state) && !mutated(Mutation::kLoseLeaseOnRestart);
  const TaskState as = is_held(r.row.state) && !held ? TaskState::kReady : r.row.state;
  Task& task = restore_task(state, r.row, as);
  if (held) take_lease(state, task, r.row.lease(), 0);
  restore_costs(state, task);
}

void apply_one(State& state, const record::EstimateRow& r) { state.rates[r.key] = r.estimate; }

void apply_one(State& state, const record::Snapshotted&) {
  for (const TaskId id : state.changed.tasks) state.tasks[id].changed = false;
  for (const ShotId id : state.changed.shots) state.shots[id].changed = false;
  for (const WorkerId id : state.changed.workers) state.workers[id].changed = false;
  state.changed.tasks.clear();
  state.changed.shots.clear();
  state.changed.workers.clear();
  state.changed.batches = state.batches.size();
}

void apply_one(State& state, const record::SnapshotEnd&) {
  set_paths(state, TaskId(1));
  apply_one(state, record::Snapshotted{});  // all of it came from there
}

}  // namespace rushes::scheduler
