// What must always hold, checked after every event in tests and simulation.
//
// One call looks at the whole state: for tests, not for the loop. What a single state cannot show
// (durability, bounded time until a task starts, floors over time) is checked by the tests that drive the core.
//
// Thread contract: pure function.
#pragma once

#include <string>
#include <vector>

#include "scheduler/core/state/state.h"

namespace rushes::scheduler {

// One line per violation, with the number of the invariant; empty: all hold.
//   2 at most one result is accepted per task, of an attempt that was leased
//   3 at most one lease per task, held by one worker, with a number of its own
//   4 no worker holds more than it offered (slots of each kind, prefetch, memory of host and devices, model,
//     numeric class): whichever of its attempts run at once fit its memory; no shared limit is held by more than its count
//   5 no task was leased before its inputs existed. Behind a gate it is leased with a verdict open only to
//     run ahead, and then nothing that depends on it is ready before the verdict; a dropped take and a
//     cancelled shot have no work left; tensors of a shot are of one numeric class
//   6 counters and indexes equal a recount
//  10 what left was neither approved nor needed: no open task reads what a take made that left by its show's retention
std::vector<std::string> check_invariants(const State& state);

}  // namespace rushes::scheduler
