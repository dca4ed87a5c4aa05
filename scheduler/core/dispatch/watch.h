// Looks at work under way once a tick: deadlines in danger, attempts that straggle.
//
// Thread contract: each call works on the Decision of its caller.
#pragma once

#include "scheduler/core/decide/decision.h"

namespace rushes::scheduler {

// Notes how every open shot with a deadline stands to it. Deadlines are times of the wall clock by their
// nature; nothing else is decided by it.
void watch_deadlines(Decision& decision);

// Calls attempts off that are much slower than expected, where an idle worker is expected to be done sooner.
void relieve_stragglers(Decision& decision);

}  // namespace rushes::scheduler
