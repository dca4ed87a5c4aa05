// Whether a worker can run what a task needs: at all, and beside what it holds now.
//
// An attempt takes one slot. Tensors are computed in a slot of the kind of their numeric class. What computes none
// takes a CPU slot, whatever the class; only a worker without CPU slots runs it in a GPU slot, so that it is never
// stuck.
//
// Memory is counted in bytes, not in slots. The attempts that a worker runs at once must fit its host, whichever
// they are, so what it holds takes the sum of its largest ones, as many of each kind as it has slots; what is
// fetched ahead waits its turn and counts only where it is one of those. A GPU slot is a device with memory of its
// own: every attempt must fit its device, and what runs beside it does not matter.
//
// Thread contract: pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "storage/records/words.h"

namespace rushes::scheduler::policy {

// What a task asks of a worker.
struct Requirements {
  bool tensors = true;        // else it needs no model, and no class but on workers of before
  bool stored_spec = false;   // its description may be an artifact
  Digest model{};             // zero: none
  std::string model_name;     // under which engines find it; empty: any
  std::string numeric_class;  // empty: not chosen yet
  std::uint64_t host_bytes = 0, tensor_bytes = 0;
  auto operator<=>(const Requirements&) const = default;
};

// In the order in which they are asked; the first that is missing is the answer.
enum class Fit : std::uint8_t { kFits, kNoModel, kNoClass, kTooOld, kNoMemory };

// Of a worker that holds nothing. kNoClass: also where it has no slot of the kind of the class.
Fit fit(const WorkerOffer& offer, const Requirements& needs);

// What an attempt takes of a worker: a slot, and memory.
struct Footprint {
  SlotKind kind = SlotKind::kCpu;
  std::uint64_t host_bytes = 0, device_bytes = 0;
  bool operator==(const Footprint&) const = default;
};
Footprint footprint(const WorkerOffer& offer, const Requirements& needs);
// The same by what decides it; `host_bytes` and `tensor_bytes` as in Requirements.
Footprint footprint(const WorkerOffer& offer, const std::string& numeric_class, bool tensors,
                    std::uint64_t host_bytes, std::uint64_t tensor_bytes);

// The kind of slot that computes tensors of the worker's first numeric class.
SlotKind tensor_kind(const WorkerOffer& offer);
std::uint64_t device_bytes_each(const Resources& resources);  // of one GPU slot; 0: there is none

// Host bytes of each attempt that a worker holds, by the kind of slot that it takes, the largest first.
using HeldBytes = BySlotKind<std::vector<std::uint64_t>>;
std::uint64_t host_bytes_taken(const HeldBytes& held, const SlotCounts& slots);
// Whether one more attempt fits beside them.
bool has_memory(const Resources& resources, const HeldBytes& held, const Footprint& more);

}  // namespace rushes::scheduler::policy
