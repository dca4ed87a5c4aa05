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
  std::vector<std::string> left_out;  // one line a model: which file is missing or wrong
};

// `memory`: a file of this worker's state folder. A model with a missing or wrong file is left out; its line is logged
// too. Error: that line, when no model is left; kNotFound when the roots hold none at all.
Result<OfferedModels> offered_models(const std::vector<std::filesystem::path>& roots,
                                     const std::filesystem::path& memory);

}  // namespace rushes::worker
