// What tasks cost so far, in device seconds.
//
// Thread contract: pure functions of the State; count_costs() is used by apply() only.
#pragma once

#include "scheduler/core/state/state.h"

namespace rushes::scheduler {

// Seconds for which the running attempt of a task has held its slot; 0: none runs.
double slot_seconds(const Task& task, Now now);

// Of the attempts of a task that are over; and with the one that runs, which counts as used.
DeviceSeconds cost_of(const TaskFacts& task);
DeviceSeconds cost_of(const Task& task, Now now);

// A task ended an attempt on `worker` that cost so much.
void count_costs(State& state, const Task& task, Worker& worker, const DeviceSeconds& cost);
// A task of a snapshot: what it cost goes to its shot and to the workers that it names.
void restore_costs(State& state, const Task& task);

}  // namespace rushes::scheduler
