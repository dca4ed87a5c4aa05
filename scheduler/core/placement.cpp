#include "scheduler/core/placement.h"

#include <algorithm>

#include "scheduler/core/estimates.h"
#include "scheduler/core/index.h"
#include "scheduler/core/policy/limits.h"
#include "scheduler/core/policy/numeric_class.h"

namespace rushes::scheduler {

namespace {

// Of a worker that fits.
Hold hold_now(const State& state, const Worker& worker, const Needs& needs) {
  if (needs.numeric_class.empty() && policy::choose_class(worker, state.workers, needs).empty())
    return Hold::kElsewhere;
  if (policy::full_limit(state, needs.stage, state.claims[needs.claims]) != nullptr) return Hold::kLimit;
  return policy::has_memory(worker, needs.memory_bytes) ? Hold::kNone : Hold::kBusyMemory;
}

}  // namespace

Hold hold_of(const State& state, const Worker& worker, const Needs& needs) {
  switch (policy::fit(worker, needs)) {
    case policy::Fit::kNoModel:
      return Hold::kNoModel;
    case policy::Fit::kNoClass:
      return Hold::kNoClass;
    case policy::Fit::kNoMemory:
      return Hold::kNoMemory;
    case policy::Fit::kFits:
      break;
  }
  return hold_now(state, worker, needs);
}

Hold hold_of(const State& state, const Worker& worker, const Bucket& bucket) {
  return bucket.fits[worker.kind] ? hold_now(state, worker, bucket.needs)
                                  : hold_of(state, worker, bucket.needs);
}

const Reservation* reservation_of(const State& state, WorkerId worker) {
  for (const Reservation& reservation : state.reservations) {
    if (reservation.worker == worker) return &reservation;
  }
  return nullptr;
}

policy::Room room_of(const Worker& worker) { return {worker.slots, worker.memory_bytes}; }

std::vector<policy::Occupant> occupants(const State& state, const Worker& worker, std::int64_t now_ms) {
  std::vector<policy::Occupant> held;
  for (const TaskId id : worker.leases) {
    const Task& task = state.task(id);
    held.push_back({task.plan.memory_bytes, expected_end_ms(state, task, now_ms)});
  }
  return held;
}

bool leaves_reservation(const State& state, WorkerId id, const Task& task, std::int64_t now_ms) {
  const Reservation* reservation = reservation_of(state, id);
  if (reservation == nullptr || reservation->task == task.plan.id) return true;
  const Worker& worker = state.workers[id];
  const policy::Occupant candidate{task.plan.memory_bytes, expected_end_ms(state, task, now_ms)};
  return policy::may_backfill(room_of(worker), occupants(state, worker, now_ms),
                              state.task(reservation->task).plan.memory_bytes, reservation->start_ms,
                              candidate, now_ms);
}

namespace {

// The shot is not pinned yet, and a class that is there would end it before this one.
bool begins_too_slowly(const State& state, const Task& task, const Worker& worker) {
  const Shot& shot = state.shots[task.shot];
  if (!shot.numeric_class.empty() || shot.take_work == kNoIndex || worker.numeric_classes.empty())
    return false;
  const double here = denoise_pace(state, shot, worker.numeric_classes.front());
  const auto first = state.rates.lower_bound({Stage::kDenoise, 0, shot.spec.recipe.model, {}});
  double fastest = here;
  for (auto rate = first; rate != state.rates.end() && rate->first.stage == Stage::kDenoise &&
                          rate->first.level == 0 && rate->first.model == shot.spec.recipe.model;
       ++rate) {
    if (rate->second.mean * policy::kAlike >= fastest) continue;
    const bool there = std::any_of(state.workers.begin(), state.workers.end(), [&](const Worker& other) {
      return policy::takes_work(other) && !other.numeric_classes.empty() &&
             other.numeric_classes.front() == rate->first.numeric_class &&
             policy::fit(other, needs_of(state, task)) == policy::Fit::kFits;
    });
    if (there) fastest = rate->second.mean;
  }
  if (here <= 0 || fastest >= here) return false;
  const double some = expected(state, shot, state.take_works[shot.take_work].path);
  const double known = pace(state, shot, Stage::kDenoise, 0);  // of whichever class that was
  if (known <= 0) return false;
  return !policy::may_begin_slower(some * here / known, some * fastest / known, state.left_seconds,
                                   state.slots);
}

}  // namespace

bool avoids(const State& state, const Task& task, const Worker& worker) {
  if (begins_too_slowly(state, task, worker)) return true;
  const bool failed_here =
      task.failures > 0 && !task.bad_attempts.empty() && task.bad_attempts.back().worker == worker.name;
  const bool slow_here = task.slow_on < state.workers.size() && &state.workers[task.slow_on] == &worker;
  if (!failed_here && !slow_here) return false;
  const Needs needs = needs_of(state, task);
  return std::any_of(state.workers.begin(), state.workers.end(), [&](const Worker& other) {
    return &other != &worker && policy::takes_work(other) && policy::fit(other, needs) == policy::Fit::kFits;
  });
}

}  // namespace rushes::scheduler
