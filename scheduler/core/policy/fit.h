// Whether a worker can run what a task needs: at all, and beside what it holds now.
//
// Memory is counted in bytes, not in slots. Whichever of its attempts a worker runs at once must fit, so what
// it holds takes the sum of its largest ones, as many as it has slots; what is fetched ahead waits its turn
// and counts only where it is one of those. On a GPU worker a slot is a device with memory of its own: there
// every attempt must fit its device, and what runs beside it does not matter.
//
// Thread contract: pure functions.
#pragma once

#include <span>

#include "scheduler/core/state/state.h"

namespace rushes::scheduler::policy {

// In the order in which they are asked; the first that is missing is the answer.
enum class Fit : std::uint8_t { kFits, kNoModel, kNoClass, kNoMemory };

// What the worker offers when it holds nothing.
Fit fit(const Worker& worker, const Needs& needs);
bool has_devices(const Worker& worker);            // a GPU worker
std::uint64_t largest_task(const Worker& worker);  // bytes that one attempt may need there

// `held`: bytes of each attempt, the largest first.
std::uint64_t memory_taken(std::span<const std::uint64_t> held, std::uint32_t slots);
// Whether one more attempt of so many bytes fits beside what it holds.
bool has_memory(const Worker& worker, std::uint64_t bytes);

// Connected, not draining, not quarantined: gets new tasks.
bool takes_work(const Worker& worker);

}  // namespace rushes::scheduler::policy
