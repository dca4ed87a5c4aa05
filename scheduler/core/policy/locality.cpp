#include "scheduler/core/policy/locality.h"

namespace rushes::scheduler::policy {

std::size_t nearest(std::span<const Candidate> candidates) {
  std::size_t best = 0;
  const auto fetch = [&](std::size_t i) { return candidates[i].input_bytes - candidates[i].held_bytes; };
  for (std::size_t i = 1; i < candidates.size(); ++i) {
    if (fetch(i) < fetch(best)) best = i;
  }
  return best;
}

}  // namespace rushes::scheduler::policy
