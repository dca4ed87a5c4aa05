// What a host must have beside models to finish a shot, checked when a worker starts instead of after the render.
//
// Thread contract: one thread.
#pragma once

#include <filesystem>

#include "config/result.h"

namespace rushes::worker {

// The colour configuration has the views of movies and sheets; the deliveries folder is there, or can be made, and takes
// a file. Error: kExhausted (exit code 4), one line for each problem, with the key of worker.yaml.
Status check_host(const std::filesystem::path& deliveries, const std::filesystem::path& colour);

}  // namespace rushes::worker
