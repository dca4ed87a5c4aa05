#include "scheduler/core/state/capacity.h"

#include <cassert>

namespace rushes::scheduler {
namespace {

void set_member(std::set<WorkerId>& workers, WorkerId worker, bool is_member) {
  if (is_member)
    workers.insert(worker);
  else
    workers.erase(worker);
}

}  // namespace

std::pair<WorkerClassId, bool> Capacity::class_of(const WorkerOffer& offer) {
  const auto [found, is_new] = class_index_.try_emplace(offer, classes_.next_id());
  if (is_new) classes_.add({offer, {}, 0});
  return {found->second, is_new};
}

void Capacity::set_numeric_class(WorkerClassId worker_class, NumericClassId numeric_class) {
  classes_[worker_class].numeric_class = numeric_class;
}

void Capacity::count_slots(WorkerClassId worker_class, std::uint32_t before, std::uint32_t after) {
  assert(slots_ >= before && classes_[worker_class].slots >= before);
  slots_ = slots_ - before + after;
  classes_[worker_class].slots = classes_[worker_class].slots - before + after;
}

void Capacity::refresh(WorkerId worker, bool takes_work, std::size_t held, const WorkerOffer& offer) {
  set_member(with_room_, worker, takes_work && held < offer.slots + offer.prefetch);
  set_member(idle_, worker, takes_work && held < offer.slots);
  set_member(with_queue_, worker, held > offer.slots);
}

void Capacity::remove_queued(BucketId bucket) {
  const auto found = queued_.find(bucket);
  assert(found != queued_.end());
  if (--found->second == 0) queued_.erase(found);
}

void Capacity::end_reservation(TaskId task) {
  std::erase_if(reservations_, [&](const Reservation& kept) { return kept.task == task; });
}

}  // namespace rushes::scheduler
