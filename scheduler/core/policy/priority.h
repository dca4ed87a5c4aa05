// What a shot's priority means: a rate, never a rank.
//
// Ten points double the rate at which shots of a priority are served beside the others of their show
// (Afanasy's need = 1.1^priority is the same idea), so that the lowest priority still moves. A shot whose
// deadline is in danger is served as if it had forty points more, sixteen times its rate: bounded, and inside
// its show only.
//
// Thread contract: pure functions.
#pragma once

#include <cmath>
#include <cstdint>

namespace rushes::scheduler::policy {

inline constexpr std::uint32_t kUrgentPoints = 40;

inline std::uint32_t effective_priority(std::uint32_t priority, bool urgent) {
  return priority + (urgent ? kUrgentPoints : 0);
}
inline double rate_of(std::uint32_t priority) { return std::exp2((static_cast<double>(priority) - 50) / 10); }

// What a second of service adds to the virtual time of a flow. Shots that share a priority share its rate,
// the older one first: one shot that is raised above a thousand others is not diluted by their number.
inline double virtual_seconds(std::uint32_t priority) { return 1 / rate_of(priority); }

}  // namespace rushes::scheduler::policy
