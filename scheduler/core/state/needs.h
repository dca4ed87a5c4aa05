// What a task asks of a worker and of the farm.
//
// Thread contract: pure functions of the State.
#pragma once

#include "scheduler/core/state/state.h"

namespace rushes::scheduler {

Requirements needs_of(const State& state, const Task& task);
// The footprint of needs_of(), without its texts: asked several times for each attempt.
policy::Footprint footprint_of(const State& state, const Worker& worker, const Task& task);
// Tasks of takes that have no version yet; none of a cancelled shot.
std::uint64_t unplanned_tasks(const Shot& shot);

}  // namespace rushes::scheduler
