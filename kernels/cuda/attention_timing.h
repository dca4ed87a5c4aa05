// Which dense attention a device computes faster: the kernels of ours, or cuDNN's.
//
// Both give right results with other bits, so the choice belongs to a worker's numeric class: it is made once, before the
// worker offers a slot, never by a task (worker/engine/attention_choice.h).
//
// Thread contract: as CudaDevice; a call has the device for itself, or it measures what else runs there.
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <vector>

#include "kernels/cuda/device_api.h"

namespace rushes::kernels::cuda {

// Of one batch entry: `lq` queries over `lk` keys.
struct AttentionShape {
  std::int64_t heads = 1, width = 64, lq = 0, lk = 0;
  auto operator<=>(const AttentionShape&) const = default;
};
std::string to_string(const AttentionShape& shape);  // "4x64 540:48": heads x width, queries : keys

struct AttentionTime {
  AttentionShape shape;
  bool library_takes = false;         // false: ours computes it whatever is chosen
  double own_ms = 0, library_ms = 0;  // medians; 0 where library_takes is false
};

inline constexpr int kTimingRounds = 7;
// The library must be so much faster: two hosts of one kind whose times differ by noise alone choose alike.
inline constexpr double kLeastGain = 0.02;

// Each form computes bf16 attention over random numbers, by turns, kTimingRounds times after one that is not counted.
// Throws DeviceFault, std::bad_alloc.
std::vector<AttentionTime> time_attention(DeviceApi* api, int device,
                                          const std::vector<AttentionShape>& shapes);

// What all shapes that the library takes need together; it is slower, or takes none: ours.
struct AttentionTotals {
  double own_ms = 0, library_ms = 0;
  bool library_is_faster() const { return library_ms < (1 - kLeastGain) * own_ms; }
};
AttentionTotals totals(const std::vector<AttentionTime>& times);

}  // namespace rushes::kernels::cuda
