#include "scheduler/core/state/capacity.h"

#include <algorithm>
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
  if (is_new) classes_.add({offer, {}, {}});
  return {found->second, is_new};
}

void Capacity::set_numeric_class(WorkerClassId worker_class, NumericClassId numeric_class) {
  classes_[worker_class].numeric_class = numeric_class;
}

void Capacity::count_slots(WorkerClassId worker_class, const SlotCounts& before, const SlotCounts& after) {
  for (const SlotKind kind : kEverySlotKind) {
    std::uint32_t& of_class = classes_[worker_class].slots[kind];
    assert(slots_[kind] >= before[kind] && of_class >= before[kind]);
    slots_[kind] = slots_[kind] - before[kind] + after[kind];
    of_class = of_class - before[kind] + after[kind];
  }
}

void Capacity::refresh(WorkerId worker, bool takes_work, const SlotCounts& held, const WorkerOffer& offer) {
  const SlotCounts& slots = offer.resources.slots;
  std::uint32_t behind = 0;  // attempts that wait for a slot
  for (const SlotKind kind : kEverySlotKind) behind += held[kind] - std::min(held[kind], slots[kind]);
  for (const SlotKind kind : kEverySlotKind) {
    const bool idle = takes_work && held[kind] < slots[kind];
    const bool may_wait = takes_work && slots[kind] > 0 && behind < offer.prefetch;
    set_member(idle_[kind], worker, idle);
    set_member(with_room_[kind], worker, idle || may_wait);
    set_member(with_queue_[kind], worker, held[kind] > slots[kind]);
  }
}

void Capacity::remove_queued(SchedulingClassId scheduling_class) {
  const auto found = queued_.find(scheduling_class);
  assert(found != queued_.end());
  if (--found->second == 0) queued_.erase(found);
}

void Capacity::end_reservation(TaskId task) {
  std::erase_if(reservations_, [&](const Reservation& kept) { return kept.task == task; });
}

}  // namespace rushes::scheduler
