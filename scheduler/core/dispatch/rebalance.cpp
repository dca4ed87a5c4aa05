#include "scheduler/core/dispatch/rebalance.h"

#include <algorithm>

#include "scheduler/core/decide/moves.h"
#include "scheduler/core/dispatch/placement.h"
#include "scheduler/core/policy/prefetch.h"
#include "scheduler/core/state/estimates.h"

namespace rushes::scheduler {
namespace {

// Whether none of the attempts that a worker runs in slots of this kind is about to end.
bool waits_long(const Decision& decision, const Worker& worker, SlotKind kind) {
  const State& state = decision.state();
  constexpr std::int64_t kSoonMs = 2'000;  // a revoke and a new assignment take as long
  const std::vector<TaskId>& leases = worker.leases[kind];
  return std::none_of(leases.begin(), leases.end(), [&](TaskId id) {
    const Task& task = state.task(id);
    if (task.state != TaskState::kRunning) return false;
    const double seconds = expected(state, task).seconds;
    const std::int64_t end = task.holding.started_ms + static_cast<std::int64_t>(seconds * 1000);
    return end > decision.now().boot_ms &&
           end < decision.now().boot_ms + kSoonMs;  // one that is late may take any time
  });
}

// Workers with a free slot of this kind, once for each, that fit some of what waits behind running attempts.
std::vector<WorkerId> idle_for_queued(const State& state, SlotKind kind) {
  if (state.capacity.idle(kind).empty()) return {};
  std::vector<bool> useful(state.capacity.classes().size());
  for (const auto& [scheduling_class, count] : state.capacity.queued())
    for (std::uint32_t each = 0; each < useful.size(); ++each)
      useful[each] =
          useful[each] || state.queue.scheduling_classes()[scheduling_class].fits(WorkerClassId(each), kind);
  std::vector<WorkerId> idle;
  for (const WorkerId id : state.capacity.idle(kind)) {
    const Worker& worker = state.workers[id];
    if (!useful[worker.worker_class.number()]) continue;
    for (std::size_t i = worker.leases[kind].size(); i < worker.offer.resources.slots[kind]; ++i)
      idle.push_back(id);
  }
  return idle;
}

// Attempts that wait behind those that a worker runs in slots of the kind `from` are taken back for free slots of the
// kind `to`.
void steal_queued(Decision& decision, WorkerId id, SlotKind from, SlotKind to, std::vector<WorkerId>& idle) {
  const State& state = decision.state();
  const std::vector<TaskId> leases = state.workers[id].leases[from];
  std::size_t to_move = leases.size() - state.workers[id].offer.resources.slots[from];
  for (auto task_id = leases.rbegin(); task_id != leases.rend() && to_move > 0 && !idle.empty(); ++task_id) {
    const Task& task = state.task(*task_id);
    if (task.state != TaskState::kLeased || task.holding.queued_in == kNoId) continue;
    --to_move;
    if (task.lease().revoking) {  // on its way to one of them
      if (from == to) idle.pop_back();
      continue;
    }
    const SchedulingClass& scheduling_class = state.queue.scheduling_classes()[task.holding.queued_in];
    const auto taker = std::find_if(idle.begin(), idle.end(), [&](WorkerId other) {
      const Worker& worker = state.workers[other];
      return scheduling_class.fits(worker.worker_class, to) &&
             blocker_of(state, worker, scheduling_class) == Blocker::kNone &&
             !is_avoided(state, task, worker) && reservation_of(state, other) == nullptr;
    });
    if (taker == idle.end() || !waits_long(decision, state.workers[id], from)) continue;
    idle.erase(taker);
    revoke(decision, task, TaskState::kReady, RevokeCause::kQueued, "an idle worker takes it");
  }
}

void steal_queued(Decision& decision, SlotKind to) {
  const Capacity& capacity = decision.state().capacity;
  std::vector<WorkerId> idle = idle_for_queued(decision.state(), to);
  for (const SlotKind from : kEverySlotKind) {
    if (idle.empty()) return;
    const std::set<WorkerId> stacked = capacity.with_queue(from);
    for (const WorkerId id : stacked) steal_queued(decision, id, from, to, idle);
  }
}

// Whether a scheduling class has a task that would go to this worker if its slot of this kind were free.
bool waits_for(const State& state, const SchedulingClass& scheduling_class, const Worker& worker,
               SlotKind kind) {
  if (!scheduling_class.fits(worker.worker_class, kind)) return false;
  const Blocker blocker = blocker_of(state, worker, scheduling_class);
  if (blocker != Blocker::kNone && blocker != Blocker::kBusyMemory) return false;
  const ReadyKey& first = *scheduling_class.lanes.begin()->second.begin();
  return !is_avoided(state, state.task(first.task), worker);
}

bool waits_for(const State& state, const Worker& worker, SlotKind kind) {
  for (const Show& show : state.shows)
    for (const FlowId flow : show.flows)
      for (const SchedulingClassId scheduling_class : state.queue.flows()[flow].scheduling_classes)
        if (waits_for(state, state.queue.scheduling_classes()[scheduling_class], worker, kind)) return true;
  return false;
}

// Attempts that run ahead of a verdict end for tasks that are wanted now.
void preempt_speculative(Decision& decision) {
  const State& state = decision.state();
  std::uint64_t wanted = state.queue.ready();
  const std::vector<TaskId> ahead(state.capacity.speculative().begin(), state.capacity.speculative().end());
  for (const TaskId id : ahead) {
    const Task& task = state.task(id);
    const Worker& worker = state.workers[task.lease().worker];
    if (wanted == 0) return;
    if (task.lease().revoking) {
      if (task.lease().then == TaskState::kReady) --wanted;
      continue;
    }
    if (!takes_work(worker) ||
        !policy::gives_way(elapsed_seconds(task, decision.now().boot_ms), expected(state, task)) ||
        !waits_for(state, worker, task.holding.kind))
      continue;
    --wanted;
    revoke(decision, task, TaskState::kReady, RevokeCause::kSpeculative,
           "it ran ahead of its checkpoint, and other work is wanted now");
  }
}

}  // namespace

void rebalance(Decision& decision) {
  const State& state = decision.state();
  if (!state.capacity.queued().empty())
    for (const SlotKind kind : kEverySlotKind) steal_queued(decision, kind);
  if (!state.capacity.speculative().empty() && state.queue.ready() > 0) preempt_speculative(decision);
}

}  // namespace rushes::scheduler
