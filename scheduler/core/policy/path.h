// When the longest path, and no longer the oldest shot, decides what comes next.
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

namespace rushes::scheduler::policy {

// Of the time for all that is left: estimates are not exact. Later for a shot that has no class yet, which is
// better chosen when more is known.
inline constexpr double kCriticalPart = 0.1, kCriticalToBegin = 0.2;

inline bool decides_the_end(double path_seconds, double left_seconds, std::uint32_t slots, bool begun) {
  const double part = begun ? kCriticalPart : kCriticalToBegin;
  return path_seconds > part * left_seconds / std::max(1u, slots);
}

}  // namespace rushes::scheduler::policy
