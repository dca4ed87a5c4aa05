#include "scheduler/core/policy/estimate.h"

#include <algorithm>
#include <cmath>

namespace rushes::scheduler::policy {

Estimate learned(Estimate before, double seconds_per_work) {
  if (before.samples == 0) return {seconds_per_work, seconds_per_work / 2, 1};
  // One attempt in many also loads weights, or meets a busy disk: it counts as late, not as a hundred others.
  if (before.samples >= kFirst)
    seconds_per_work =
        std::min(seconds_per_work, before.mean + 4 * std::max(before.deviation, before.mean / 8));
  Estimate now = before;
  now.samples = std::min(before.samples + 1, kRemembered);
  now.deviation += (std::abs(before.mean - seconds_per_work) - before.deviation) / 4;
  now.mean += (seconds_per_work - before.mean) * 2 / (now.samples + 1);
  return now;
}

}  // namespace rushes::scheduler::policy
