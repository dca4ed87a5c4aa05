// rushes-simulate --farm: described farms from their files to the printed figures.
//
// Thread contract: one thread.
#pragma once

#include <filesystem>
#include <vector>

#include "config/result.h"

namespace rushes::simulation::farm {

struct Report {
  std::vector<std::filesystem::path> files;
  bool json = false;           // one file: an object, several: an array of them
  std::filesystem::path plot;  // empty: none; several files: the folder of NAME.png
};

// One after the other; the code of the first that failed, kWorkFailed where a goal was missed.
ExitCode report(const Report& wanted);

}  // namespace rushes::simulation::farm
