#include "scheduler/core/policy/limits.h"

#include <algorithm>

namespace rushes::scheduler::policy {

bool claims(const config::SharedLimit& limit, Stage stage, std::span<const std::string> named) {
  if (limit.stages.empty()) return std::find(named.begin(), named.end(), limit.name) != named.end();
  return std::find(limit.stages.begin(), limit.stages.end(), to_string(stage)) != limit.stages.end();
}

std::uint32_t held(const config::SharedLimit& limit, const State& state) {
  if (limit.stages.empty()) {
    const auto found = state.held_by_name.find(limit.name);
    return found == state.held_by_name.end() ? 0 : found->second;
  }
  std::uint32_t count = 0;
  for (int stage = 0; stage < kStages; ++stage) {
    if (claims(limit, static_cast<Stage>(stage), {})) count += state.held_by_stage[stage];
  }
  return count;
}

const config::SharedLimit* full_limit(const State& state, Stage stage, std::span<const std::string> named) {
  for (const config::SharedLimit& limit : state.sharing.limits) {
    if (claims(limit, stage, named) && held(limit, state) >= static_cast<std::uint32_t>(limit.count)) {
      return &limit;
    }
  }
  return nullptr;
}

}  // namespace rushes::scheduler::policy
