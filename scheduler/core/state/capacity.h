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
  std::uint32_t slots = 0;       // of connected workers
};

// A worker kept free for a wide task (policy/backfill.h).
struct Reservation {
  TaskId task = 0;
  WorkerId worker = kNoIndex;
  std::int64_t start_ms = 0;  // promised
};

class Capacity {
 public:
  const IndexedBy<WorkerClassId, WorkerClass>& classes() const { return classes_; }
  std::uint32_t slots() const { return slots_; }                        // of connected workers
  const std::set<WorkerId>& with_room() const { return with_room_; }    // could hold more than they do
  const std::set<WorkerId>& idle() const { return idle_; }              // have a free slot
  const std::set<WorkerId>& with_queue() const { return with_queue_; }  // hold more than they have slots
  // Attempts that wait behind running ones on a worker, by the bucket that they were in.
  const std::map<BucketId, std::uint32_t>& queued() const { return queued_; }
  // Attempts that are held before their checkpoint's verdict.
  const std::set<TaskId>& speculative() const { return speculative_; }
  const std::vector<Reservation>& reservations() const { return reservations_; }

  // The class of workers with this offer, and whether it is new.
  std::pair<WorkerClassId, bool> class_of(const WorkerOffer& offer);
  void set_numeric_class(WorkerClassId worker_class, NumericClassId numeric_class);
  void count_slots(WorkerClassId worker_class, std::uint32_t before, std::uint32_t after);
  // takes_work: connected, not draining, not quarantined.
  void refresh(WorkerId worker, bool takes_work, std::size_t held, const WorkerOffer& offer);

  void add_queued(BucketId bucket) { ++queued_[bucket]; }
  void remove_queued(BucketId bucket);
  void add_speculative(TaskId task) { speculative_.insert(task); }
  void remove_speculative(TaskId task) { speculative_.erase(task); }
  void reserve(const Reservation& reservation) { reservations_.push_back(reservation); }
  void end_reservation(TaskId task);

 private:
  IndexedBy<WorkerClassId, WorkerClass> classes_;
  std::map<WorkerOffer, WorkerClassId> class_index_;
  std::uint32_t slots_ = 0;
  std::set<WorkerId> with_room_, idle_, with_queue_;
  std::map<BucketId, std::uint32_t> queued_;
  std::set<TaskId> speculative_;
  std::vector<Reservation> reservations_;
};

}  // namespace rushes::scheduler
