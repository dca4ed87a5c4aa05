// The core alone, without sockets and disk: what one decision costs when much work waits, and what a planned
// task weighs.
//
// Thread contract: plain functions.
#pragma once

#include <cstdint>
#include <filesystem>

#include "config/result.h"

namespace rushes::bench {

enum class Queue {
  kShots,  // as a farm holds it: shots that wait; the takes of those that have begun are planned
  kReady,  // the worst case: every shot has begun, and all the tasks are ready at once
};

struct DispatchCost {
  std::uint64_t queued = 0;           // tasks
  double ns = 0;                      // median: one result accepted, the next task leased and its
                                      // assignment composed
  double bytes_per_planned_task = 0;  // heap
};

// A state with about `queued` tasks; `decisions` are timed.
Result<DispatchCost> measure_dispatch(const std::filesystem::path& models, Queue queue, std::uint64_t queued,
                                      int decisions);

}  // namespace rushes::bench
