// Attempts that take much longer than others of their kind, and whether to begin them again elsewhere.
//
// An attempt straggles when it runs longer than its estimate plus so many deviations, and longer than a
// minimum. It is given up only for an idle worker that is expected to be done sooner: what is left, by the
// attempt's own progress, is compared with a whole new attempt at the usual pace (as in "speculative
// execution", Dean & Ghemawat 2004, but one attempt at a time: the old one is stopped, and that confirmed,
// before the new one begins). Once per task: a task that is slow everywhere is not slow because of a worker.
//
// Thread contract: pure functions.
#pragma once

#include <cstdint>

#include "config/farm.h"
#include "scheduler/core/policy/estimate.h"

namespace rushes::scheduler::policy {

// A load of weights is not the task's own time: an attempt that loads counts as begun so much later.
inline constexpr std::int64_t kLoadGraceMs = 300'000;

inline bool straggles(double elapsed_seconds, const Expected& expected, const config::Scheduling& settings) {
  const double least = static_cast<double>(settings.straggler_min.count()) / 1000;
  return expected.measured && elapsed_seconds > least &&
         elapsed_seconds > expected.seconds + settings.straggler_spread * expected.deviation;
}

// fraction: the attempt's own progress, 0..1. Without any, it has as long to go as it ran already.
inline bool ends_sooner_elsewhere(double elapsed_seconds, double fraction, const Expected& expected) {
  const double left = fraction > 0 ? elapsed_seconds * (1 - fraction) / fraction : elapsed_seconds;
  return expected.seconds + expected.deviation < left;
}

}  // namespace rushes::scheduler::policy
