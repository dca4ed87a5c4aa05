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
#include <optional>
#include <string>
#include <vector>

#include "config/result.h"
#include "worker/critic/critique.h"
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

// What a finished attempt has to show; the process layer writes it as records::TaskResult.
struct TaskOutcome {
  std::vector<StoredArtifact> outputs;
  double compute_seconds = 0.0;  // CPU seconds of this process
  double wall_seconds = 0.0;
  std::uint64_t peak_memory_bytes = 0;  // most that the process held resident while the task ran
  std::optional<Critique> critique;     // critique tasks only
  std::string numeric_class;
  std::vector<std::string> files;  // relative to the deliveries folder
};

Result<TaskOutcome> run_task(const Task& task, StageContext& context);

}  // namespace rushes::worker
