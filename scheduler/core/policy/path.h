// The critical path: what lies behind a task, and when the longest path, and no longer the oldest shot, decides what
// comes next.
//
// Inside a flow the older shot goes first: it is delivered while the newer one still waits. But a shot whose
// longest remaining path is about as long as the farm needs for all that is left will be the last one, and
// every second that it waits makes the whole batch longer. Such shots go first, the longest path in front
// (list scheduling by the critical path: Hu 1961; Graham 1969 for its bound).
//
// Thread contract: pure function.
#pragma once

#include <algorithm>
#include <cstdint>

#include "config/stage.h"

namespace rushes::scheduler::policy {

// Which ways lie behind a task, beside those of the tasks that wait for it.
struct WaysBehind {
  bool takes = false;        // through the takes of its shot, which are planned once the task is leased
  bool after_takes = false;  // from the last verdict about the takes: revisions, and the upgrade
  bool siblings = false;     // of later tasks that read the same latents
};

// first: the task is the first one of a shot whose takes are not planned yet.
inline WaysBehind ways_behind(Stage stage, std::uint32_t level, bool whole_take, bool first) {
  WaysBehind ways;
  ways.takes = first;
  // No take is chosen before all are judged, and rendered again where critics want it.
  ways.after_takes = first || (stage == Stage::kCritique && level == 0);
  // A window's verdict comes before the tasks that it may make needless.
  ways.siblings = stage == Stage::kCritique && !whole_take;
  return ways;
}

// Expected seconds of the longest of each kind of way; 0: there is none.
struct WaySeconds {
  double takes = 0, after_takes = 0;  // one behind the other
  float dependents = 0;               // of the tasks that wait for this one
  float siblings = 0;
};
inline float path_behind(const WaySeconds& way) {
  return std::max({static_cast<float>(way.takes + way.after_takes), way.dependents, way.siblings});
}

// Of the time for all that is left: estimates are not exact. Later for a shot that has no class yet, which is
// better chosen when more is known.
inline constexpr double kCriticalPart = 0.1, kCriticalToBegin = 0.2;

inline bool decides_the_end(double path_seconds, double left_seconds, std::uint32_t slots, bool begun) {
  const double part = begun ? kCriticalPart : kCriticalToBegin;
  return path_seconds > part * left_seconds / std::max(1u, slots);
}

}  // namespace rushes::scheduler::policy
