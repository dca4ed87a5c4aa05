// What a finished attempt reports, as a records::TaskResult message.
//
// Thread contract: pure function.
#pragma once

#include <cstddef>
#include <vector>

#include "worker/engine/stage.h"

namespace rushes::worker {

// A flat Cap'n Proto message with a TaskResult root.
std::vector<std::byte> write_result(const TaskOutcome& outcome);

}  // namespace rushes::worker
