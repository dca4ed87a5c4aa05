// Which numeric class a shot is rendered in.
//
// All tasks of a shot run in one class (DESIGN 3.2): what its takes share was made in it. The class is chosen
// when the first task is leased: the worker's first class in its own order of preference, except that a CPU
// worker leaves the choice to GPU workers while one is there that has the model.
//
// Thread contract: pure functions.
#pragma once

#include <algorithm>
#include <span>
#include <string>

#include "scheduler/core/state.h"

namespace rushes::scheduler::policy {

bool is_gpu_class(const std::string& numeric_class);  // "cuda-..."

// The class, or empty when this worker should not begin the shot. `needs` names the model.
std::string choose_class(const Worker& worker, std::span<const Worker> workers, const Needs& needs);

// Whether a shot should begin on a worker of a slower class although a faster one is there: as long as it
// ends no later than it would on the faster class once that has done everything else. Otherwise the slow
// worker would be the last of the farm, with a whole shot pinned to it. Paces within kAlike of each other are
// one.
inline constexpr double kAlike = 1.3;
inline bool may_begin_slower(double path_here, double path_faster, double left_seconds, std::uint32_t slots) {
  return path_here <= left_seconds / std::max(1u, slots) + path_faster;
}

}  // namespace rushes::scheduler::policy
