// Wide tasks: what fits a worker, but not beside what it runs now.
//
// Small tasks would take every byte that is freed, and the wide one would never start. So it gets a
// reservation on the worker where it can start earliest by the estimates, and others run there only if they
// leave it its memory and slot, or are expected to be over (late() of their estimate) by then: EASY backfill
// (Lifka 1995, "The ANL/IBM SP scheduling system"). The promised start is kept: once it has passed, nothing
// is let in before the wide task whatever the estimates say, so estimates that are too short delay it by the
// attempts that run already and by nothing else.
//
// Thread contract: pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "scheduler/core/policy/fit.h"

namespace rushes::scheduler::policy {

// Memory is the host's: a device belongs to one slot.
struct Occupant {  // an attempt that the worker holds
  Footprint takes;
  std::int64_t ends_ms = 0;  // by the estimate, at the latest
};

// When the task can start there; none: it never fits.
std::optional<std::int64_t> earliest_start(const Resources& room, std::span<const Occupant> held,
                                           const Footprint& wide, std::int64_t now_ms);

// Whether `candidate` may start now on a worker that is reserved for `wide` from start_ms on.
bool may_backfill(const Resources& room, std::span<const Occupant> held, const Footprint& wide,
                  std::int64_t start_ms, const Occupant& candidate, std::int64_t now_ms);

// At most so many reservations at once, and never on more than half of the workers (of one: on that one): a
// few wide tasks must not stop the farm.
inline constexpr std::uint32_t kReservations = 8;
inline bool may_reserve(std::size_t reservations, std::size_t workers) {
  return reservations < kReservations && reservations * 2 < workers;
}

}  // namespace rushes::scheduler::policy
