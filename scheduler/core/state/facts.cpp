#include "scheduler/core/state/facts.h"

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

std::string key_of(const ShotSpec& spec, std::uint32_t archived) {
  return spec.show + "/" + spec.name + (archived == 0 ? "" : "@" + std::to_string(archived));
}

}  // namespace rushes::scheduler
