// Timing of whole passes of a model: wall time from the first call to the last result.
//
// Thread contract: one thread.
#pragma once

#include <chrono>
#include <functional>

#include "tools/gpu_check/numbers.h"
#include "tools/gpu_check/weights.h"

namespace rushes::gpu_check {

inline double wall_milliseconds(const std::function<void()>& work) {
  const auto begin = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count();
}

// One call that is not counted, `rounds` that are, one more split by kernel. `work` waits for its result.
inline void add_passes(Machine& machine, std::int64_t rounds, const std::function<void()>& work,
                       Reply& reply) {
  work();
  std::vector<double> times;
  for (std::int64_t i = 0; i < rounds; ++i) times.push_back(wall_milliseconds(work));
  reply.add("ms", median(times)).add("rounds", times).add("split", machine.split(work));
}

}  // namespace rushes::gpu_check
