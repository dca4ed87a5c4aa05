// The core alone, without sockets and disk: what one decision costs when much work waits, and what a planned
// task weighs.
//
// Thread contract: plain functions.
#pragma once

#include <cstdint>
#include <filesystem>

#include "config/result.h"

namespace rushes::bench {

struct DispatchCost {
  std::uint64_t ready = 0, planned = 0;  // tasks
  double ns = 0;                         // median: one result accepted, the next task leased and its
                                         // assignment composed
  double bytes_per_planned_task = 0;     // heap
};

// A state with about `ready` ready tasks; `decisions` are timed.
Result<DispatchCost> measure_dispatch(const std::filesystem::path& models, std::uint64_t ready,
                                      int decisions);

}  // namespace rushes::bench
