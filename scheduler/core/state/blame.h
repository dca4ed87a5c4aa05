// What speaks against a worker since its last result (policy/retry.h decides what follows from it). Used by apply() only.
//
// Thread contract: as State.
#pragma once

#include "scheduler/core/state/state.h"

namespace rushes::scheduler {

// An attempt of the task failed on the worker by a fault that may be the worker's. A shot counts once.
void blame(Worker& worker, const Task& task);
// What `finisher` finished speaks against the workers on which it failed.
void blame_others(State& state, const Task& task, const Worker& finisher);
void forgive(State& state, Worker& worker);  // nothing speaks against it any more

}  // namespace rushes::scheduler
