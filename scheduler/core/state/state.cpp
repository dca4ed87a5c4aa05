#include "scheduler/core/state/state.h"

namespace rushes::scheduler {

const char* to_string(TaskState state) {
  static constexpr const char* kNames[kTaskStates] = {
      "pending", "ready", "leased", "running", "succeeded", "failed", "cancelled", "aborted", "skipped"};
  return kNames[static_cast<int>(state)];
}

const char* to_string(ShotState state) {
  static constexpr const char* kNames[kShotStates] = {"queued",    "drafting",  "review",   "upgrading",
                                                      "delivered", "attention", "cancelled"};
  return kNames[static_cast<int>(state)];
}

const char* to_string(TakeState state) {
  static constexpr const char* kNames[] = {"planned", "rendering", "judged", "approved", "dropped", "master"};
  return kNames[static_cast<int>(state)];
}

const char* to_string(AttemptEnd end) {
  static constexpr const char* kNames[] = {"none", "failed", "lease ran out", "stopped", "worker restarted"};
  return kNames[static_cast<int>(end)];
}

const Shot* State::find_shot(std::string_view key) const {
  const auto found = shot_index.find(std::string(key));
  return found == shot_index.end() ? nullptr : &shots[found->second];
}

const Worker* State::find_worker(std::string_view name) const {
  const auto found = worker_index.find(std::string(name));
  return found == worker_index.end() ? nullptr : &workers[found->second];
}

const Take* State::take_of(const Task& task) const {
  return task.plan.take == 0 ? nullptr : &shots[task.shot].takes[task.plan.take - 1];
}

}  // namespace rushes::scheduler
