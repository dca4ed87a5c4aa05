// Events of the clock: a restart, and the tick.
#include <algorithm>

#include "config/mutation.h"
#include "scheduler/core/decide/attempts.h"
#include "scheduler/core/decide/events.h"

namespace rushes::scheduler {
namespace {

// While the scheduler did not run (stopped, suspended, starved of CPU) the workers' heartbeats waited in its
// sockets: the workers were not silent. So between two ticks no more time than a heartbeat counts against a
// lease. A worker that beats in time keeps its leases through any pause; a dead one loses them even on a farm
// that is always late.
void forgive_pause(Decision& decision) {
  const State& state = decision.state();
  constexpr std::int64_t kLate = 500;  // twice the loop's tick
  const std::int64_t counted = std::max(decision.settings().times.heartbeat.count(), kLate);
  const std::int64_t gap =
      state.clock.ticked_ms() == 0 ? 0 : decision.now().boot_ms - state.clock.ticked_ms();
  const bool forgiven = !mutated(Mutation::kCountPauses);
  decision.emit(record::Ticked{
      decision.now().boot_ms, forgiven ? std::max<std::int64_t>(0, gap - counted) : 0, decision.lease_end()});
}

// A few shots a tick, so that no tick is long; a large farm is round in some minutes.
void refresh_estimates(Decision& decision) {
  constexpr std::size_t kShots = 16, kLooked = 4096;
  const State& state = decision.state();
  record::EstimatesSeen seen;
  seen.next = state.work.next_to_refresh();
  for (std::size_t i = 0; i < std::min(kLooked, state.shots.size()) && seen.shots.size() < kShots; ++i) {
    if (!state.shots.has(seen.next)) seen.next = ShotId(0);
    const ShotId id = seen.next++;
    if (state.shots[id].left_seconds > 0) seen.shots.push_back(id);
  }
  decision.emit(std::move(seen));
}

}  // namespace

void on(Decision& decision, const event::Recover&) {
  const State& state = decision.state();
  learn_settings(decision);
  decision.emit(record::Recovered{state.epoch + 1, decision.lease_end(), decision.now().wall_ms});
  forgive_pause(decision);
}

void on(Decision& decision, const event::Tick&) {
  const State& state = decision.state();
  forgive_pause(decision);
  for (WorkerId id(0); state.workers.has(id);
       ++id) {  // a worker that was silent for a lease gets no new tasks
    const Worker& worker = state.workers[id];
    if (worker.connected &&
        decision.now().boot_ms - worker.seen_ms >= decision.settings().times.lease.count()) {
      if (worker.leaving && held_by(worker) == 0) {  // its Bye was lost
        decision.emit(record::WorkerStopped{id, worker.seen_wall_ms});
        continue;
      }
      decision.emit(record::WorkerSeen{id, false, worker.seen_ms, worker.seen_wall_ms});
      decision.emit(record::WorkerNoted{id, decision.now().wall_ms,
                                        "it is lost: silent for a lease of " +
                                            std::to_string(decision.settings().times.lease.count() / 1000) +
                                            " s"});
    }
  }
  while (!state.clock.expiries().empty() && state.clock.expiries().begin()->first <= decision.now().boot_ms &&
         !mutated(Mutation::kLeaseNeverExpires)) {
    const Task& task = state.task(state.clock.expiries().begin()->second);
    const Worker& worker = state.workers[task.lease().worker];
    const std::string name = worker.name;
    decision.emit(record::Counted{&Counters::lease_expiries});
    end_attempt(decision, task, AttemptEnd::kExpired, "worker " + name + " was silent");
  }
  while (!state.clock.retries().empty() && state.clock.retries().begin()->first <= decision.now().boot_ms &&
         !mutated(Mutation::kBackOffForever)) {
    decision.emit(record::RetryDue{state.clock.retries().begin()->second});
  }
  for (WorkerId id(0); state.workers.has(id); ++id) {
    const std::int64_t until = state.workers[id].quarantined_until_ms;
    if (until > 0 && until <= decision.now().boot_ms) decision.emit(record::QuarantineOver{id});
  }
  if (state.work.left_seconds() > 0) refresh_estimates(decision);
  collect_if_due(decision);
}

}  // namespace rushes::scheduler
