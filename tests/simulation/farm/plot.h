// A week of a farm at a glance: slots by show, window by window, under the slots that were there, and below
// it which shows had work waiting.
//
// Thread contract: pure functions but for the file written.
#pragma once

#include <filesystem>

#include "tests/simulation/farm/run.h"

namespace rushes::simulation::farm {

Status draw_plot(const FarmRun& run, const std::filesystem::path& file);

}  // namespace rushes::simulation::farm
