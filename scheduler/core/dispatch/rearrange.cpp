// decide(): what was placed is placed better. Reservations for wide tasks; what waits on a busy worker goes
// to an idle one; what runs ahead gives way; stragglers begin again elsewhere; deadlines are looked at.
//
// Nothing here frees a task: a lease that is called off lasts until the worker has confirmed the stop, or
// until it runs out.
#include <algorithm>

#include "scheduler/core/decider.h"
#include "scheduler/core/dispatch/placement.h"
#include "scheduler/core/policy/deadline.h"
#include "scheduler/core/policy/prefetch.h"
#include "scheduler/core/policy/straggler.h"
#include "scheduler/core/state/estimates.h"
#include "scheduler/core/state/index.h"

namespace rushes::scheduler {

// ---- reservations

void Decider::end_reservations() {
  const std::vector<Reservation> kept = state_.reservations;
  for (const Reservation& reservation : kept) {
    const Task& task = state_.task(reservation.task);
    const Worker& worker = state_.workers[reservation.worker];
    const bool holds = task.bucket != kNoIndex && policy::takes_work(worker) &&
                       policy::fit(worker, needs_of(state_, task)) == policy::Fit::kFits;
    if (!holds) emit(record::ReservationOver{reservation.task});
  }
}

// A worker is kept free for a task that no worker with a free slot has the memory for now: the one where it
// can start earliest. False: it has one already, or there are enough.
bool Decider::reserve(const Pick& blocked) {
  const auto is_its = [&](const Reservation& r) { return r.task == blocked.task; };
  if (std::any_of(state_.reservations.begin(), state_.reservations.end(), is_its)) return false;
  if (!policy::may_reserve(state_.reservations.size(), state_.workers.size())) return false;
  const Task& task = state_.task(blocked.task);
  const Needs needs = needs_of(state_, task);
  Reservation best{blocked.task, kNoIndex, 0};
  for (WorkerId id = 0; id < state_.workers.size(); ++id) {
    const Worker& worker = state_.workers[id];
    if (!policy::takes_work(worker) || policy::fit(worker, needs) != policy::Fit::kFits) continue;
    if (reservation_of(state_, id) != nullptr || is_avoided(state_, task, worker)) continue;
    if (has_free_slot(worker) && policy::has_memory(worker, needs.memory_bytes))
      return false;  // its turn comes
    const auto start = policy::earliest_start(room_of(worker), occupants(state_, worker, now_.boot_ms),
                                              needs.memory_bytes, now_.boot_ms);
    if (start && (best.worker == kNoIndex || *start < best.start_ms)) {
      best.worker = id;
      best.start_ms = *start;
    }
  }
  if (best.worker == kNoIndex) return false;
  emit(record::Reserved{best});
  return true;
}

// ---- what gives way

void Decider::rearrange() {
  if (!state_.behind.empty() && !state_.idle.empty()) unstack();
  if (!state_.running_ahead.empty() && state_.ready > 0) give_way();
}

// Attempts that wait behind running ones are taken back for workers that have nothing to do.
void Decider::unstack() {
  std::vector<bool> useful(state_.kinds.size());  // kinds of workers that fit some of it
  for (const auto& [bucket, count] : state_.behind)
    for (std::size_t kind = 0; kind < useful.size(); ++kind)
      useful[kind] = useful[kind] || state_.buckets[bucket].fits[kind];
  std::vector<WorkerId> idle;  // once per free slot
  for (const WorkerId id : state_.idle) {
    const Worker& worker = state_.workers[id];
    if (!useful[worker.kind]) continue;
    for (std::size_t i = worker.leases.size(); i < worker.slots; ++i) idle.push_back(id);
  }
  if (idle.empty()) return;
  const std::vector<WorkerId> stacked(state_.stacked.begin(), state_.stacked.end());
  for (const WorkerId id : stacked) {
    const std::vector<TaskId> leases = state_.workers[id].leases;
    std::size_t to_move = leases.size() - state_.workers[id].slots;
    for (auto task_id = leases.rbegin(); task_id != leases.rend() && to_move > 0 && !idle.empty();
         ++task_id) {
      const Task& task = state_.task(*task_id);
      if (task.state != TaskState::kLeased || task.lease.behind == kNoIndex) continue;
      --to_move;
      if (task.lease.revoking) {  // on its way to one of them
        idle.pop_back();
        continue;
      }
      const Bucket& bucket = state_.buckets[task.lease.behind];
      const auto taker = std::find_if(idle.begin(), idle.end(), [&](WorkerId other) {
        const Worker& worker = state_.workers[other];
        return bucket.fits[worker.kind] && hold_of(state_, worker, bucket) == Hold::kNone &&
               !is_avoided(state_, task, worker) && reservation_of(state_, other) == nullptr;
      });
      if (taker == idle.end() || !waits_long(state_.workers[id])) continue;
      idle.erase(taker);
      revoke(task, TaskState::kReady, "an idle worker takes it");
    }
  }
}

// Whether none of the worker's running attempts is about to end.
bool Decider::waits_long(const Worker& worker) const {
  constexpr std::int64_t kSoonMs = 2'000;  // a revoke and a new assignment take as long
  return std::none_of(worker.leases.begin(), worker.leases.end(), [&](TaskId id) {
    const Task& task = state_.task(id);
    if (task.state != TaskState::kRunning) return false;
    const double seconds = expected(state_, task).seconds;
    const std::int64_t end = task.lease.started_ms + static_cast<std::int64_t>(seconds * 1000);
    return end > now_.boot_ms && end < now_.boot_ms + kSoonMs;  // one that is late may take any time
  });
}

double Decider::elapsed_seconds(const Task& task) const {
  if (task.state != TaskState::kRunning || task.lease.started_ms == 0) return 0;
  return std::max(0.0, static_cast<double>(now_.boot_ms - task.lease.started_ms) / 1000);
}

// What runs ahead of a verdict ends for what is wanted now.
void Decider::give_way() {
  std::uint64_t wanted = state_.ready;
  const std::vector<TaskId> ahead(state_.running_ahead.begin(), state_.running_ahead.end());
  for (const TaskId id : ahead) {
    const Task& task = state_.task(id);
    const Worker& worker = state_.workers[task.lease.worker];
    if (wanted == 0) return;
    if (task.lease.revoking) {
      if (task.lease.then == TaskState::kReady) --wanted;
      continue;
    }
    if (!policy::takes_work(worker) || !policy::gives_way(elapsed_seconds(task), expected(state_, task)))
      continue;
    const bool useful = std::any_of(state_.shows.begin(), state_.shows.end(), [&](const Show& show) {
      return std::any_of(show.flows.begin(), show.flows.end(), [&](FlowId flow) {
        const auto& buckets = state_.flows[flow].buckets;
        return std::any_of(buckets.begin(), buckets.end(), [&](std::uint32_t index) {
          const Hold hold = hold_of(state_, worker, state_.buckets[index]);
          return hold == Hold::kNone || hold == Hold::kBusyMemory;
        });
      });
    });
    if (!useful) continue;
    --wanted;
    revoke(task, TaskState::kReady, "it ran ahead of its checkpoint, and other work is wanted now");
  }
}

// ---- once a tick

void Decider::relieve_stragglers() {
  if (state_.ready > 0) return;
  std::vector<WorkerId> idle(state_.idle.begin(), state_.idle.end());
  if (idle.empty()) return;
  std::vector<TaskId> held;
  for (const auto& [expires, id] : state_.expiries) held.push_back(id);
  std::sort(held.begin(), held.end());
  for (const TaskId id : held) {
    const Task& task = state_.task(id);
    if (task.state != TaskState::kRunning || task.lease.revoking || task.slow_on != kNoIndex) continue;
    const policy::Expected time = expected(state_, task);
    const double elapsed = elapsed_seconds(task);
    if (!policy::straggles(elapsed, time, settings_.scheduling)) continue;
    if (!policy::ends_sooner_elsewhere(elapsed, static_cast<double>(task.progress.fraction), time)) continue;
    const Needs needs = needs_of(state_, task);
    const auto taker = std::find_if(idle.begin(), idle.end(), [&](WorkerId other) {
      return other != task.lease.worker && policy::fit(state_.workers[other], needs) == policy::Fit::kFits &&
             policy::has_memory(state_.workers[other], needs.memory_bytes);
    });
    if (taker == idle.end()) continue;
    idle.erase(taker);
    revoke(task, TaskState::kReady,
           "it is slow here: " + std::to_string(static_cast<long>(elapsed)) + " s, expected " +
               std::to_string(static_cast<long>(time.seconds)) + " s",
           true);
  }
}

// Deadlines are times of the wall clock by their nature; nothing else is decided by it.
void Decider::look_at_deadlines() {
  std::vector<double> work(state_.shows.size());  // of each show's shots that are due no later
  const auto& open = state_.with_deadline;
  for (auto next = open.begin(); next != open.end();) {
    const auto after = open.upper_bound({next->first, kNoIndex});
    for (auto same = next; same != after; ++same) {
      const Shot& shot = state_.shots[same->second];
      work[shot.show] += shot.left_seconds;
    }
    for (; next != after; ++next) {
      const Shot& shot = state_.shots[next->second];
      if (shot.look_at_ms <= now_.boot_ms) look_at_deadline(next->second, work[shot.show]);
    }
  }
}

void Decider::look_at_deadline(ShotId id, double work_seconds) {
  const Shot& shot = state_.shots[id];
  double path = 0;
  for (const TaskId task : shot.tasks) {
    if (!is_final(state_.task(task).state))
      path = std::max(path, static_cast<double>(state_.task(task).path));
  }
  const double slots = state_.slots * share_of(state_, state_.shows[shot.show]);
  const double left = policy::seconds_left(path, work_seconds, slots);
  const double slack = policy::slack_seconds(shot.spec.deadline_wall_ms, now_.wall_ms, left);
  // The slack cannot run out before it has passed, unless estimates or the queue change: look again well
  // before.
  const auto pause_ms = static_cast<std::int64_t>(std::clamp(slack / 8, 1.0, 30.0) * 1000);
  emit(record::DeadlineSeen{id, shot.urgent || policy::at_risk(slack, left),
                            static_cast<std::int64_t>(slack * 1000), now_.boot_ms + pause_ms});
}

}  // namespace rushes::scheduler
