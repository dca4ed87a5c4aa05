// One task goes to one worker: the lease, and the Assign message.
//
// Thread contract: works on the Decision of its caller.
#pragma once

#include "scheduler/core/decide/decision.h"

namespace rushes::scheduler {

// The first lease of a shot also plans its takes and pins its numeric class. prefetched: the task waits behind
// those that the worker runs. in_turn: its show was served by its virtual time, not for its floor.
void assign(Decision& decision, WorkerId worker, TaskId task, bool prefetched, bool in_turn);

}  // namespace rushes::scheduler
