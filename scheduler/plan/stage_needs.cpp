#include "scheduler/plan/stage_needs.h"

#include <algorithm>

#include "scheduler/plan/plan.h"

namespace rushes::scheduler {
namespace {

void add(std::vector<StageNeeds>& stages, const PlannedTask& task) {
  const bool tensors = computes_tensors(task);
  auto found = std::find_if(stages.begin(), stages.end(), [&](const StageNeeds& known) {
    return known.stage == task.stage && known.level == task.level && known.tensors == tensors;
  });
  if (found == stages.end()) found = stages.insert(stages.end(), {task.stage, task.level, tensors, 0, 0});
  found->host_bytes = std::max(found->host_bytes, task.host_bytes);
  found->tensor_bytes = std::max(found->tensor_bytes, task.tensor_bytes);
}

}  // namespace

std::vector<StageNeeds> stage_needs(const ShotSpec& spec) {
  std::vector<StageNeeds> stages;
  add(stages, plan_encode(spec, TaskId(1)));
  const VersionPlan take = plan_take(spec, 1, TaskId(1), TaskId(2));
  for (const PlannedTask& task : take.tasks) add(stages, task);
  const TaskId next = take.tasks.back().id + 1;
  add(stages, plan_draft_delivery(spec, 1, {}, next));
  if (!spec.upgrade) return stages;
  if (const auto upgrade = plan_upgrade(spec, 1, take.graph, TaskId(1), next))
    for (const PlannedTask& task : upgrade->tasks) add(stages, task);
  return stages;
}

}  // namespace rushes::scheduler
