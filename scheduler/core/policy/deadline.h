// Whether a shot's deadline is in danger.
//
// What is left of the shot needs at least its longest remaining path, and at least its remaining work divided
// by the farm's slots. The slack is what the deadline leaves beside that; it has run out when it is less than
// a quarter of what is left: estimates are wrong by so much, and boosting only at zero would be too late.
//
// Thread contract: pure functions.
#pragma once

#include <algorithm>
#include <cstdint>

namespace rushes::scheduler::policy {

inline double seconds_left(double path_seconds, double work_seconds, std::uint32_t slots) {
  return std::max(path_seconds, work_seconds / std::max(1u, slots));
}
inline double slack_seconds(std::int64_t deadline_wall_ms, std::int64_t now_wall_ms, double left) {
  return static_cast<double>(deadline_wall_ms - now_wall_ms) / 1000 - left;
}
inline bool at_risk(double slack, double left) { return slack < left / 4; }

}  // namespace rushes::scheduler::policy
