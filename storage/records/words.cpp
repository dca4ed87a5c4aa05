#include "storage/records/words.h"

namespace rushes {

const char* to_string(Verdict verdict) {
  static constexpr const char* kWords[kVerdicts] = {"unknown", "pass", "revise", "reject"};
  return kWords[static_cast<int>(verdict)];
}

const char* to_string(Role role) {
  static constexpr const char* kWords[kRoles] = {"image",   "conditioning", "latent",   "history",
                                                 "frames",  "guide",        "critique", "files",
                                                 "sidecar", "proxy",        "sheet"};
  return kWords[static_cast<int>(role)];
}

const char* to_string(FailKind kind) {
  static constexpr const char* kWords[kFailKinds] = {"engine", "crash",   "memory",   "input",
                                                     "model",  "timeout", "artifact", "refused",
                                                     "device", "lost",    "stopped"};
  return kWords[static_cast<int>(kind)];
}

const char* to_string(Fault fault) {
  static constexpr const char* kWords[kFaults] = {"input", "host", "device", "model", "cancelled"};
  return kWords[static_cast<int>(fault)];
}

Fault fault_of(FailKind kind) {
  switch (kind) {
    case FailKind::kRefused:
      return Fault::kInput;
    case FailKind::kMemory:
    case FailKind::kDevice:
      return Fault::kDevice;
    case FailKind::kModel:
      return Fault::kModel;
    case FailKind::kStopped:
      return Fault::kCancelled;
    default:
      return Fault::kHost;
  }
}

const char* to_string(SlotKind kind) {
  static constexpr const char* kWords[kSlotKinds] = {"cpu", "gpu"};
  return kWords[static_cast<int>(kind)];
}

bool computes_tensors(Stage stage, bool whole_take) {
  switch (stage) {
    case Stage::kFinish:
    case Stage::kDeliver:
      return false;
    case Stage::kCritique:
      return !whole_take;  // a window's preview is decoded by the critique task
    default:
      return true;
  }
}

std::string to_string(const AttemptId& id) {
  return "task " + std::to_string(id.task.number()) + " attempt " + std::to_string(id.attempt);
}

std::string to_string(const WorkerProcess& process) {
  if (process.id.empty()) return "an older build, which does not say";
  return process.host + (process.address.empty() ? "" : " (" + process.address + ")") + ", process " +
         std::to_string(process.pid);
}

SlotKind slot_kind_of(std::string_view numeric_class) {
  return numeric_class.starts_with("cuda-") ? SlotKind::kGpu : SlotKind::kCpu;
}

Resources resources_of(const PlainOffer& plain, const std::vector<std::string>& numeric_classes) {
  const SlotKind kind = numeric_classes.empty() ? SlotKind::kCpu : slot_kind_of(numeric_classes.front());
  Resources resources;
  resources.slots[kind] = plain.slots;
  resources.host_bytes = plain.memory_bytes;
  if (kind == SlotKind::kGpu) resources.device_bytes = plain.memory_bytes;
  return resources;
}

PlainOffer plain_offer(const Resources& resources) {
  const std::uint32_t devices = resources.slots[SlotKind::kGpu];
  if (devices > 0) return {devices, resources.device_bytes};
  return {resources.slots[SlotKind::kCpu], resources.host_bytes};
}

}  // namespace rushes
