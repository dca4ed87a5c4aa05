// Tasks that were placed are placed better: attempts that wait on a busy worker go to an idle one; attempts
// that run ahead of a verdict end for tasks that are wanted now.
//
// Nothing here frees a task: a lease that is called off lasts until the worker has confirmed the stop, or
// until it expires.
//
// Thread contract: works on the Decision of its caller.
#pragma once

#include "scheduler/core/decide/decision.h"

namespace rushes::scheduler {

void rebalance(Decision& decision);

}  // namespace rushes::scheduler
