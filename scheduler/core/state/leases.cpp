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
    state.queue.count_slot(flow, 1);
    ++show_of_task(state, task).slots;
  } else {
    task.holding.queued_in = bucket_of(state, flow, needs_of(state, task));
    state.capacity.add_queued(task.holding.queued_in);
  }
}

void uncount_slot(State& state, TaskId id) {
  Task& task = state.tasks[id];
  if (task.holding.queued_in == kNoId) {
    state.queue.count_slot(task.holding.slot_of, -1);
    assert(show_of_task(state, task).slots > 0);
    --show_of_task(state, task).slots;
  } else {
    state.capacity.remove_queued(task.holding.queued_in);
    task.holding.queued_in = kNoId;
  }
}

void add_memory(Worker& worker, std::uint64_t bytes) {
  auto& held = worker.held_memory;
  held.insert(std::upper_bound(held.begin(), held.end(), bytes, std::greater<>()), bytes);
}

void remove_memory(Worker& worker, std::uint64_t bytes) {
  auto& held = worker.held_memory;
  const auto found = std::lower_bound(held.begin(), held.end(), bytes, std::greater<>());
  assert(found != held.end() && *found == bytes);
  held.erase(found);
}

// In the sums of the farm and of its class.
void count_offer(State& state, Worker& worker, std::uint32_t slots) {
  state.capacity.count_slots(worker.worker_class, worker.counted_slots, slots);
  worker.counted_slots = slots;
}

void count_model(State& state, Worker& worker) {
  worker.counted_loaded = worker.model_given != Digest{} && takes_work(worker);
  worker.counted_idle = worker.counted_loaded && has_free_slot(worker);
  if (!worker.counted_loaded) return;
  state.loads.count_worker(worker.model_given, worker.worker_class, worker.offer.slots, worker.counted_idle,
                           1);
}

void uncount_model(State& state, Worker& worker) {
  if (!worker.counted_loaded) return;
  state.loads.count_worker(worker.model_given, worker.worker_class, worker.offer.slots, worker.counted_idle,
                           -1);
  worker.counted_loaded = worker.counted_idle = false;
}

void count_held(State& state, const Task& task, double seconds) {
  if (needs_model(task.plan)) state.loads.count_held(state.shots[task.shot].pool, seconds);
}

void set_worker_class(State& state, Worker& worker) {
  if (worker.worker_class != kNoId) count_offer(state, worker, 0);
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
  const std::uint32_t slots = worker.offer.slots;
  auto place = worker.leases.end();  // not the end where a snapshot's rows come in the order of the tasks
  while (place != worker.leases.begin() && state.task(*(place - 1)).lease().id > lease.id) --place;
  const bool has_slot = place - worker.leases.begin() < static_cast<std::ptrdiff_t>(slots);
  if (has_slot && worker.leases.size() >= slots) {
    uncount_slot(state, worker.leases[slots - 1]);
    count_slot(state, worker.leases[slots - 1], false);
  }
  count_slot(state, task.plan.id, has_slot);
  worker.leases.insert(place, task.plan.id);
  add_memory(worker, task.plan.memory_bytes);
  if (needs_model(task.plan)) {
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
  const std::uint32_t slots = worker.offer.slots;
  const auto mine = std::find(worker.leases.begin(), worker.leases.end(), task.plan.id);
  assert(mine != worker.leases.end());
  uncount_slot(state, task.plan.id);
  if (mine - worker.leases.begin() < static_cast<std::ptrdiff_t>(slots) && worker.leases.size() > slots) {
    uncount_slot(state, worker.leases[slots]);
    count_slot(state, worker.leases[slots], true);
  }
  worker.leases.erase(mine);
  remove_memory(worker, task.plan.memory_bytes);
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
  for (const TaskId id : worker.leases) uncount_slot(state, id);
  static_cast<WorkerFacts&>(worker) = facts;
  if (mutated(Mutation::kCountSlotTwice)) worker.offer.slots *= 2;
  for (std::size_t i = 0; i < worker.leases.size(); ++i)
    count_slot(state, worker.leases[i], i < worker.offer.slots);
  set_worker_class(state, worker);
}

void refresh_worker(State& state, WorkerId id) {
  Worker& worker = state.workers[id];
  state.dispatch_due = true;  // also when it takes nothing more: what it would have taken is for others now
  state.capacity.refresh(id, takes_work(worker), worker.leases.size(), worker.offer);
  uncount_model(state, worker);
  count_model(state, worker);
  count_offer(state, worker, worker.connected ? worker.offer.slots : 0);
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
