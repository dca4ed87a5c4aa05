#include "scheduler/core/state/leases.h"

#include <algorithm>
#include <cassert>

#include "config/mutation.h"
#include "scheduler/core/state/needs.h"
#include "scheduler/core/state/waiting.h"

namespace rushes::scheduler {
namespace {

void count_lease(State& state, const Task& task, int by) {
  const Shot& shot = state.shots[task.shot];
  const auto more = static_cast<std::uint32_t>(by);  // wraps for -1
  state.shows[shot.show].leased += more;
  state.held.by_stage[static_cast<std::size_t>(task.plan.stage)] += more;
  for (const std::string& limit : shot.spec.limits) state.held.by_name[limit] += more;
  if (by < 0) state.dispatch_due = true;  // a limit may be free for others
}

Show& show_of_task(State& state, const Task& task) { return state.shows[state.shots[task.shot].show]; }

// A held task gets a slot, or waits behind those that have one.
void count_slot(State& state, TaskId id, bool has_slot) {
  Task& task = state.tasks[id];
  const FlowId flow = state.shots[task.shot].flow;
  if (has_slot) {
    task.holding.slot_of = flow;
    state.queue.count_slot(flow, task.holding.kind, 1);
    ++show_of_task(state, task).slots[task.holding.kind];
  } else {
    task.holding.queued_in = scheduling_class_of(state, flow, needs_of(state, task));
    state.capacity.add_queued(task.holding.queued_in);
  }
}

void uncount_slot(State& state, TaskId id) {
  Task& task = state.tasks[id];
  if (task.holding.queued_in == kNoId) {
    state.queue.count_slot(task.holding.slot_of, task.holding.kind, -1);
    assert(show_of_task(state, task).slots[task.holding.kind] > 0);
    --show_of_task(state, task).slots[task.holding.kind];
  } else {
    state.capacity.remove_queued(task.holding.queued_in);
    task.holding.queued_in = kNoId;
  }
}

// Lists a task with its worker and counts its slot: the oldest attempts of a kind have the slots.
void list(State& state, Worker& worker, const Task& task) {
  std::vector<TaskId>& leases = worker.leases[task.holding.kind];
  const std::uint32_t slots = worker.offer.resources.slots[task.holding.kind];
  auto place = leases.end();  // not the end where a snapshot's rows come in the order of the tasks
  while (place != leases.begin() && state.task(*(place - 1)).lease().id > task.lease().id) --place;
  const bool has_slot = place - leases.begin() < static_cast<std::ptrdiff_t>(slots);
  if (has_slot && leases.size() >= slots) {
    uncount_slot(state, leases[slots - 1]);
    count_slot(state, leases[slots - 1], false);
  }
  count_slot(state, task.plan.id, has_slot);
  leases.insert(place, task.plan.id);
}

void add_memory(Worker& worker, const LeaseIndex& holding) {
  auto& held = worker.held_bytes[holding.kind];
  const std::uint64_t bytes = holding.host_bytes;
  held.insert(std::upper_bound(held.begin(), held.end(), bytes, std::greater<>()), bytes);
}

void remove_memory(Worker& worker, const LeaseIndex& holding) {
  auto& held = worker.held_bytes[holding.kind];
  const std::uint64_t bytes = holding.host_bytes;
  const auto found = std::lower_bound(held.begin(), held.end(), bytes, std::greater<>());
  assert(found != held.end() && *found == bytes);
  held.erase(found);
}

// Lists a task with its worker, in a slot of the kind that it takes there, and counts its memory.
void hold(State& state, Worker& worker, Task& task) {
  const policy::Footprint takes = footprint_of(state, worker, task);
  task.holding.kind = takes.kind;
  task.holding.host_bytes = takes.host_bytes;
  list(state, worker, task);
  add_memory(worker, task.holding);
}

// In the sums of the farm and of its class.
void count_offer(State& state, Worker& worker, const SlotCounts& slots) {
  state.capacity.count_slots(worker.worker_class, worker.counted_slots, slots);
  worker.counted_slots = slots;
}

void count_model(State& state, Worker& worker) {
  worker.counted_loaded = worker.model_given != Digest{} && takes_work(worker);
  const SlotKind kind = policy::tensor_kind(worker.offer);
  worker.counted_idle = worker.counted_loaded && has_free_slot(worker, kind);
  if (!worker.counted_loaded) return;
  state.loads.count_worker(worker.model_given, worker.worker_class, worker.offer.resources.slots[kind],
                           worker.counted_idle, 1);
}

void uncount_model(State& state, Worker& worker) {
  if (!worker.counted_loaded) return;
  const std::uint32_t slots = worker.offer.resources.slots[policy::tensor_kind(worker.offer)];
  state.loads.count_worker(worker.model_given, worker.worker_class, slots, worker.counted_idle, -1);
  worker.counted_loaded = worker.counted_idle = false;
}

void count_held(State& state, const Task& task, double seconds) {
  if (computes_tensors(task.plan)) state.loads.count_held(state.shots[task.shot].pool, seconds);
}

void set_worker_class(State& state, Worker& worker) {
  if (worker.worker_class != kNoId) count_offer(state, worker, {});
  const auto [worker_class, is_new] = state.capacity.class_of(worker.offer);
  worker.worker_class = worker_class;
  if (!is_new) return;
  const auto& classes = worker.offer.numeric_classes;
  if (!classes.empty()) state.capacity.set_numeric_class(worker_class, state.loads.class_of(classes.front()));
  state.queue.add_worker_class(worker.offer);
}

}  // namespace

void take_lease(State& state, Task& task, const Lease& lease, std::int64_t expires_ms) {
  assert(is_held(task.state));
  task.last_lease = lease;
  task.holding.expires_ms = expires_ms;
  Worker& worker = state.workers[lease.worker];
  hold(state, worker, task);
  if (computes_tensors(task.plan)) {
    uncount_model(state, worker);
    worker.model_given = state.shots[task.shot].spec.recipe.model_digest;
  }
  count_lease(state, task, 1);
  if (task.missing > 0) state.capacity.add_speculative(task.plan.id);
  state.clock.add_lease(task.plan.id, expires_ms);
  state.next_lease = std::max(state.next_lease, lease.id + 1);
  refresh_worker(state, lease.worker);
}

void renew_lease(State& state, Task& task, std::int64_t expires_ms) {
  state.clock.remove_lease(task.plan.id, task.holding.expires_ms);
  task.holding.expires_ms = expires_ms;
  state.clock.add_lease(task.plan.id, expires_ms);
}

void drop_lease(State& state, Task& task) {
  const WorkerId id = task.lease().worker;
  Worker& worker = state.workers[id];
  std::vector<TaskId>& leases = worker.leases[task.holding.kind];
  const std::uint32_t slots = worker.offer.resources.slots[task.holding.kind];
  const auto mine = std::find(leases.begin(), leases.end(), task.plan.id);
  assert(mine != leases.end());
  uncount_slot(state, task.plan.id);
  if (mine - leases.begin() < static_cast<std::ptrdiff_t>(slots) && leases.size() > slots) {
    uncount_slot(state, leases[slots]);
    count_slot(state, leases[slots], true);
  }
  leases.erase(mine);
  remove_memory(worker, task.holding);
  count_lease(state, task, -1);
  count_held(state, task, -task.holding.charge.seconds);
  state.capacity.remove_speculative(task.plan.id);
  state.clock.remove_lease(task.plan.id, task.holding.expires_ms);
  task.last_lease = {};
  task.holding = {};
  task.progress = {};
  refresh_worker(state, id);
}

void set_offer(State& state, Worker& worker, const WorkerFacts& facts) {
  uncount_model(state, worker);
  std::vector<TaskId> held = all_leases(worker);
  for (const TaskId id : held) uncount_slot(state, id);
  static_cast<WorkerFacts&>(worker) = facts;
  if (mutated(Mutation::kCountSlotTwice))
    for (std::uint32_t& slots : worker.offer.resources.slots.values) slots *= 2;
  // An attempt may take another kind of slot than before.
  worker.leases = {};
  worker.held_bytes = {};
  for (const TaskId id : held) hold(state, worker, state.tasks[id]);
  set_worker_class(state, worker);
}

void refresh_worker(State& state, WorkerId id) {
  Worker& worker = state.workers[id];
  state.dispatch_due = true;  // also when it takes nothing more: what it would have taken is for others now
  SlotCounts held;
  for (const SlotKind kind : kEverySlotKind)
    held[kind] = static_cast<std::uint32_t>(worker.leases[kind].size());
  state.capacity.refresh(id, takes_work(worker), held, worker.offer);
  uncount_model(state, worker);
  count_model(state, worker);
  count_offer(state, worker, worker.connected ? worker.offer.resources.slots : SlotCounts{});
}

void charge_lease(State& state, Task& task, const Charge& charge) {
  const FlowId flow = state.shots[task.shot].flow;
  Show& show = state.shows[state.queue.flows()[flow].show];
  if (charge.in_turn) state.queue.move_clock(show.pass);
  show.clock = std::max(show.clock, state.queue.flows()[flow].pass);
  show.pass += charge.seconds * charge.show_rate;
  state.queue.charge(flow, charge.seconds * charge.flow_rate);
  task.holding.flow = flow;
  task.holding.charge = charge;
  count_held(state, task, charge.seconds);
}

void settle_charge(State& state, const Task& task, double seconds) {
  const FlowId flow = task.holding.flow;
  if (flow == kNoId) return;  // leased before this scheduler started
  const Charge& charged = task.holding.charge;
  const double more = seconds - charged.seconds;
  state.shows[state.queue.flows()[flow].show].pass += more * charged.show_rate;
  state.queue.charge(flow, more * charged.flow_rate);
}

}  // namespace rushes::scheduler
