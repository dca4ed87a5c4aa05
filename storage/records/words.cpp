#include "storage/records/words.h"

namespace rushes {

const char* to_string(Stage stage) {
  static constexpr const char* kWords[kStages] = {"encode",  "denoise", "critique", "decode",
                                                  "enlarge", "refine",  "finish",   "deliver"};
  return kWords[static_cast<int>(stage)];
}

const char* to_string(Verdict verdict) {
  static constexpr const char* kWords[kVerdicts] = {"unknown", "pass", "revise", "reject"};
  return kWords[static_cast<int>(verdict)];
}

const char* to_string(Role role) {
  static constexpr const char* kWords[kRoles] = {"image", "conditioning", "latent", "history", "frames",
                                                 "guide", "critique",     "files",  "sidecar"};
  return kWords[static_cast<int>(role)];
}

const char* to_string(FailKind kind) {
  static constexpr const char* kWords[kFailKinds] = {"engine",  "crash",    "memory", "input",  "model",
                                                     "timeout", "artifact", "lost",   "stopped"};
  return kWords[static_cast<int>(kind)];
}

std::string to_string(const AttemptId& id) {
  return "task " + std::to_string(id.task) + " attempt " + std::to_string(id.attempt);
}

}  // namespace rushes
