#include "scheduler/core/policy/fit.h"

#include <algorithm>
#include <numeric>

namespace rushes::scheduler::policy {
namespace {

template <class Values, class Value>
bool contains(const Values& values, const Value& wanted) {
  return std::find(values.begin(), values.end(), wanted) != values.end();
}

// One model may lie under two names, of which the worker offers one: its engines find models by name.
bool has_model(const WorkerOffer& offer, const Requirements& needs) {
  return std::any_of(offer.models.begin(), offer.models.end(), [&](const ModelOffer& offered) {
    return offered.digest == needs.model && (needs.model_name.empty() || offered.name == needs.model_name);
  });
}

// A worker of before loads the model and checks the class in every stage.
bool asks_for_class(const WorkerOffer& offer, const Requirements& needs) {
  return !needs.numeric_class.empty() && (needs.tensors || offer.protocol_version < kTellsSlotsByKind);
}

// Bytes of the largest attempts, as many as there are slots.
std::uint64_t largest(const std::vector<std::uint64_t>& held, std::uint32_t slots) {
  const auto count = static_cast<std::ptrdiff_t>(std::min<std::size_t>(slots, held.size()));
  return std::accumulate(held.begin(), held.begin() + count, std::uint64_t{0});
}

}  // namespace

SlotKind tensor_kind(const WorkerOffer& offer) {
  return offer.numeric_classes.empty() ? SlotKind::kCpu : slot_kind_of(offer.numeric_classes.front());
}

std::uint64_t device_bytes_each(const Resources& resources) {
  return resources.device_bytes / std::max(1u, resources.slots[SlotKind::kGpu]);
}

Footprint footprint(const WorkerOffer& offer, const Requirements& needs) {
  return footprint(offer, needs.numeric_class, needs.tensors, needs.host_bytes, needs.tensor_bytes);
}

Footprint footprint(const WorkerOffer& offer, const std::string& numeric_class, bool tensors,
                    std::uint64_t host_bytes, std::uint64_t tensor_bytes) {
  if (!tensors) {
    const bool has_cpu = offer.resources.slots[SlotKind::kCpu] > 0;
    return {has_cpu ? SlotKind::kCpu : SlotKind::kGpu, host_bytes, 0};
  }
  const SlotKind kind = numeric_class.empty() ? tensor_kind(offer) : slot_kind_of(numeric_class);
  if (kind == SlotKind::kGpu) return {kind, host_bytes, tensor_bytes};
  return {kind, host_bytes + tensor_bytes, 0};
}

Fit fit(const WorkerOffer& offer, const Requirements& needs) {
  if (needs.model != Digest{} && !has_model(offer, needs)) return Fit::kNoModel;
  if (asks_for_class(offer, needs) && !contains(offer.numeric_classes, needs.numeric_class))
    return Fit::kNoClass;
  const Footprint takes = footprint(offer, needs);
  if (offer.resources.slots[takes.kind] == 0) return Fit::kNoClass;
  // Builds of kTakesStoredSpecs fetch a long description, and their engines read none beyond 64 KiB.
  if (needs.stored_spec && offer.protocol_version < kTellsSlotsByKind) return Fit::kTooOld;
  const bool fits = takes.host_bytes <= offer.resources.host_bytes &&
                    takes.device_bytes <= device_bytes_each(offer.resources);
  return fits ? Fit::kFits : Fit::kNoMemory;
}

std::uint64_t host_bytes_taken(const HeldBytes& held, const SlotCounts& slots) {
  return largest(held[SlotKind::kCpu], slots[SlotKind::kCpu]) +
         largest(held[SlotKind::kGpu], slots[SlotKind::kGpu]);
}

bool has_memory(const Resources& resources, const HeldBytes& held, const Footprint& more) {
  // Of all attempts of its kind with this one, the largest: it replaces the smallest of them, or is none of them.
  std::uint64_t taken = host_bytes_taken(held, resources.slots);
  const std::vector<std::uint64_t>& same = held[more.kind];
  const std::uint32_t slots = resources.slots[more.kind];
  if (slots == 0) return false;
  if (same.size() >= slots) taken -= std::min(same[slots - 1], more.host_bytes);
  return taken + more.host_bytes <= resources.host_bytes && more.device_bytes <= device_bytes_each(resources);
}

}  // namespace rushes::scheduler::policy
