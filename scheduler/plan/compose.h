// A planned task and what its dependencies made become the TaskSpec that a worker gets.
//
// Thread contract: pure functions.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "scheduler/plan/vocabulary.h"

namespace rushes::scheduler {

// A finished dependency of a task.
struct Made {
  const PlannedTask* task = nullptr;
  const std::vector<Output>* outputs = nullptr;
};

struct Composition {
  const ShotSpec* spec = nullptr;
  const PlannedTask* task = nullptr;
  const Bytes* recipe = nullptr;   // canonical, of the task's take and revision
  std::span<const Made> made;      // data dependencies in the order of task->needs
  std::string version;             // of the delivery: "v001"; finish and deliver only
  std::int64_t shot_wall_ms = 0;   // when the shot was submitted; finish and deliver only
  std::vector<TakeShown> takes{};  // of the shot; deliver only
};

// Inputs are listed in the order of the dependencies, each with the roles in the order its maker gave; an encode
// task's inputs are the key frames (`window` is the index). A solver's history is an input of the next segment of
// the same window and tile only.
TaskSpec compose(const Composition& composition);

// The role of what a stage makes for the stages behind it.
Role output_role(Stage stage);

// "sh010 take 1 denoise window 0 steps 3-6"
std::string task_name(const ShotSpec& spec, const PlannedTask& task);

// "SHOW/SHOT/draft/v001", relative to the deliveries folder.
std::string delivery_folder(const ShotSpec& spec, bool master, const std::string& version);
// The version in which a worker put the files of a delivery, whose disk may hold the one that was proposed. Nothing
// where a file lies elsewhere.
std::optional<std::string> delivered_version(const ShotSpec& spec, bool master,
                                             const std::vector<std::string>& files);

}  // namespace rushes::scheduler
