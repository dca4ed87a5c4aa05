// What connected workers could still take: classes of workers, free slots, queues on workers.
//
// Thread contract: as State; only apply() calls functions that are not const.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "scheduler/core/state/facts.h"
#include "storage/records/ids.h"

namespace rushes::scheduler {

// Workers that offer the same.
struct WorkerClass {
  WorkerOffer offer;
  NumericClassId numeric_class;  // the first that it offers
  SlotCounts slots;              // of connected workers
};

// A worker kept free for a wide task (policy/backfill.h).
struct Reservation {
  TaskId task;
  WorkerId worker;
  std::int64_t start_ms = 0;  // promised
};

class Capacity {
 public:
  const IndexedBy<WorkerClassId, WorkerClass>& classes() const { return classes_; }
  const SlotCounts& slots() const { return slots_; }  // of connected workers
  // Of one kind of slot: workers that could hold more attempts than they do; that have a free slot; that hold more
  // attempts than they have slots.
  const std::set<WorkerId>& with_room(SlotKind kind) const { return with_room_[kind]; }
  const std::set<WorkerId>& idle(SlotKind kind) const { return idle_[kind]; }
  const std::set<WorkerId>& with_queue(SlotKind kind) const { return with_queue_[kind]; }
  // Attempts that wait behind running ones on a worker, by their scheduling class.
  const std::map<SchedulingClassId, std::uint32_t>& queued() const { return queued_; }
  // Attempts that are held before their checkpoint's verdict.
  const std::set<TaskId>& speculative() const { return speculative_; }
  const std::vector<Reservation>& reservations() const { return reservations_; }

  // The class of workers with this offer, and whether it is new.
  std::pair<WorkerClassId, bool> class_of(const WorkerOffer& offer);
  void set_numeric_class(WorkerClassId worker_class, NumericClassId numeric_class);
  void count_slots(WorkerClassId worker_class, const SlotCounts& before, const SlotCounts& after);
  // takes_work: connected, not draining, not quarantined. held: attempts by the kind of their slot.
  void refresh(WorkerId worker, bool takes_work, const SlotCounts& held, const WorkerOffer& offer);

  void add_queued(SchedulingClassId scheduling_class) { ++queued_[scheduling_class]; }
  void remove_queued(SchedulingClassId scheduling_class);
  void add_speculative(TaskId task) { speculative_.insert(task); }
  void remove_speculative(TaskId task) { speculative_.erase(task); }
  void reserve(const Reservation& reservation) { reservations_.push_back(reservation); }
  void end_reservation(TaskId task);

 private:
  IndexedBy<WorkerClassId, WorkerClass> classes_;
  std::map<WorkerOffer, WorkerClassId> class_index_;
  SlotCounts slots_;
  BySlotKind<std::set<WorkerId>> with_room_, idle_, with_queue_;
  std::map<SchedulingClassId, std::uint32_t> queued_;
  std::set<TaskId> speculative_;
  std::vector<Reservation> reservations_;
};

}  // namespace rushes::scheduler
