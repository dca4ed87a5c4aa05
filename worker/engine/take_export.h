// A take's files, written where a person asks for them: EXR frames, or its movie and contact sheet.
//
// The task is a deliver task that no farm runs (scheduler/core/report/take_delivery.h): inputs of role "frames"
// become EXR files with the pixels and header of a delivery, "proxy" a movie, "sheet" a picture. Names are those of a
// delivery, with the take and its version for the delivery's version.
//
// Thread contract: pure functions of their arguments and the files named.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "config/result.h"
#include "worker/engine/artifacts.h"
#include "worker/engine/task.h"

namespace rushes::worker {

// "draft", "master" or "proxy", by the task's inputs.
const char* export_kind(const Task& task);
// "sh010_draft_take1_v0": what the files' names begin with. Error: kInvalid (the shot has no name for a file).
Result<std::string> export_name(const Task& task);

// Whether to go on; called before every file with what is done of all (0..1).
using ExportProgress = std::function<Status(double done)>;

// Writes into `folder`, which exists; all inputs lie in `artifacts`. Returns the files' names. A frame at a time lies in
// memory.
Result<std::vector<std::string>> export_take(const Task& task, const LocalArtifacts& artifacts,
                                             const std::filesystem::path& folder,
                                             const ExportProgress& progress);

}  // namespace rushes::worker
