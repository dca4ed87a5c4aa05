// Tasks come into being and change their state; what waits for them follows. Used by apply() only.
//
// Every change of a task's state goes through set_state(), so counters and indexes can never differ from a
// recount (core/state/invariants.h checks that).
//
// Thread contract: as State.
#pragma once

#include "scheduler/core/state/state.h"

namespace rushes::scheduler {

// New tasks of a shot, with the next ids: those that miss nothing become ready.
void add_tasks(State& state, ShotId shot, const std::vector<PlannedTask>& plans, std::int64_t wall_ms);
// One task as a snapshot has it, without its lease. Its dependents come later and count what they miss.
Task& restore_task(State& state, const TaskFacts& facts, TaskState as);

void set_state(State& state, Task& task, TaskState to);
// The task is done (succeeded, skipped): tasks that waited for nothing else become ready.
void release_dependents(State& state, const Task& task);
// A failed task waits until then; 0: it no longer does.
void hold_back(State& state, Task& task, std::int64_t until_ms);

// Shot::unplanned and the farm's sum, after a take was planned or the shot was cancelled.
void recount_unplanned(State& state, Shot& shot);

// Their facts are about to differ from the last snapshot.
void mark_changed(State& state, Task& task);
void mark_changed(State& state, Shot& shot);
void mark_changed(State& state, Worker& worker);

}  // namespace rushes::scheduler
