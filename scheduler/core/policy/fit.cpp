#include "scheduler/core/policy/fit.h"

#include <algorithm>

namespace rushes::scheduler::policy {

Fit fit(const Worker& worker, const Needs& needs) {
  if (needs.model != Digest{} &&
      std::none_of(worker.models.begin(), worker.models.end(),
                   [&](const auto& offer) { return offer.digest == needs.model; })) {
    return Fit::kNoModel;
  }
  if (!needs.numeric_class.empty() && std::find(worker.numeric_classes.begin(), worker.numeric_classes.end(),
                                                needs.numeric_class) == worker.numeric_classes.end()) {
    return Fit::kNoClass;
  }
  if (worker.slots == 0 || needs.memory_bytes > worker.memory_bytes / worker.slots) return Fit::kNoMemory;
  return Fit::kFits;
}

bool takes_work(const Worker& worker) {
  return worker.connected && !worker.draining && worker.quarantined_until_ms == 0;
}

}  // namespace rushes::scheduler::policy
