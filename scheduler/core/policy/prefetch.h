// Work that a worker holds without need: fetched ahead of its turn, or run ahead of a verdict.
//
// Running work is never stopped for something more important; this is what gives way.
//
// Thread contract: pure functions.
#pragma once

#include <cstdint>

#include "scheduler/core/policy/estimate.h"

namespace rushes::scheduler::policy {

// Whether a busy worker may be given a task ahead, so that it can fetch the inputs meanwhile. Only while more
// tasks are ready than the farm has slots: at the end of a batch a task that waits behind a running one would
// keep another worker idle.
inline bool may_prefetch(std::uint64_t ready, std::uint32_t slots) { return ready > slots; }

// Whether an attempt that runs ahead of its checkpoint's verdict ends for a task that is wanted now: not when
// it is about to be done, its work would be lost for nothing.
inline bool gives_way(double elapsed_seconds, const Expected& expected) {
  return elapsed_seconds < 0.75 * expected.seconds;
}

}  // namespace rushes::scheduler::policy
