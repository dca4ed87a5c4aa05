// Counted resources that all workers share: licences, the storage's bandwidth.
//
// A limit with stages is claimed by every task of those stages; one without is claimed by the tasks of shots
// that name it. A claim lasts as long as the task's lease. A name that farm.yaml does not know (any more)
// bounds nothing.
//
// Thread contract: pure functions.
#pragma once

#include <span>
#include <string>

#include "config/farm.h"
#include "scheduler/core/state/state.h"

namespace rushes::scheduler::policy {

bool claims(const config::SharedLimit& limit, Stage stage, std::span<const std::string> named);

// How much of it is held by leases now.
std::uint32_t held(const config::SharedLimit& limit, const State& state);

// The first limit that keeps such a task from being leased now; null: none.
const config::SharedLimit* full_limit(const State& state, Stage stage, std::span<const std::string> named);

}  // namespace rushes::scheduler::policy
