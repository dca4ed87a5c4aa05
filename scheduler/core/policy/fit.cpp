#include "scheduler/core/policy/fit.h"

#include <algorithm>

#include "scheduler/core/policy/numeric_class.h"

namespace rushes::scheduler::policy {

bool has_devices(const WorkerOffer& offer) {
  return std::any_of(offer.numeric_classes.begin(), offer.numeric_classes.end(), is_gpu_class);
}

Fit fit(const WorkerOffer& offer, const Requirements& needs) {
  if (needs.model != Digest{} &&
      std::none_of(offer.models.begin(), offer.models.end(),
                   [&](const auto& model) { return model.digest == needs.model; })) {
    return Fit::kNoModel;
  }
  if (!needs.numeric_class.empty() && std::find(offer.numeric_classes.begin(), offer.numeric_classes.end(),
                                                needs.numeric_class) == offer.numeric_classes.end()) {
    return Fit::kNoClass;
  }
  if (offer.slots == 0 || needs.memory_bytes > largest_task(offer)) return Fit::kNoMemory;
  return Fit::kFits;
}

std::uint64_t largest_task(const WorkerOffer& offer) {
  return has_devices(offer) ? offer.memory_bytes / std::max(1u, offer.slots) : offer.memory_bytes;
}

std::uint64_t memory_taken(std::span<const std::uint64_t> held, std::uint32_t slots) {
  std::uint64_t bytes = 0;
  for (const std::uint64_t each : held.first(std::min<std::size_t>(slots, held.size()))) bytes += each;
  return bytes;
}

bool has_memory(const WorkerOffer& offer, std::span<const std::uint64_t> held, std::uint64_t bytes) {
  if (has_devices(offer)) return bytes <= largest_task(offer);
  // Of all attempts with this one, the largest: it replaces the smallest of them, or is none of them.
  std::uint64_t taken = memory_taken(held, offer.slots);
  if (held.size() >= offer.slots) {
    const std::uint64_t smallest = held[offer.slots - 1];
    taken -= std::min(smallest, bytes);
  }
  return taken + bytes <= offer.memory_bytes;
}

}  // namespace rushes::scheduler::policy
