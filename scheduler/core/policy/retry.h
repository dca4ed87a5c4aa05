// When a failed task is tried again, and when a person has to look at it.
//
// Thread contract: pure functions.
#pragma once

#include <cstdint>

#include "config/farm.h"

namespace rushes::scheduler::policy {

// Milliseconds to wait after the given number of failures (>= 1): the configured back-off doubled each time,
// at most 60 s, plus up to a quarter of it so that tasks that failed together do not come back together.
std::int64_t backoff_ms(const config::Retries& retries, std::uint32_t failures, std::uint64_t random);

// A task that failed so often, or took so many workers with it, is not tried again by the farm. Lost workers
// count apart: a machine that was switched off says nothing about the task, a task that kills every engine
// does.
bool give_up(const config::Retries& retries, std::uint32_t failures, std::uint32_t losses);
inline constexpr std::uint32_t kLossesPerAttempt = 4;

// A worker whose last attempts all failed gets nothing for a while.
bool should_quarantine(const config::Retries& retries, std::uint32_t failures_in_row);

}  // namespace rushes::scheduler::policy
