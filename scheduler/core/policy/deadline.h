// Whether a shot's deadline is in danger.
//
// What is left of the shot needs at least its longest remaining path; and the work of all shots of its show
// that are due no later needs the slots that the show is entitled to (earliest deadline first is feasible
// exactly when that holds for every deadline: Liu and Layland 1973). The slack is what the deadline leaves
// beside that; it is in danger when it is less than kMargin of what is left: estimates are wrong by that
// much, hosts leave, critics want more, and boosting only at zero would be too late. What was in danger once
// is boosted until it is done: let go as soon as it catches up, it would wait again until nothing may go
// wrong.
//
// Thread contract: pure functions.
#pragma once

#include <algorithm>
#include <cstdint>

namespace rushes::scheduler::policy {

inline constexpr double kMargin = 1;

// slots: that the show is entitled to.
inline double seconds_left(double path_seconds, double work_seconds, double slots) {
  return std::max(path_seconds, work_seconds / std::max(1.0, slots));
}
inline double slack_seconds(std::int64_t deadline_wall_ms, std::int64_t now_wall_ms, double left) {
  return static_cast<double>(deadline_wall_ms - now_wall_ms) / 1000 - left;
}
inline bool at_risk(double slack, double left) { return slack < kMargin * left; }

}  // namespace rushes::scheduler::policy
