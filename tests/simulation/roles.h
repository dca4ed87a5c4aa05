// The role of the output that a stage makes, as the simulated workers name it.
//
// Thread contract: pure function.
#pragma once

#include "scheduler/plan/vocabulary.h"

namespace rushes::simulation {

inline const char* role_of(scheduler::Stage stage) {
  using scheduler::Stage;
  switch (stage) {
    case Stage::kEncode:
      return "conditioning";
    case Stage::kDenoise:
    case Stage::kRefine:
      return "latent";
    case Stage::kDecode:
      return "frames";
    case Stage::kEnlarge:
      return "guide";
    case Stage::kCritique:
      return "critique";
    case Stage::kFinish:
    case Stage::kDeliver:
      break;
  }
  return "files";
}

}  // namespace rushes::simulation
