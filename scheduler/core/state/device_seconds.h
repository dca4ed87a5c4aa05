// Device seconds, the unit of cost: the time for which attempts held a slot, by the kind of the slot.
//
// An attempt whose result was accepted is used; one that failed, was lost or called off is wasted.
//
// Thread contract: plain values.
#pragma once

#include <array>

#include "storage/records/words.h"

namespace rushes::scheduler {

struct DeviceSeconds {
  BySlotKind<double> used, wasted;

  double of(SlotKind kind) const { return used[kind] + wasted[kind]; }
  double total() const { return of(SlotKind::kCpu) + of(SlotKind::kGpu); }
  double all_wasted() const { return wasted[SlotKind::kCpu] + wasted[SlotKind::kGpu]; }
  DeviceSeconds& operator+=(const DeviceSeconds& more) {
    for (const SlotKind kind : kEverySlotKind) {
      used[kind] += more.used[kind];
      wasted[kind] += more.wasted[kind];
    }
    return *this;
  }
};

using StageCosts = std::array<DeviceSeconds, kStages>;  // by Stage

inline DeviceSeconds sum_of(const StageCosts& costs) {
  DeviceSeconds sum;
  for (const DeviceSeconds& stage : costs) sum += stage;
  return sum;
}

}  // namespace rushes::scheduler
