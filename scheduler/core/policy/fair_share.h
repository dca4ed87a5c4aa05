// Which show gets the next slot.
//
// Weighted fair sharing of slots held now: shows under their floor first (the one furthest below), then the
// show with the fewest slots per weight; equal ones in their order. A show without runnable work is not
// asked.
//
// Thread contract: pure function.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace rushes::scheduler::policy {

struct ShowLoad {
  std::uint32_t leased = 0;  // slots that it holds
  bool runnable = false;
  double weight = 1;  // > 0
  double floor = 0;   // 0..1 of all slots
};

// Indexes into `shows` of the runnable ones, the one to serve first in front. `slots`: of the whole farm.
std::vector<std::uint32_t> fair_order(std::span<const ShowLoad> shows, std::uint32_t slots);

}  // namespace rushes::scheduler::policy
