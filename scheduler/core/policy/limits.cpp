#include "scheduler/core/policy/limits.h"

#include <algorithm>

namespace rushes::scheduler::policy {

bool claims(const config::SharedLimit& limit, Stage stage, std::span<const std::string> named) {
  if (limit.stages.empty()) return std::find(named.begin(), named.end(), limit.name) != named.end();
  return std::find(limit.stages.begin(), limit.stages.end(), stage) != limit.stages.end();
}

std::uint32_t held(const config::SharedLimit& limit, const HeldLimits& leases) {
  if (limit.stages.empty()) {
    const auto found = leases.by_name.find(limit.name);
    return found == leases.by_name.end() ? 0 : found->second;
  }
  std::uint32_t count = 0;
  for (int stage = 0; stage < kStages; ++stage) {
    if (claims(limit, static_cast<Stage>(stage), {})) count += leases.by_stage[stage];
  }
  return count;
}

const config::SharedLimit* full_limit(std::span<const config::SharedLimit> limits, const HeldLimits& leases,
                                      Stage stage, std::span<const std::string> named) {
  for (const config::SharedLimit& limit : limits) {
    if (claims(limit, stage, named) && held(limit, leases) >= static_cast<std::uint32_t>(limit.count)) {
      return &limit;
    }
  }
  return nullptr;
}

}  // namespace rushes::scheduler::policy
