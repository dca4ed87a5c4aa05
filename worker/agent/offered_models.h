// The models that this host can offer: those whose every file has the digest that its manifest names.
//
// Reading gigabytes of weights at every start would keep a worker from the farm for minutes, so a digest is
// remembered with the file's size and modification time and computed again when either has changed.
//
// Thread contract: one thread.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "config/result.h"
#include "storage/records/words.h"

namespace rushes::worker {

struct OfferedModels {
  std::vector<ModelOffer> models;
  std::uint64_t most_weights = 0;     // bytes on a GPU, of the largest of them as far as manifests say
  std::vector<std::string> left_out;  // one line a model: which file is missing or wrong
};

// `memory`: a file of this worker's state folder. `gpu_bytes`: what a GPU here has for one engine, 0 without GPUs. A
// model with a missing or wrong file, or with weights that no GPU here holds, is left out; its line is logged too.
// Error: that line, when no model is left; kNotFound when the roots hold none at all.
Result<OfferedModels> offered_models(const std::vector<std::filesystem::path>& roots,
                                     const std::filesystem::path& memory, std::uint64_t gpu_bytes = 0);

}  // namespace rushes::worker
