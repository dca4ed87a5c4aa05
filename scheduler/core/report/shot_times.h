// Where the time of a shot went: it ran, it waited for a person, or it waited for its turn.
//
// Thread contract: a pure function.
#pragma once

#include <vector>

#include "scheduler/core/state/facts.h"

namespace rushes::scheduler::view {

// Together the length of the shot's life, but for the times when it was over and nobody had changed their mind yet.
struct ShotTimes {
  double queued_seconds = 0, running_seconds = 0, person_seconds = 0;
};

// `life` is closed: of a shot that goes on it ends now. Other spans may overlap, in any order; one without an end
// lasts until the life's end. While anything ran, the shot did not wait.
ShotTimes shot_times(const WallSpan& life, std::vector<WallSpan> ran,
                     const std::vector<WallSpan>& person_waits);

}  // namespace rushes::scheduler::view
