// Events of people who look after the hosts: they drain workers, let them work again, forget them.
#include "scheduler/core/decide/events.h"
#include "scheduler/core/decide/moves.h"

namespace rushes::scheduler {
namespace {

// null: there is none in the list, and the request is answered.
const Worker* worker_or_refuse(Decision& decision, RequestId request, const std::string& name) {
  const Worker* worker = decision.state().find_worker(name);
  if (worker != nullptr && !worker->forgotten) return worker;
  decision.refuse(request, ErrorKind::kNotFound, "no worker " + name + " on this farm");
  return nullptr;
}

std::string count(std::size_t tasks) { return std::to_string(tasks) + (tasks == 1 ? " task" : " tasks"); }

}  // namespace

void on(Decision& decision, const event::DrainWorker& e) {
  const State& state = decision.state();
  const Worker* worker = worker_or_refuse(decision, e.request, e.worker);
  if (worker == nullptr) return;
  if (!worker->draining)
    decision.emit(record::WorkerDraining{state.workers.id_of(*worker), true, e.by, decision.now().wall_ms});
  std::size_t finishes = 0;
  for (const TaskId id : all_leases(*worker)) {
    const Task& task = state.task(id);
    const bool waits = task.state == TaskState::kLeased && task.holding.queued_in != kNoId;
    if (!waits) ++finishes;
    if (waits && !task.lease().revoking)
      revoke(decision, task, TaskState::kReady, RevokeCause::kQueued, "its worker is drained");
  }
  decision.reply(e.request, "worker " + e.worker + " finishes " + count(finishes) +
                                " and gets nothing new until it is undrained (rushes undrain " + e.worker +
                                ")");
}

void on(Decision& decision, const event::UndrainWorker& e) {
  const State& state = decision.state();
  const Worker* worker = worker_or_refuse(decision, e.request, e.worker);
  if (worker == nullptr) return;
  if (!worker->draining)
    return decision.reply(e.request, "worker " + e.worker + " was not drained; nothing is changed");
  decision.emit(record::WorkerDraining{state.workers.id_of(*worker), false, e.by, decision.now().wall_ms});
  const char* then = worker->leaving     ? " may get tasks again, and is about to stop"
                     : worker->connected ? " gets tasks again"
                                         : " gets tasks again once it is started";
  decision.reply(e.request, "worker " + e.worker + then);
}

void on(Decision& decision, const event::ForgetWorker& e) {
  const State& state = decision.state();
  const Worker* worker = worker_or_refuse(decision, e.request, e.worker);
  if (worker == nullptr) return;
  if (worker->connected)
    return decision.refuse(e.request, ErrorKind::kConflict,
                           "worker " + e.worker +
                               " lives, and only one that is stopped or lost can be forgotten; stop it first "
                               "(SIGTERM lets it finish), or drain it (rushes drain " +
                               e.worker + ")");
  if (const std::size_t held = held_by(*worker); held > 0)
    return decision.refuse(e.request, ErrorKind::kConflict,
                           "worker " + e.worker + " holds " + count(held) +
                               " until the leases run out; forget it in " +
                               std::to_string(decision.settings().times.lease.count() / 1000 + 1) + " s");
  decision.emit(record::WorkerForgotten{state.workers.id_of(*worker), e.by, decision.now().wall_ms});
  decision.reply(e.request, "worker " + e.worker + " is forgotten; it is there again when it is started");
}

}  // namespace rushes::scheduler
