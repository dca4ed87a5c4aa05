// When a failed task is tried again, and when a person has to look at it.
//
// Thread contract: pure functions.
#pragma once

#include <cstdint>

#include "config/farm.h"
#include "storage/records/words.h"

namespace rushes::scheduler::policy {

// Milliseconds to wait after the given number of failures (>= 1): the configured back-off doubled each time,
// at most 60 s, plus up to a quarter of it so that tasks that failed together do not come back together.
std::int64_t backoff_ms(const config::Retries& retries, std::uint32_t failures, std::uint64_t random);

// A task that failed so often, or took so many workers with it, is not tried again by the farm. Lost workers
// count apart: a machine that was switched off says nothing about the task, a task that kills every engine
// does.
bool give_up(const config::Retries& retries, std::uint32_t failures, std::uint32_t losses);
inline constexpr std::uint32_t kLossesPerAttempt = 4;

// Whether a failed attempt says something about its worker. It does not where the shot itself asks for what cannot be
// done, nor where the task failed on another worker before: what repeats on every host lies in the task.
bool blames_worker(Fault fault, bool failed_elsewhere);

// What speaks against a worker since its last result.
struct Blame {
  std::uint32_t shots = 0;  // whose attempts failed here: one bad shot counts once, however many tasks it has
  std::uint32_t tasks = 0;  // that failed here and that another worker finished
};

// Such a worker gets nothing for a while. At most half of the connected workers are kept out at once: a batch of bad
// shots cannot stop a farm. quarantined: of the connected ones, without this one.
bool should_quarantine(const config::Retries& retries, const Blame& blame, std::uint32_t connected,
                       std::uint32_t quarantined);

}  // namespace rushes::scheduler::policy
