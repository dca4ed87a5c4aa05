// rushes-simulate --farm: one described farm from its file to the printed figures.
//
// Thread contract: one thread.
#pragma once

#include <filesystem>

#include "config/result.h"

namespace rushes::simulation::farm {

struct Report {
  std::filesystem::path file;
  bool json = false;
  std::filesystem::path plot;  // empty: none
};

// kWorkFailed when a goal is missed.
ExitCode report(const Report& wanted);

}  // namespace rushes::simulation::farm
