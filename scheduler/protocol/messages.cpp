#include "scheduler/protocol/messages.h"

namespace rushes::protocol {

const char* to_string(FailKind kind) {
  switch (kind) {
    case FailKind::kEngine:
      return "engine";
    case FailKind::kCrash:
      return "crash";
    case FailKind::kMemory:
      return "memory";
    case FailKind::kInput:
      return "input";
    case FailKind::kModel:
      return "model";
    case FailKind::kTimeout:
      return "timeout";
    case FailKind::kArtifact:
      return "artifact";
  }
  return "engine";
}

}  // namespace rushes::protocol
