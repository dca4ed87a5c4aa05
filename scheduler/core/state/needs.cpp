#include "scheduler/core/state/needs.h"

#include <algorithm>

#include "config/limits.h"
#include "scheduler/plan/limits.h"
#include "scheduler/plan/plan.h"

namespace rushes::scheduler {

namespace {

std::int64_t recipe_bytes(const State& state, const Task& task) {
  const Take* take = state.take_of(task);
  if (take == nullptr) return state.shots[task.shot].recipe_bytes;
  return std::ssize(recipe_of(*take, task.plan));
}

}  // namespace

Requirements needs_of(const State& state, const Task& task) {
  const Shot& shot = state.shots[task.shot];
  Requirements needs;
  needs.tensors = computes_tensors(task.plan);
  if (needs.tensors) {
    needs.model = shot.spec.recipe.model_digest;
    needs.model_name = shot.spec.recipe.model;
  }
  needs.numeric_class = class_of(shot);
  needs.stored_spec = description_bytes(shot.spec, task.plan, recipe_bytes(state, task)) >
                      static_cast<std::int64_t>(kMaxInlineDescriptionBytes);
  needs.host_bytes = task.plan.host_bytes;
  needs.tensor_bytes = task.plan.tensor_bytes;
  needs.stage = task.plan.stage;
  needs.limit_set = shot.limit_set;
  needs.ahead = may_run_ahead(task);
  return needs;
}

policy::Footprint footprint_of(const State& state, const Worker& worker, const Task& task) {
  return policy::footprint(worker.offer, class_of(state.shots[task.shot]), computes_tensors(task.plan),
                           task.plan.host_bytes, task.plan.tensor_bytes);
}

std::uint64_t unplanned_tasks(const Shot& shot) {
  if (shot.state == ShotState::kCancelled) return 0;
  const auto takes =
      std::count_if(shot.takes.begin(), shot.takes.end(), [](const Take& take) { return !is_planned(take); });
  return takes == 0 ? 0 : static_cast<std::uint64_t>(takes) * count_take_tasks(shot.spec);
}

}  // namespace rushes::scheduler
