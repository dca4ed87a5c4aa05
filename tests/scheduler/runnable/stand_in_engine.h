// An engine that computes nothing: it reads the description of a task with the real reader and checks that the stage
// which it names would find everything it uses, where it looks for it.
//
// Checked are the roles and their number, that latents cover what is blended and leave no neighbour out, that the
// tiles of a frame cover it exactly, and that every picture and artifact stays within the limits that the real stage
// holds. Where artifacts lie follows from the recipe, as it does for the real stages.
//
// Thread contract: pure functions.
#pragma once

#include <cstdint>
#include <string_view>

#include "config/result.h"
#include "scheduler/plan/vocabulary.h"
#include "worker/engine/task.h"

namespace rushes::scheduler {

// Ok when the real engine could run the task on a model with this grid. Error: kInvalid, says what is missing.
Status stand_in_run(std::string_view description, const ModelGrid& grid);

}  // namespace rushes::scheduler
