// Whether a worker can run what a task needs.
//
// Thread contract: pure functions.
#pragma once

#include "scheduler/core/state.h"

namespace rushes::scheduler::policy {

// In the order in which they are asked; the first that is missing is the answer.
enum class Fit : std::uint8_t { kFits, kNoModel, kNoClass, kNoMemory };

// A worker's memory is shared evenly by its slots, so what runs at once can never exceed it.
Fit fit(const Worker& worker, const Needs& needs);

// Connected, not draining, not quarantined: gets new tasks.
bool takes_work(const Worker& worker);

}  // namespace rushes::scheduler::policy
