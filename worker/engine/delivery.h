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
// Of a take: its critique input, or an unknown one when the take has none.
Result<CritiqueSummary> critique_of(const Task& task, StageContext& context, int take);

// EXR header fields of the task's take.
Result<DeliveryTags> delivery_tags(const Task& task, const CritiqueSummary& critique);

// Which window made each delivered frame: the first window that holds its latent.
std::vector<WindowFrame> windows_of_frames(const Task& task, int stride_t);

// deliveries/FOLDER, created. Error: kExhausted with the path when it cannot be.
Result<std::filesystem::path> delivery_folder(const Task& task, StageContext& context);

// The sidecar: recipe, seed, digests, colour, critique and every file with its BLAKE2b-256.
Result<std::string> sidecar_text(const Task& task, StageContext& context, const CritiqueSummary& critique,
                                 const std::vector<std::string>& files);

}  // namespace rushes::worker
