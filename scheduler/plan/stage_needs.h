// What the stages of a shot need of workers, for people who plan a farm: `rushes submit --dry-run`.
//
// Thread contract: pure function.
#pragma once

#include <vector>

#include "scheduler/plan/vocabulary.h"

namespace rushes::scheduler {

// The largest needs among the tasks of a stage. Critiques of whole takes compute no tensors and stand apart from those
// of windows.
struct StageNeeds {
  Stage stage = Stage::kEncode;
  std::uint32_t level = 0;  // 0: draft, 1: master
  bool tensors = false;     // it needs a slot of the kind of the shot's numeric class, else a CPU slot
  std::uint64_t host_bytes = 0, tensor_bytes = 0;
  bool operator==(const StageNeeds&) const = default;
};

// Of one take, its delivery and its upgrade, in the order in which they begin.
std::vector<StageNeeds> stage_needs(const ShotSpec& spec);

}  // namespace rushes::scheduler
