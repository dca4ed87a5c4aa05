// Whether a worker can run what a task needs: at all, and beside what it holds now.
//
// Memory is counted in bytes, not in slots. The attempts that a worker runs at once must fit, whichever they
// are, so what it holds takes the sum of its largest ones, as many as it has slots; what is fetched ahead waits
// its turn and counts only where it is one of those. On a GPU worker a slot is a device with memory of its own:
// there every attempt must fit its device, and what runs beside it does not matter.
//
// Thread contract: pure functions.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "storage/records/words.h"

namespace rushes::scheduler::policy {

// What a task asks of a worker.
struct Requirements {
  Digest model{};             // zero: none
  std::string numeric_class;  // empty: not chosen yet
  std::uint64_t memory_bytes = 0;
  auto operator<=>(const Requirements&) const = default;
};

// In the order in which they are asked; the first that is missing is the answer.
enum class Fit : std::uint8_t { kFits, kNoModel, kNoClass, kNoMemory };

// Of a worker that holds nothing.
Fit fit(const WorkerOffer& offer, const Requirements& needs);
bool has_devices(const WorkerOffer& offer);            // a GPU worker
std::uint64_t largest_task(const WorkerOffer& offer);  // bytes that one attempt may need there

// `held`: bytes of each attempt that the worker holds, the largest first.
std::uint64_t memory_taken(std::span<const std::uint64_t> held, std::uint32_t slots);
// Whether one more attempt of so many bytes fits beside them.
bool has_memory(const WorkerOffer& offer, std::span<const std::uint64_t> held, std::uint64_t bytes);

}  // namespace rushes::scheduler::policy
