// What a shot's priority means: a rate, never a rank.
//
// Ten points double the rate at which a shot's tasks are served beside the other shots of its show (Afanasy's
// need = 1.1^priority is the same idea), so that the lowest priority still moves. A shot whose deadline is in
// danger is served as if it had forty points more, sixteen times its rate: bounded, and inside its show only.
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
inline double rate_of(std::uint32_t priority) {
  return std::exp2((static_cast<double>(priority) - 50) / 10);
}

}  // namespace rushes::scheduler::policy
