// Runs one task: inputs from the artifact folder, outputs into it.
//
// run_task() is all that the farm's engine process and rushes-render have in common with each other:
// everything but the wire. A stage is a pure function of its task and inputs; it touches the artifact folder,
// the models and (finish, deliver) the deliveries folder, nothing else, and never the network.
//
// Thread contract: one task at a time per StageContext. `progress` is called on the calling thread.
#pragma once

#include <filesystem>
#include <functional>
#include <string>

#include "config/result.h"
#include "worker/engine/artifacts.h"
#include "worker/engine/models.h"
#include "worker/engine/task.h"

namespace rushes::worker {

struct StageContext {
  LocalArtifacts& artifacts;
  Models& models;
  std::filesystem::path deliveries;  // absolute; finish and deliver write below it
  std::filesystem::path colour;      // the OCIO configuration of movies and sheets
  // fraction 0..1 of this task and a few words for people ("step 3 of 6"). May be empty.
  std::function<void(double fraction, const std::string& words)> progress;
  // True when the attempt should stop; asked between a step's blocks. May be empty.
  std::function<bool()> cancelled;
};

// Shortens a result so that one control message carries it: frames of a sequence become one name, the worst
// findings stay. The artifacts have all of it.
void shorten(TaskResult& result);

// The result, shortened. Compute seconds are CPU seconds of this process, the peak is what it held resident while
// the task ran.
Result<TaskResult> run_task(const Task& task, StageContext& context);

}  // namespace rushes::worker
