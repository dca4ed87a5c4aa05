// What finish and deliver say about a take in file headers, sidecars and sheets.
//
// Thread contract: pure functions of their arguments and the files named.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "worker/engine/stages.h"
#include "worker/picture/exr.h"
#include "worker/picture/version_folder.h"

namespace rushes::worker {

// A critique as its JSON artifact says it: what headers, sheets and sidecars show of it.
struct CritiqueSummary {
  bool known = false;
  double score = 0.0;
  std::string verdict = "unknown";
  nlohmann::json json;
};
// Of the artifact's bytes. Error: kCorrupt names `label`.
Result<CritiqueSummary> read_critique(std::string_view text, const std::string& label);
// Of a take: its critique input, or an unknown one when the take has none.
Result<CritiqueSummary> critique_of(const Task& task, const LocalArtifacts& artifacts, int take);

// Tells the delivery that the task belongs to from all others; the same for all attempts of its tasks.
std::string delivery_id(const Task& task);
// Where the delivery grows: the version that the scheduler proposes, or the next that is free on this disk.
Result<VersionFolder> open_version(const Task& task, const StageContext& context);
// The task, for that version.
Task in_version(const Task& task, const std::string& version);

// What EXR headers say of the task's take.
Result<DeliveryTags> delivery_tags(const Task& task, const CritiqueSummary& critique);
// Which window made each delivered frame: the first window that holds its latent.
std::vector<WindowFrame> windows_of_frames(const Task& task);

// Writes frames of the task's take as EXR files into a folder, one at a time.
class FrameFiles {
 public:
  static Result<FrameFiles> create(const Task& task, std::filesystem::path folder,
                                   const CritiqueSummary& critique);
  // Frames are counted from 0 in the take.
  std::string name(int frame) const;
  bool is_written(int frame) const;
  Status write(ClipView picture, int frame) const;

 private:
  explicit FrameFiles(const Task& task) : task_(task) {}
  const Task& task_;
  std::filesystem::path folder_;
  DeliveryTags tags_;
  std::vector<WindowFrame> made_;  // which window made each frame of the take
};

// The sidecar, which is the manifest of the delivery (worker/picture/manifest.h): recipe, seed, digests, colour,
// critique and every file. `id` is its delivery_id(), `files` are names in `folder`, frames in frame order.
Result<std::string> sidecar_text(const Task& task, const std::string& id, const std::filesystem::path& folder,
                                 const CritiqueSummary& critique, const std::vector<std::string>& files);

}  // namespace rushes::worker
