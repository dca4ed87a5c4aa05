#include "scheduler/core/state/needs.h"

#include <algorithm>

#include "scheduler/plan/plan.h"

namespace rushes::scheduler {

bool needs_model(const PlannedTask& plan) {
  switch (plan.stage) {
    case Stage::kFinish:
    case Stage::kDeliver:
      return false;
    case Stage::kCritique:
      return !plan.whole_take;  // a window's preview is decoded by the critique task
    default:
      return true;
  }
}

Requirements needs_of(const State& state, const Task& task) {
  const Shot& shot = state.shots[task.shot];
  Requirements needs;
  if (needs_model(task.plan)) needs.model = shot.spec.recipe.model_digest;
  needs.numeric_class = shot.numeric_class;
  needs.memory_bytes = task.plan.memory_bytes;
  needs.stage = task.plan.stage;
  needs.limit_set = shot.limit_set;
  needs.ahead = may_run_ahead(task);
  return needs;
}

std::uint64_t unplanned_tasks(const Shot& shot) {
  if (shot.state == ShotState::kCancelled) return 0;
  const auto takes =
      std::count_if(shot.takes.begin(), shot.takes.end(), [](const Take& take) { return !is_planned(take); });
  return takes == 0 ? 0 : static_cast<std::uint64_t>(takes) * count_take_tasks(shot.spec);
}

}  // namespace rushes::scheduler
