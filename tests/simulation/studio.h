// The work of a simulated studio: a model, shots of three shows, and what their tasks make.
//
// What a task makes is a function of the seed and the task's number, wherever and however often it runs.
//
// Thread contract: pure functions; values.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "config/model.h"
#include "scheduler/core/core.h"
#include "tests/simulation/dice.h"

namespace rushes::simulation {

std::shared_ptr<const config::ModelManifest> studio_model();
Digest studio_model_digest();

// Times as in production, except that a farm that stands still is found sooner.
scheduler::Settings studio_settings();

// A shot of random size and wishes; `number` names it.
config::Shot studio_shot(Dice& dice, int number);

// Digest of the one output of a task.
Digest output_of(std::uint64_t seed, TaskId task);

TaskResult result_of(std::uint64_t seed, TaskId task, Stage stage);

}  // namespace rushes::simulation
