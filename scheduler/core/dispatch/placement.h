// Whether a worker may take a waiting task now, and if not, what holds it. Asked by the dispatcher, by
// explain and the oracle of the simulator, so that they cannot disagree.
//
// Thread contract: pure functions of the State.
#pragma once

#include "scheduler/core/policy/backfill.h"
#include "scheduler/core/policy/fit.h"
#include "scheduler/core/policy/numeric_class.h"
#include "scheduler/core/state/state.h"

namespace rushes::scheduler {

// In the order in which they are asked; the first that holds is the answer.
enum class Hold : std::uint8_t {
  kNone,
  kNoModel,
  kNoClass,
  kNoMemory,    // more than the worker has
  kElsewhere,   // it would begin a shot that a better device should begin
  kTooOld,      // it cannot be told so long a description
  kLimit,       // a shared limit is used up
  kBusyMemory,  // not beside what it holds now
  kNotLoaded    // nothing is done sooner if it loads the model
};
Hold hold_of(const State& state, const Worker& worker, const Requirements& needs);
// The same for tasks in a bucket, which may also be kNotLoaded.
Hold hold_of(const State& state, const Worker& worker, const Bucket& bucket);

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

// What the classes have to do, for the first task of a shot that has none yet: the same for all tasks of a
// bucket. Empty for all others.
struct Outlook {
  std::vector<policy::ClassOutlook> classes;  // as State::classes
  double waiting = 0;
};
Outlook outlook_of(const State& state, const Task& task);

// Why a task leaves a worker with room to others.
enum class Avoids : std::uint8_t {
  kNot,
  kClass,    // the shot would begin in a class where it is done too late (policy/numeric_class.h)
  kCpuSlot,  // it would take a GPU, and a CPU slot elsewhere is free for it
  kFailed,   // it failed here last, and another worker could take it
  kSlow      // it was too slow here, and another worker could take it
};
Avoids avoids(const State& state, const Task& task, const Worker& worker, const Outlook& outlook);
inline bool is_avoided(const State& state, const Task& task, const Worker& worker) {
  return avoids(state, task, worker, outlook_of(state, task)) != Avoids::kNot;
}

inline bool needs_other(const Digest& model, const Requirements& needs) {
  return needs.model != Digest{} && needs.model != model;
}
// It needs no model, or the worker has it loaded.
inline bool is_loaded(const Worker& worker, const Requirements& needs) {
  return !needs_other(worker.model_loaded, needs);
}

}  // namespace rushes::scheduler
