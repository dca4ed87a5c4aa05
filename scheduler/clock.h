// The machine's clocks and randomness, as main() hands them to the core.
//
// Thread contract: pure functions of the machine; call from any thread.
#pragma once

#include <cstdint>

#include "scheduler/core/state/state.h"

namespace rushes::scheduler {

Now real_now();               // CLOCK_BOOTTIME for durations, CLOCK_REALTIME for people
std::uint64_t real_random();  // for jitter: seeded by the operating system, no secret

}  // namespace rushes::scheduler
