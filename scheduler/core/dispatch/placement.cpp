#include "scheduler/core/dispatch/placement.h"

#include <algorithm>

#include "scheduler/core/policy/affinity.h"
#include "scheduler/core/policy/fair_share.h"
#include "scheduler/core/policy/limits.h"
#include "scheduler/core/policy/numeric_class.h"
#include "scheduler/core/policy/priority.h"
#include "scheduler/core/state/estimates.h"
#include "scheduler/core/state/needs.h"

namespace rushes::scheduler {

namespace {

// Of a model in a class. The shots that have no class yet may come there.
policy::Demand demand_of(const State& state, const Digest& model, NumericClassId numeric_class) {
  policy::Demand demand;
  if (const Pool* pinned = state.loads.find_pool(model, numeric_class))
    demand = {pinned->ready_seconds, pinned->held_seconds, pinned->left_seconds, 0};
  if (const Pool* open = state.loads.find_pool(model, kNoId)) {
    demand.ready += open->ready_seconds;
    demand.left += open->left_seconds;
  }
  const LoadedModel* found = state.loads.find_model(model);
  if (found == nullptr) return demand;
  for (std::uint32_t each = 0; each < found->slots.size(); ++each)
    if (state.capacity.classes()[WorkerClassId(each)].numeric_class == numeric_class)
      demand.slots += found->slots[each];
  return demand;
}

// What such a show lacks is worth any load. (Not any class: a whole batch would begin where slots are free
// just then, and wait there while the rest of the farm runs dry.)
bool is_under_floor(const State& state, ShowId id, SlotKind kind) {
  const Show& show = state.shows[id];
  return policy::below_floor({show.slots[kind], true, show.weight, show.floor, show.pass},
                             state.capacity.slots()[kind]) > 0;
}

// The worker would have to load the model first, and nothing is done sooner by that.
bool needless_load(const State& state, const Worker& worker, const SchedulingClass& scheduling_class) {
  const SlotKind kind = policy::tensor_kind(worker.offer);
  if (is_loaded(worker, scheduling_class.needs) || kind != SlotKind::kGpu) return false;
  if (is_under_floor(state, state.queue.flows()[scheduling_class.flow].show, kind)) return false;
  const LoadedModel* model = state.loads.find_model(scheduling_class.needs.model);
  if (model == nullptr) return false;
  const NumericClassId numeric_class = state.capacity.classes()[worker.worker_class].numeric_class;
  policy::Demand wanted = demand_of(state, scheduling_class.needs.model, numeric_class);
  wanted.slots = 0;
  for (std::uint32_t each = 0; each < model->slots.size(); ++each) {
    if (!scheduling_class.runs_in[each] ||
        state.capacity.classes()[WorkerClassId(each)].numeric_class != numeric_class)
      continue;
    if (model->idle[each] > 0) return false;  // one of them could have taken it, and has its reason
    wanted.slots += model->slots[each];
  }
  const policy::Demand own = demand_of(state, worker.model_loaded, numeric_class);
  return !policy::worth_loading(wanted, own, load_seconds(state, scheduling_class.needs.model));
}

const config::SharedLimit* full_limit(const State& state, const Requirements& needs) {
  return policy::full_limit(state.sharing.limits, state.held, needs.stage,
                            state.queue.limits_of(needs.limit_set));
}

// Of a worker that fits.
Blocker blocker_now(const State& state, const Worker& worker, const Requirements& needs) {
  const bool begins = needs.tensors && needs.numeric_class.empty();
  if (begins && class_to_begin(state, worker, needs).empty()) return Blocker::kBetterDevice;
  if (full_limit(state, needs) != nullptr) return Blocker::kLimit;
  return has_memory(worker, footprint(worker, needs)) ? Blocker::kNone : Blocker::kBusyMemory;
}

}  // namespace

Blocker blocker_of(const State& state, const Worker& worker, const Requirements& needs) {
  switch (policy::fit(worker.offer, needs)) {
    case policy::Fit::kNoModel:
      return Blocker::kNoModel;
    case policy::Fit::kNoClass:
      return Blocker::kNoClass;
    case policy::Fit::kTooOld:
      return Blocker::kTooOld;
    case policy::Fit::kNoMemory:
      return Blocker::kNoMemory;
    case policy::Fit::kFits:
      break;
  }
  return blocker_now(state, worker, needs);
}

Blocker blocker_of(const State& state, const Worker& worker, const SchedulingClass& scheduling_class) {
  if (!scheduling_class.fits(worker.worker_class)) return blocker_of(state, worker, scheduling_class.needs);
  return needless_load(state, worker, scheduling_class) ? Blocker::kNotLoaded
                                                        : blocker_now(state, worker, scheduling_class.needs);
}

const Reservation* reservation_of(const State& state, WorkerId worker) {
  for (const Reservation& reservation : state.capacity.reservations()) {
    if (reservation.worker == worker) return &reservation;
  }
  return nullptr;
}

std::string class_to_begin(const State& state, const Worker& worker, const Requirements& needs) {
  const auto could_begin = [&](const Worker& other) {
    return policy::tensor_kind(other.offer) == SlotKind::kGpu && takes_work(other) && fits(other, needs);
  };
  const bool gpu_there = policy::tensor_kind(worker.offer) != SlotKind::kGpu &&
                         std::any_of(state.workers.begin(), state.workers.end(), could_begin);
  return policy::choose_class(worker.offer, gpu_there);
}

SlotKind kind_of(const State& state, const Requirements& needs) {
  const SlotCounts& slots = state.capacity.slots();
  if (!needs.tensors) return slots[SlotKind::kCpu] > 0 ? SlotKind::kCpu : SlotKind::kGpu;
  if (!needs.numeric_class.empty()) return slot_kind_of(needs.numeric_class);
  return slots[SlotKind::kGpu] > 0 ? SlotKind::kGpu : SlotKind::kCpu;
}

std::vector<policy::Occupant> occupants(const State& state, const Worker& worker, std::int64_t now_ms) {
  std::vector<policy::Occupant> held;
  for (const TaskId id : all_leases(worker)) {
    const Task& task = state.task(id);
    held.push_back({footprint_of(state, worker, task), expected_end_ms(state, task, now_ms)});
  }
  return held;
}

bool leaves_reservation(const State& state, WorkerId id, const Task& task, std::int64_t now_ms) {
  const Reservation* reservation = reservation_of(state, id);
  if (reservation == nullptr || reservation->task == task.plan.id) return true;
  const Worker& worker = state.workers[id];
  const policy::Occupant candidate{footprint_of(state, worker, task), expected_end_ms(state, task, now_ms)};
  const policy::Footprint wide = footprint_of(state, worker, state.task(reservation->task));
  return policy::may_backfill(worker.offer.resources, occupants(state, worker, now_ms), wide,
                              reservation->start_ms, candidate, now_ms);
}

namespace {

// The shot has no class yet, and would be done sooner in another one than in the worker's.
bool begins_too_late(const State& state, const Task& task, const Worker& worker,
                     const ClassLoads& class_loads) {
  const NumericClassId here = state.capacity.classes()[worker.worker_class].numeric_class;
  const double left = state.shots[task.shot].left_seconds;
  if (here == kNoId || class_loads.classes[here.number()].slots == 0 || !(left > 0)) return false;
  return !policy::may_begin(class_loads.classes, here.number(), static_cast<double>(task.path), left,
                            class_loads.waiting);
}

bool failed_last(const Task& task, const Worker& worker) {
  return task.failures > 0 && !task.bad_attempts.empty() && task.bad_attempts.back().worker == worker.name;
}

bool has_gone_wrong(const State& state, const Task& task, const Worker& worker) {
  const bool slow = state.workers.has(task.slow_on) && &state.workers[task.slow_on] == &worker;
  return slow || failed_last(task, worker);
}

// It computes no tensors and would take a GPU slot here, while a CPU slot is free for it.
bool is_for_cpu_slot(const State& state, const Task& task, const Worker& worker) {
  const std::set<WorkerId>& idle = state.capacity.idle(SlotKind::kCpu);
  if (idle.empty() || computes_tensors(task.plan) || worker.offer.resources.slots[SlotKind::kCpu] > 0)
    return false;
  const Requirements needs = needs_of(state, task);
  return std::any_of(idle.begin(), idle.end(), [&](WorkerId id) {
    const Worker& other = state.workers[id];
    return reservation_of(state, id) == nullptr && fits(other, needs) &&
           has_room(other, footprint(other, needs)) && !has_gone_wrong(state, task, other);
  });
}

}  // namespace

double share_of(const State& state, const Show& show) {
  double weights = 0;
  for (const Show& other : state.shows)
    weights += other.ready > 0 || total(other.slots) > 0 || &other == &show ? other.weight : 0;
  return show.weight / weights;
}

double share_of(const State& state, const Flow& flow) {
  double rates = 0;
  for (const FlowId id : state.shows[flow.show].flows) {
    const Flow& other = state.queue.flows()[id];
    rates +=
        other.shots > 0 || total(other.slots) > 0 || &other == &flow ? policy::rate_of(other.priority) : 0;
  }
  return policy::rate_of(flow.priority) / rates;
}

namespace {

// Slots that fit the scheduling class, of the numeric classes that would begin its shots: where there are GPUs,
// theirs alone, as in class_to_begin().
void add_slots(const State& state, const SchedulingClass& scheduling_class, ClassLoads& class_loads) {
  const auto slots_of = [&](const WorkerClass& each) {
    const bool fits =
        each.numeric_class != kNoId && scheduling_class.fits(state.capacity.classes().id_of(each));
    return fits ? each.slots[policy::tensor_kind(each.offer)] : 0;
  };
  const auto& classes = state.capacity.classes();
  const bool gpu_there = std::any_of(classes.begin(), classes.end(), [&](const WorkerClass& each) {
    return policy::tensor_kind(each.offer) == SlotKind::kGpu && slots_of(each) > 0;
  });
  for (const WorkerClass& each : classes)
    if (!gpu_there || policy::tensor_kind(each.offer) == SlotKind::kGpu)
      if (const std::uint32_t slots = slots_of(each); slots > 0)
        class_loads.classes[each.numeric_class.number()].slots += slots;
}

// The mean denoise task of the shot's takes.
policy::WorkSum denoise_task_of(const State& state, const Shot& shot) {
  if (shot.take_work == kNoId) return {1, 0};
  const policy::WorkSum all =
      state.work.take_work(shot.take_work).all[static_cast<std::size_t>(Stage::kDenoise)];
  return all.tasks > 0 ? all.times(1 / all.tasks) : policy::WorkSum{1, 0};
}

}  // namespace

ClassLoads class_loads_of(const State& state, const Task& task) {
  const Shot& shot = state.shots[task.shot];
  ClassLoads class_loads;
  if (!shot.numeric_class.empty() || !computes_tensors(task.plan) || task.scheduling_class == kNoId)
    return class_loads;
  const policy::WorkSum one = denoise_task_of(state, shot);
  const double known = pace(state, shot, Stage::kDenoise, 0).of(one);  // of whichever class that was
  class_loads.classes.resize(state.loads.classes().size());
  for (const std::string& name : state.loads.classes()) {
    const double measured = denoise_pace(state, shot, name).of(one);
    policy::ClassLoad& its = class_loads.classes[state.loads.classes().id_of(name).number()];
    its.measured = measured > 0;
    if (measured > 0 && known > 0) its.pace = measured / known;
  }
  const SchedulingClass& scheduling_class = state.queue.scheduling_classes()[task.scheduling_class];
  add_slots(state, scheduling_class, class_loads);
  for (const Pool& pool : state.loads.pools()) {
    if (pool.numeric_class == kNoId) {
      class_loads.waiting += pool.left_seconds;
      continue;
    }
    policy::ClassLoad& its = class_loads.classes[pool.numeric_class.number()];
    its.left_seconds += pool.left_seconds;
    its.busy = its.busy || pool.ready > 0 || pool.held_seconds > 0;
  }
  return class_loads;
}

Blocker blocker_of(const State& state, const Worker& worker, const Task& task,
                   const ClassLoads& class_loads) {
  if (!class_loads.classes.empty() && begins_too_late(state, task, worker, class_loads))
    return Blocker::kLateClass;
  if (has_gone_wrong(state, task, worker)) {
    const Requirements needs = needs_of(state, task);
    const bool fits_elsewhere = std::any_of(
        state.workers.begin(), state.workers.end(),
        [&](const Worker& other) { return &other != &worker && takes_work(other) && fits(other, needs); });
    if (fits_elsewhere) return failed_last(task, worker) ? Blocker::kFailedHere : Blocker::kTooSlowHere;
  }
  return is_for_cpu_slot(state, task, worker) ? Blocker::kCpuSlot : Blocker::kNone;
}

}  // namespace rushes::scheduler
