// The soft indexes of a State: who waits for whom, who holds what, who could take more. Used by apply() only;
// what is ready stands in core/state/queue.h.
//
// Every change of a task's state, of a lease or of what a worker offers goes through these functions, so
// counters and indexes can never differ from a recount (core/state/invariants.h checks that).
//
// Thread contract: as State.
#pragma once

#include "scheduler/core/state/queue.h"
#include "scheduler/core/state/state.h"

namespace rushes::scheduler::index {

// A new task of a shot, at the end of State::tasks.
void add_task(State& state, ShotId shot, const PlannedTask& plan, std::int64_t wall_ms);
// After tasks first..last were added: their paths, and those that miss nothing become ready.
void begin(State& state, TaskId first);

// The only way to change a task's state after it was added: counters, ready index.
void set_state(State& state, Task& task, TaskState to);
// The task is done (succeeded, skipped): tasks that waited for nothing else become ready.
void release_dependents(State& state, const Task& task);

// Shot::unplanned and the farm's sum, after a take was planned or the shot was cancelled.
void recount_unplanned(State& state, Shot& shot);

void take_lease(State& state, Task& task, const Lease& lease, std::int64_t expires_ms);
void renew_lease(State& state, Task& task, std::int64_t expires_ms);
void drop_lease(State& state, Task& task);                        // before the task's state changes
void hold_back(State& state, Task& task, std::int64_t until_ms);  // 0: no longer

// Their kept fields are about to differ from the last snapshot.
void mark_changed(State& state, Task& task);
void mark_changed(State& state, Shot& shot);
void mark_changed(State& state, Worker& worker);

void refresh_hungry(State& state, WorkerId worker);
void count_slots(State& state, const Worker& worker);  // of its leases; before and after its offer changes
void uncount_slots(State& state, Worker& worker);
void set_worker_class(State& state, Worker& worker);  // after its offer changed

}  // namespace rushes::scheduler::index

namespace rushes::scheduler {

// What a worker must offer for the task.
Requirements needs_of(const State& state, const Task& task);
// Tasks of takes that have no version yet; none of a cancelled shot.
std::uint64_t unplanned_tasks(const Shot& shot);
// Stages that load weights.
bool needs_model(const PlannedTask& plan);

}  // namespace rushes::scheduler
