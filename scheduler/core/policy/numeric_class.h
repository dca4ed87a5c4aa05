// Which numeric class a shot is rendered in.
//
// All tasks of a shot run in one class (DESIGN 3.2): what its takes share was made in it. The class is chosen
// when the first task is leased: the worker's first class in its own order of preference, except that a CPU
// worker leaves the choice to GPU workers while one is there that has the model.
//
// Thread contract: pure functions.
#pragma once

#include <span>
#include <string>

#include "scheduler/core/state.h"

namespace rushes::scheduler::policy {

bool is_gpu_class(const std::string& numeric_class);  // "cuda-..."

// The class, or empty when this worker should not begin the shot. `needs` names the model.
std::string choose_class(const Worker& worker, std::span<const Worker> workers, const Needs& needs);

}  // namespace rushes::scheduler::policy
