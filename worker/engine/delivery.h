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

// deliveries/FOLDER, created. Error: kExhausted with the path when it cannot be.
Result<std::filesystem::path> delivery_folder(const Task& task, StageContext& context);

// What EXR headers say of the task's take.
Result<DeliveryTags> delivery_tags(const Task& task, const CritiqueSummary& critique);
// Which window made each delivered frame: the first window that holds its latent.
std::vector<WindowFrame> windows_of_frames(const Task& task);

// Writes frames of the task's take as EXR files into the delivery folder, one at a time.
class FrameFiles {
 public:
  static Result<FrameFiles> create(const Task& task, StageContext& context, const CritiqueSummary& critique);
  // `picture` is frame `frame` of the take, counted from 0. Returns the file's path below the deliveries folder.
  Result<std::string> write(ClipView picture, int frame) const;

 private:
  explicit FrameFiles(const Task& task) : task_(task) {}
  const Task& task_;
  std::filesystem::path folder_;
  DeliveryTags tags_;
  std::vector<WindowFrame> made_;  // which window made each frame of the take
};

// The sidecar: recipe, seed, digests, colour, critique and every file with its BLAKE2b-256.
Result<std::string> sidecar_text(const Task& task, StageContext& context, const CritiqueSummary& critique,
                                 const std::vector<std::string>& files);

}  // namespace rushes::worker
