#include "scheduler/core/policy/fit.h"

#include <algorithm>

#include "scheduler/core/policy/numeric_class.h"

namespace rushes::scheduler::policy {

bool has_devices(const Worker& worker) {
  return std::any_of(worker.numeric_classes.begin(), worker.numeric_classes.end(), is_gpu_class);
}

Fit fit(const Worker& worker, const Needs& needs) {
  if (needs.model != Digest{} &&
      std::none_of(worker.models.begin(), worker.models.end(),
                   [&](const auto& offer) { return offer.digest == needs.model; })) {
    return Fit::kNoModel;
  }
  if (!needs.numeric_class.empty() && std::find(worker.numeric_classes.begin(), worker.numeric_classes.end(),
                                                needs.numeric_class) == worker.numeric_classes.end()) {
    return Fit::kNoClass;
  }
  if (worker.slots == 0 || needs.memory_bytes > largest_task(worker)) return Fit::kNoMemory;
  return Fit::kFits;
}

std::uint64_t largest_task(const Worker& worker) {
  return has_devices(worker) ? worker.memory_bytes / std::max(1u, worker.slots) : worker.memory_bytes;
}

std::uint64_t memory_taken(std::span<const std::uint64_t> held, std::uint32_t slots) {
  std::uint64_t bytes = 0;
  for (const std::uint64_t each : held.first(std::min<std::size_t>(slots, held.size()))) bytes += each;
  return bytes;
}

bool has_memory(const Worker& worker, std::uint64_t bytes) {
  if (has_devices(worker)) return bytes <= largest_task(worker);
  // Of all attempts with this one, the largest: it replaces the smallest of them, or is none of them.
  std::uint64_t taken = memory_taken(worker.held_memory, worker.slots);
  if (worker.held_memory.size() >= worker.slots) {
    const std::uint64_t smallest = worker.held_memory[worker.slots - 1];
    taken -= std::min(smallest, bytes);
  }
  return taken + bytes <= worker.memory_bytes;
}

bool takes_work(const Worker& worker) {
  return worker.connected && !worker.draining && worker.quarantined_until_ms == 0;
}

}  // namespace rushes::scheduler::policy
