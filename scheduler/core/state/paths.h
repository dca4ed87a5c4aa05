// Expected seconds: what each task costs, the longest way from it to an end, and the sums of what is left. Used
// by apply() only.
//
// Thread contract: as State.
#pragma once

#include "scheduler/core/state/state.h"

namespace rushes::scheduler {

// Costs and paths of tasks first..last, which are the shot's newest, and of what they depend on.
void set_paths(State& state, TaskId first);
// Costs and paths of all open tasks of a shot, with the current estimates.
void refresh_paths(State& state, Shot& shot);

void count_unplanned_cost(State& state, Shot& shot);   // of takes that are not planned yet
void add_cost(State& state, Task& task, double sign);  // to the sums of what is left

}  // namespace rushes::scheduler
