// Which show gets the next slot.
//
// Shows under their floor first, the one furthest below in front. The others in the order of their virtual
// time: what a show was served so far (slot seconds, charged by the estimate when a task is leased and
// corrected by the result) divided by its weight. That is weighted fair queueing by start tags (Goyal, Vin,
// Cheng 1996, "Start-time Fair Queuing"): fair over time also where a farm has fewer slots than shows. A show
// that had nothing to do joins at the farm's clock, so idle time is never saved up. Floors are parts of the slots of
// each kind: a CPU slot does not make up for a GPU.
//
// Thread contract: pure function.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

namespace rushes::scheduler::policy {

struct ShowLoad {
  std::uint32_t leased = 0;  // slots that it holds, of the kind that is given away
  bool runnable = false;
  double weight = 1;  // > 0
  double floor = 0;   // 0..1 of all slots of that kind
  double pass = 0;    // virtual time
};

// Slots that a show lacks to its floor, 0: none.
double below_floor(const ShowLoad& show, std::uint32_t slots);

// What a show is charged for a result, in seconds. A worker cannot ruin its show's share by a claim.
inline double charged_seconds(double wall_seconds) {
  constexpr double kLongest = 7 * 24 * 3600;
  return std::clamp(wall_seconds, 0.0, kLongest);
}

// Indexes into `shows` of the runnable ones, the one to serve first in front. `slots`: of that kind, of the whole farm.
std::vector<std::uint32_t> fair_order(std::span<const ShowLoad> shows, std::uint32_t slots);

}  // namespace rushes::scheduler::policy
