// Whether a worker may take a waiting task now, and if not, what blocks it. Asked by the dispatcher, by explain
// and by the oracle of the simulator, so that they cannot disagree.
//
// Thread contract: pure functions of the State.
#pragma once

#include "scheduler/core/policy/backfill.h"
#include "scheduler/core/policy/fit.h"
#include "scheduler/core/policy/numeric_class.h"
#include "scheduler/core/state/state.h"

namespace rushes::scheduler {

// Why a worker cannot take a task now.
enum class Blocker : std::uint8_t {
  kNone,
  // Of every task with the same requirements; the first that applies.
  kNoModel,
  kNoClass,
  kNoMemory,      // more than the worker has
  kBetterDevice,  // the task would begin a shot that a better device should begin
  kTooOld,        // the worker's protocol has no stored task descriptions
  kLimit,         // a shared limit is used up
  kBusyMemory,    // not beside what the worker holds now
  kNotLoaded,     // nothing is done sooner if the worker loads the model
  // Of one task, and of every worker of the class.
  kLateClass,  // the shot would begin in a class where it is done too late (policy/numeric_class.h)
  kCpuSlot,    // it would take a GPU slot, and a CPU slot elsewhere is free for it
  // Of one task, and of this worker alone.
  kFailedHere,   // it failed here last, and another worker could take it
  kTooSlowHere,  // it was too slow here, and another worker could take it
  kReserved      // the worker is kept free for another task
};
inline bool is_of_this_worker(Blocker blocker) { return blocker >= Blocker::kFailedHere; }

// The first blocker of all tasks with these requirements, up to kBusyMemory.
Blocker blocker_of(const State& state, const Worker& worker, const Requirements& needs);
// The same for tasks of a scheduling class, up to kNotLoaded.
Blocker blocker_of(const State& state, const Worker& worker, const SchedulingClass& scheduling_class);

// The reservation of a worker; null: none.
const Reservation* reservation_of(const State& state, WorkerId worker);
// Whether the task may start on the worker although it is reserved for another one. True where it is not.
bool leaves_reservation(const State& state, WorkerId worker, const Task& task, std::int64_t now_ms);
// What the worker holds, with the ends by the estimates.
std::vector<policy::Occupant> occupants(const State& state, const Worker& worker, std::int64_t now_ms);
// Whether it could run the task when it holds nothing; and beside what it holds now.
inline bool fits(const Worker& worker, const Requirements& needs) {
  return policy::fit(worker.offer, needs) == policy::Fit::kFits;
}
inline policy::Footprint footprint(const Worker& worker, const Requirements& needs) {
  return policy::footprint(worker.offer, needs);
}
inline bool has_memory(const Worker& worker, const policy::Footprint& takes) {
  return policy::has_memory(worker.offer.resources, worker.held_bytes, takes);
}
inline bool has_room(const Worker& worker, const policy::Footprint& takes) {  // now
  return has_free_slot(worker, takes.kind) && has_memory(worker, takes);
}
// The kind of slot that such a task takes on this farm. One of a shot without a class: that of its best devices.
SlotKind kind_of(const State& state, const Requirements& needs);
// The numeric class in which the worker would begin a shot; empty: it leaves the shot to others.
std::string class_to_begin(const State& state, const Worker& worker, const Requirements& needs);

// Of the farm's slots of a kind, what the show may claim beside the others that have something to do.
double share_of(const State& state, const Show& show);
// Of its show's, the same for a flow.
double share_of(const State& state, const Flow& flow);

// What the numeric classes have to do, for the first task of a shot that has no class yet: the same for all tasks
// of a scheduling class. Empty for all others.
struct ClassLoads {
  std::vector<policy::ClassLoad> classes;  // as State::classes
  double waiting = 0;
};
ClassLoads class_loads_of(const State& state, const Task& task);

// Why a task leaves a worker with room to others: kNone, or kLateClass to kTooSlowHere.
Blocker blocker_of(const State& state, const Worker& worker, const Task& task, const ClassLoads& class_loads);
inline bool is_avoided(const State& state, const Task& task, const Worker& worker) {
  return blocker_of(state, worker, task, class_loads_of(state, task)) != Blocker::kNone;
}

inline bool needs_other(const Digest& model, const Requirements& needs) {
  return needs.model != Digest{} && needs.model != model;
}
// It needs no model, or the worker has it loaded.
inline bool is_loaded(const Worker& worker, const Requirements& needs) {
  return !needs_other(worker.model_loaded, needs);
}

}  // namespace rushes::scheduler
