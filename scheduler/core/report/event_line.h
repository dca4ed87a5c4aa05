// An event of the farm as a line of the scheduler's log, in words.
//
// Thread contract: reads the State, on the core thread.
#pragma once

#include <string>

#include "scheduler/core/state/state.h"

namespace rushes::scheduler {

enum class Weight {
  kDetail,
  kNews,
  kTrouble
};  // of every task; of shots, takes and workers; what went wrong
Weight weight_of(const FarmEvent& event);

// "show/sh010 take 1 denoise window 2 (task 12): attempt ended: failed: out of memory [worker-a]"
std::string line_of(const State& state, const FarmEvent& event);

}  // namespace rushes::scheduler
