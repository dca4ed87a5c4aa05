// What was spent and what shots will take, in device seconds, as tables of 80 columns.
//
// Thread contract: pure functions.
#pragma once

#include <string>

#include "tools/rushes/text.h"

namespace rushes::tools {

// COSTS of the API: shows, batches and shots, the most expensive first. Of many batches and shots only the first are
// listed, and the others are counted.
std::string costs_text(const Json& costs, const Style& style);

}  // namespace rushes::tools
