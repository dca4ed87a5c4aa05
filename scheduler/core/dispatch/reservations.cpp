#include "scheduler/core/dispatch/reservations.h"

#include <algorithm>

#include "scheduler/core/dispatch/placement.h"
#include "scheduler/core/policy/backfill.h"
#include "scheduler/core/policy/fit.h"
#include "scheduler/core/state/needs.h"

namespace rushes::scheduler {

void end_reservations(Decision& decision) {
  const State& state = decision.state();
  const std::vector<Reservation> kept = state.capacity.reservations();
  for (const Reservation& reservation : kept) {
    const Task& task = state.task(reservation.task);
    const Worker& worker = state.workers[reservation.worker];
    const bool holds =
        task.scheduling_class != kNoId && takes_work(worker) && fits(worker, needs_of(state, task));
    if (!holds) decision.emit(record::ReservationOver{reservation.task});
  }
}

bool reserve(Decision& decision, TaskId wide) {
  const State& state = decision.state();
  const auto is_its = [&](const Reservation& r) { return r.task == wide; };
  if (std::any_of(state.capacity.reservations().begin(), state.capacity.reservations().end(), is_its))
    return false;
  if (!policy::may_reserve(state.capacity.reservations().size(), state.workers.size())) return false;
  const Task& task = state.task(wide);
  const Requirements needs = needs_of(state, task);
  Reservation best{wide, kNoId, 0};
  for (WorkerId id(0); state.workers.has(id); ++id) {
    const Worker& worker = state.workers[id];
    if (!takes_work(worker) || !fits(worker, needs)) continue;
    if (reservation_of(state, id) != nullptr || is_avoided(state, task, worker)) continue;
    const policy::Footprint takes = footprint(worker, needs);
    if (has_room(worker, takes)) return false;  // its turn comes
    const auto start =
        policy::earliest_start(worker.offer.resources, occupants(state, worker, decision.now().boot_ms),
                               takes, decision.now().boot_ms);
    if (start && (best.worker == kNoId || *start < best.start_ms)) {
      best.worker = id;
      best.start_ms = *start;
    }
  }
  if (best.worker == kNoId) return false;
  decision.emit(record::Reserved{best});
  return true;
}

}  // namespace rushes::scheduler
