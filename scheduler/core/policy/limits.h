// Counted resources that all workers share: licences, the storage's bandwidth.
//
// A limit with stages is claimed by every task of those stages; one without is claimed by the tasks of shots
// that name it. A claim lasts as long as the task's lease. A name that farm.yaml does not know (any more)
// bounds nothing.
//
// Thread contract: pure functions.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>

#include "config/farm.h"
#include "scheduler/plan/vocabulary.h"

namespace rushes::scheduler::policy {

bool claims(const config::SharedLimit& limit, Stage stage, std::span<const std::string> named);

// Leases that count against limits.
struct HeldLimits {
  std::array<std::uint32_t, kStages> by_stage{};
  std::map<std::string, std::uint32_t, std::less<>> by_name;  // of shots that name the limit
  bool operator==(const HeldLimits&) const = default;
};

// How much of a limit is held by leases now.
std::uint32_t held(const config::SharedLimit& limit, const HeldLimits& leases);

// The first limit that keeps such a task from being leased now; null: none.
const config::SharedLimit* full_limit(std::span<const config::SharedLimit> limits, const HeldLimits& leases,
                                      Stage stage, std::span<const std::string> named);

}  // namespace rushes::scheduler::policy
