#include "scheduler/core/state/facts.h"

#include <algorithm>

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

std::vector<std::uint32_t> lineage_of(const Take& take, std::uint32_t version) {
  std::vector<std::uint32_t> numbers;
  for (std::uint32_t n = version;; n = take.versions[n].parent) {
    if (!take.versions[n].again) numbers.push_back(n);
    if (n == 0) break;
  }
  std::reverse(numbers.begin(), numbers.end());
  return numbers;
}

std::vector<Revision> revisions_of(const Take& take, std::uint32_t version) {
  std::vector<Revision> revisions;
  for (const std::uint32_t n : lineage_of(take, version)) {
    const Version& row = take.versions[n];
    if (n > 0) revisions.push_back({row.number, row.windows, row.seed, row.reason, row.prompt});
  }
  return revisions;
}

std::string key_of(const ShotSpec& spec, std::uint32_t archived) {
  return spec.show + "/" + spec.name + (archived == 0 ? "" : "@" + std::to_string(archived));
}

}  // namespace rushes::scheduler
