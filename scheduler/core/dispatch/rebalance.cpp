#include "scheduler/core/dispatch/rebalance.h"

#include <algorithm>

#include "scheduler/core/decide/moves.h"
#include "scheduler/core/dispatch/placement.h"
#include "scheduler/core/policy/prefetch.h"
#include "scheduler/core/state/estimates.h"

namespace rushes::scheduler {
namespace {

// Whether none of the worker's running attempts is about to end.
bool waits_long(const Decision& decision, const Worker& worker) {
  const State& state = decision.state();
  constexpr std::int64_t kSoonMs = 2'000;  // a revoke and a new assignment take as long
  return std::none_of(worker.leases.begin(), worker.leases.end(), [&](TaskId id) {
    const Task& task = state.task(id);
    if (task.state != TaskState::kRunning) return false;
    const double seconds = expected(state, task).seconds;
    const std::int64_t end = task.holding.started_ms + static_cast<std::int64_t>(seconds * 1000);
    return end > decision.now().boot_ms &&
           end < decision.now().boot_ms + kSoonMs;  // one that is late may take any time
  });
}

// Attempts that wait behind running ones are taken back for workers that have nothing to do.
void steal_queued(Decision& decision) {
  const State& state = decision.state();
  std::vector<bool> useful(state.capacity.classes().size());  // worker classes that fit some of it
  for (const auto& [bucket, count] : state.capacity.queued())
    for (std::size_t worker_class = 0; worker_class < useful.size(); ++worker_class)
      useful[worker_class] = useful[worker_class] || state.queue.buckets()[bucket].fits[worker_class];
  std::vector<WorkerId> idle;  // once per free slot
  for (const WorkerId id : state.capacity.idle()) {
    const Worker& worker = state.workers[id];
    if (!useful[worker.worker_class.number()]) continue;
    for (std::size_t i = worker.leases.size(); i < worker.offer.slots; ++i) idle.push_back(id);
  }
  if (idle.empty()) return;
  const std::vector<WorkerId> stacked(state.capacity.with_queue().begin(), state.capacity.with_queue().end());
  for (const WorkerId id : stacked) {
    const std::vector<TaskId> leases = state.workers[id].leases;
    std::size_t to_move = leases.size() - state.workers[id].offer.slots;
    for (auto task_id = leases.rbegin(); task_id != leases.rend() && to_move > 0 && !idle.empty();
         ++task_id) {
      const Task& task = state.task(*task_id);
      if (task.state != TaskState::kLeased || task.holding.queued_in == kNoId) continue;
      --to_move;
      if (task.lease().revoking) {  // on its way to one of them
        idle.pop_back();
        continue;
      }
      const Bucket& bucket = state.queue.buckets()[task.holding.queued_in];
      const auto taker = std::find_if(idle.begin(), idle.end(), [&](WorkerId other) {
        const Worker& worker = state.workers[other];
        return bucket.takes(worker.worker_class) && hold_of(state, worker, bucket) == Hold::kNone &&
               !is_avoided(state, task, worker) && reservation_of(state, other) == nullptr;
      });
      if (taker == idle.end() || !waits_long(decision, state.workers[id])) continue;
      idle.erase(taker);
      revoke(decision, task, TaskState::kReady, RevokeCause::kQueued, "an idle worker takes it");
    }
  }
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
        !policy::gives_way(elapsed_seconds(task, decision.now().boot_ms), expected(state, task)))
      continue;
    const bool useful = std::any_of(state.shows.begin(), state.shows.end(), [&](const Show& show) {
      return std::any_of(show.flows.begin(), show.flows.end(), [&](FlowId flow) {
        const auto& buckets = state.queue.flows()[flow].buckets;
        return std::any_of(buckets.begin(), buckets.end(), [&](BucketId index) {
          const Hold hold = hold_of(state, worker, state.queue.buckets()[index]);
          return hold == Hold::kNone || hold == Hold::kBusyMemory;
        });
      });
    });
    if (!useful) continue;
    --wanted;
    revoke(decision, task, TaskState::kReady, RevokeCause::kSpeculative,
           "it ran ahead of its checkpoint, and other work is wanted now");
  }
}

}  // namespace

void rebalance(Decision& decision) {
  const State& state = decision.state();
  if (!state.capacity.queued().empty() && !state.capacity.idle().empty()) steal_queued(decision);
  if (!state.capacity.speculative().empty() && state.queue.ready() > 0) preempt_speculative(decision);
}

}  // namespace rushes::scheduler
