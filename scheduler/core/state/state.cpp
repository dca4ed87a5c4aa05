#include "scheduler/core/state/state.h"

namespace rushes::scheduler {

const Shot* State::find_shot(std::string_view key) const {
  const ShotId id = names.shot(key);
  return id == kNoId ? nullptr : &shots[id];
}

const Worker* State::find_worker(std::string_view name) const {
  const WorkerId id = names.worker(name);
  return id == kNoId ? nullptr : &workers[id];
}

std::vector<TaskId> all_leases(const Worker& worker) {
  std::vector<TaskId> all = worker.leases[SlotKind::kCpu];
  const std::vector<TaskId>& gpu = worker.leases[SlotKind::kGpu];
  all.insert(all.end(), gpu.begin(), gpu.end());
  return all;
}

const Take* State::take_of(const Task& task) const {
  return task.plan.take == 0 ? nullptr : &shots[task.shot].take(task.plan.take);
}

}  // namespace rushes::scheduler
