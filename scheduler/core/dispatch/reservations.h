// Workers that are kept free for wide tasks (core/policy/backfill.h).
//
// Thread contract: each call works on the Decision of its caller.
#pragma once

#include "scheduler/core/decide/decision.h"

namespace rushes::scheduler {

// Ends the reservations whose task no longer waits or whose worker takes no more work.
void end_reservations(Decision& decision);

// Keeps a worker free for a task that no worker with a free slot has the memory for now: the worker where it
// can start earliest. False: the task has a reservation already, or there are enough.
bool reserve(Decision& decision, TaskId task);

}  // namespace rushes::scheduler
