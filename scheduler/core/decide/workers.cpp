// Events of workers: they join, report, deliver results, leave.
#include <algorithm>

#include "config/mutation.h"
#include "config/worker_name.h"
#include "scheduler/core/decide/attempts.h"
#include "scheduler/core/decide/events.h"
#include "scheduler/core/decide/moves.h"
#include "scheduler/core/policy/straggler.h"
#include "scheduler/core/state/needs.h"
#include "scheduler/plan/compose.h"

namespace rushes::scheduler {
namespace {

std::string problem_of(const std::string& name, const WorkerOffer& offer, const Settings& settings,
                       std::size_t workers, bool known) {
  if (!config::is_worker_name(name)) return std::string("worker name: expected ") + config::kWorkerNameRule;
  const SlotCounts& slots = offer.resources.slots;
  if (total(slots) < 1 || slots[SlotKind::kCpu] > 64 || slots[SlotKind::kGpu] > 64)
    return "slots: expected 1 to 64, found " + std::to_string(slots[SlotKind::kCpu]) + " of the CPU and " +
           std::to_string(slots[SlotKind::kGpu]) + " of GPUs";
  if (offer.prefetch > 16) return "prefetch: expected 0 to 16, found " + std::to_string(offer.prefetch);
  if (offer.numeric_classes.empty()) return "numeric classes: expected at least one";
  // A class of GPUs may be left when the last GPU has failed.
  for (const std::string& numeric_class : offer.numeric_classes)
    if (slot_kind_of(numeric_class) == SlotKind::kCpu && slots[SlotKind::kCpu] == 0)
      return "numeric class " + numeric_class + ": the worker offers no cpu slot";
  if (!known && workers >= static_cast<std::size_t>(settings.limits.workers)) {
    return "the farm has " + std::to_string(workers) + " workers, its limit; raise limits.workers";
  }
  return {};
}

// What keeps a result from being what its stage has to make; empty: fine.
std::string problem_of(const TaskResult& result, const Task& task, const Shot& shot) {
  if (computes_tensors(task.plan) && !shot.numeric_class.empty() && !result.numeric_class.empty() &&
      result.numeric_class != shot.numeric_class) {
    return "computed in numeric class " + result.numeric_class + ", the shot is pinned to " +
           shot.numeric_class;
  }
  const Stage stage =
      task.plan.stage;  // what a critique found and where files went stands beside the outputs
  if (stage == Stage::kCritique || stage == Stage::kFinish || stage == Stage::kDeliver) return {};
  const Role needed = output_role(stage);
  const bool there = std::any_of(result.outputs.begin(), result.outputs.end(),
                                 [&](const Output& output) { return output.role == needed; });
  return there ? std::string() : std::string("the result has no output with the role ") + to_string(needed);
}

bool ends_the_task(const Task& task) {
  return task.lease().revoking && task.lease().then != TaskState::kReady;
}

constexpr const char* kOver = "the attempt is no longer the task's newest";

// The task that the worker holds under this very lease; null: the attempt is over.
const Task* current(const State& state, const AttemptId& ref, const Worker& worker) {
  if (!state.has_task(ref.task)) return nullptr;
  const Task& task = state.task(ref.task);
  if (!is_held(task.state)) return nullptr;
  const Lease& lease = task.lease();
  const bool same =
      task.attempt == ref.attempt && lease.id == ref.lease && lease.worker == state.workers.id_of(worker);
  return same || mutated(Mutation::kAcceptStaleAttempt) ? &task : nullptr;
}

// Whether the result of this very attempt was accepted.
bool accepted(const State& state, const AttemptId& ref) {
  if (!state.has_task(ref.task)) return false;
  const Task& task = state.task(ref.task);
  return task.state == TaskState::kSucceeded && task.accepted_attempt == ref.attempt &&
         task.accepted_lease == ref.lease;
}

void welcome(Decision& decision, const std::string& name, const protocol::Hello& hello, WorkerId id) {
  const State& state = decision.state();
  protocol::Welcome answer;
  answer.worker_id = id.number();
  answer.epoch = state.epoch;
  answer.first_lease = state.next_lease;
  answer.sequence = hello.sequence;
  answer.heartbeat_ms = static_cast<std::uint32_t>(decision.settings().times.heartbeat.count());
  answer.lease_ms = static_cast<std::uint32_t>(decision.settings().times.lease.count());
  for (const AttemptId& ref : hello.running) {
    const Task* task = current(state, ref, state.workers[id]);
    if (task != nullptr && !ends_the_task(*task)) {
      decision.emit(record::LeaseRenewed{ref.task, decision.lease_end()});
    } else if (!accepted(state, ref)) {  // an accepted result is only waiting for its acknowledgement
      answer.stop.push_back(ref);
    }
  }
  decision.send(name, std::move(answer));
  // Attempts missing from Hello.running died with the worker's engines, or their Assign crossed this Hello on
  // the way. Only the worker knows which: the task is free again when the worker reports Stopped.
  const std::vector<TaskId> held = all_leases(state.workers[id]);
  for (const TaskId task_id : held) {
    const Task& task = state.task(task_id);
    const bool named = std::any_of(hello.running.begin(), hello.running.end(), [&](const AttemptId& ref) {
      return ref.task == task_id && ref.lease == task.lease().id;
    });
    if (named) continue;
    const AttemptId ref{task_id, task.attempt, task.lease().id};
    if (task.lease().revoking)
      decision.send(name, protocol::Revoke{ref, task.lease().revoke_reason});  // resent
    else
      revoke(decision, task, TaskState::kReady, RevokeCause::kMissing, "the worker does not name it");
  }
}

// Whether another process has the worker's name: it lives, or what it may be running has a lease. A process that holds
// the lock of the one before has taken its place: that one has ended, and its engines with it. Older builds do not say
// who they are.
bool is_taken(const Worker& worker, const WorkerProcess& process) {
  if (mutated(Mutation::kWelcomeTwins) || process.id.empty() || worker.process.id.empty()) return false;
  if (process.id == worker.process.id || process.lock == worker.process.lock) return false;
  return worker.connected || held_by(worker) > 0;
}

void refuse_twin(Decision& decision, const Worker& worker, const WorkerProcess& twin) {
  const State& state = decision.state();
  const std::string first = to_string(worker.process), second = to_string(twin);
  decision.emit(record::Counted{&Counters::refused_twins});
  if (worker.refused_twin != twin.id) {  // a line for each, not for each time that it asks
    const WorkerId id = state.workers.id_of(worker);
    decision.emit(record::TwinRefused{id, twin.id});
    decision.emit(record::WorkerNoted{id, decision.now().wall_ms,
                                      "a second process of this name was refused: it runs on " + second +
                                          "; the one that has the name runs on " + first});
  }
  decision.send(worker.name, twin.id,
                protocol::NameTaken{"the name " + worker.name + " is taken by a process on " + first +
                                        "; this one runs on " + second +
                                        ". Give it a name of its own (--name), or stop the other one",
                                    static_cast<std::uint32_t>(decision.settings().times.lease.count())});
}

// Workers that are there or may come back by themselves.
std::size_t count_workers(const State& state) {
  return static_cast<std::size_t>(
      std::count_if(state.workers.begin(), state.workers.end(),
                    [](const Worker& worker) { return !worker.forgotten && worker.stopped_wall_ms == 0; }));
}

WorkerFacts joined(Decision& decision, const Worker* known, const protocol::Hello& hello) {
  WorkerFacts row = known != nullptr ? WorkerFacts(*known) : WorkerFacts{};
  if (known == nullptr) row.joined_wall_ms = decision.now().wall_ms;
  if (row.offer != hello.offer) {
    row.failed_tasks = 0;
    row.failed_shots.clear();
  }
  row.offer = hello.offer;
  row.process = hello.process;
  row.stopped_wall_ms = 0;
  row.forgotten = false;
  return row;
}

void receive(Decision& decision, const std::string& name, const protocol::Hello& hello) {
  const State& state = decision.state();
  learn_settings(decision);
  const Worker* known = state.find_worker(name);
  const bool counted = known != nullptr && !known->forgotten && known->stopped_wall_ms == 0;
  if (const std::string problem =
          problem_of(name, hello.offer, decision.settings(), counted ? 0 : count_workers(state), counted);
      !problem.empty()) {
    decision.emit(record::Counted{&Counters::refused_hellos});
    return decision.send(name, hello.process.id, protocol::Refused{problem});
  }
  if (known != nullptr && is_taken(*known, hello.process))
    return refuse_twin(decision, *known, hello.process);
  const WorkerId id = known != nullptr ? state.workers.id_of(*known) : state.workers.next_id();
  const Now& now = decision.now();
  if (!counted || known->offer != hello.offer || known->process != hello.process) {
    WorkerFacts row = joined(decision, known, hello);
    row.name = name;
    decision.emit(record::WorkerJoined{id, std::move(row), now.boot_ms, now.wall_ms});
  }
  decision.emit(record::WorkerSeen{id, true, now.boot_ms, now.wall_ms, hello.leaving});
  welcome(decision, name, hello, id);
}

void receive(Decision& decision, const std::string& name, const protocol::Heartbeat& heartbeat) {
  const State& state = decision.state();
  const Worker* worker = state.find_worker(name);
  if (worker == nullptr) return decision.send(name, protocol::Refused{"unknown worker: say Hello first"});
  // It was silent meanwhile, and does not know: with its Hello it is in the list again.
  if (worker->forgotten) return decision.send(name, protocol::Greet{});
  const WorkerId id = state.workers.id_of(*worker);
  decision.emit(
      record::WorkerSeen{id, true, decision.now().boot_ms, decision.now().wall_ms, heartbeat.leaving});
  for (const protocol::Progress& beat : heartbeat.attempts) {
    const Task* task = current(state, beat.id, *worker);
    if (task == nullptr) {
      if (accepted(state, beat.id)) continue;
      decision.emit(record::Counted{&Counters::stale_beats});
      decision.send(name, protocol::Revoke{beat.id, kOver});
      continue;
    }
    decision.emit(record::LeaseRenewed{beat.id.task, decision.lease_end()});
    const Progress& before = task->progress;
    const bool moved = before.fraction != beat.fraction || before.text != beat.text;
    if (moved || before.compute_seconds != beat.compute_seconds) {
      decision.emit(
          record::Progressed{beat.id.task,
                             {std::clamp(beat.fraction, 0.0f, 1.0f), beat.text, beat.compute_seconds,
                              moved ? decision.now().boot_ms : before.changed_ms}});
    }
    if (task->lease().revoking)
      decision.send(name, protocol::Revoke{beat.id, task->lease().revoke_reason});  // resent
  }
  if (!heartbeat.cached.empty()) decision.emit(record::WorkerCaches{id, heartbeat.cached});
  if (worker->devices != heartbeat.devices) decision.emit(record::WorkerDevices{id, heartbeat.devices});
  decision.send(name, protocol::HeartbeatAck{heartbeat.sequence});
}

void receive(Decision& decision, const std::string& name, const protocol::Started& started) {
  const State& state = decision.state();
  const Worker* worker = state.find_worker(name);
  const Task* task = worker != nullptr ? current(state, started.id, *worker) : nullptr;
  if (task == nullptr) {
    if (accepted(state, started.id)) return;  // the message came late
    decision.emit(record::Counted{&Counters::stale_beats});
    return decision.send(name, protocol::Revoke{started.id, kOver});
  }
  if (task->state != TaskState::kLeased) return;
  const bool loads = computes_tensors(task->plan) &&
                     worker->model_loaded != state.shots[task->shot].spec.recipe.model_digest;
  const std::int64_t counted_from_ms = decision.now().boot_ms + (loads ? policy::kLoadGraceMs : 0);
  decision.emit(
      record::Started{started.id, decision.now().boot_ms, decision.now().wall_ms, loads, counted_from_ms});
}

void receive(Decision& decision, const std::string& name, const protocol::Completed& completed) {
  const State& state = decision.state();
  if (accepted(state, completed.id)) {
    decision.emit(record::Counted{&Counters::repeated_results});
    return decision.send(name, protocol::Accepted{completed.id});
  }
  const Worker* worker = state.find_worker(name);
  const Task* task = worker != nullptr ? current(state, completed.id, *worker) : nullptr;
  if (task == nullptr) {
    decision.emit(record::Counted{&Counters::stale_results});
    return decision.send(name, protocol::RefusedResult{completed.id, kOver});
  }
  if (ends_the_task(*task)) {
    const std::string reason = task->lease().revoke_reason;
    end_attempt(decision, *task, AttemptEnd::kStopped, reason);
    return decision.send(name, protocol::RefusedResult{completed.id, reason});
  }
  const WorkerId id = state.workers.id_of(*worker);
  if (const std::string problem = problem_of(completed.result, *task, state.shots[task->shot]);
      !problem.empty()) {
    fail_attempt(decision, *task, id, protocol::Failed{completed.id, FailKind::kEngine, problem, "", ""});
    return decision.send(name, protocol::RefusedResult{completed.id, problem});
  }
  accept_result(decision, *task, completed.id, id, completed.result);
  decision.send(name, protocol::Accepted{completed.id});
}

void receive(Decision& decision, const std::string& name, const protocol::Failed& failed) {
  const State& state = decision.state();
  const Worker* worker = state.find_worker(name);
  const Task* task = worker != nullptr ? current(state, failed.id, *worker) : nullptr;
  if (task == nullptr) {
    decision.emit(record::Counted{&Counters::stale_failures});
  } else if (ends_the_task(*task)) {
    end_attempt(decision, *task, AttemptEnd::kStopped, task->lease().revoke_reason);
  } else {
    fail_attempt(decision, *task, state.workers.id_of(*worker), failed);
  }
  decision.send(name, protocol::FailedAck{failed.id});
}

void receive(Decision& decision, const std::string& name, const protocol::Stopped& stopped) {
  const State& state = decision.state();
  const Worker* worker = state.find_worker(name);
  const Task* task = worker != nullptr ? current(state, stopped.id, *worker) : nullptr;
  if (task == nullptr) return;  // the answer to Welcome.stop, or a repetition
  // An attempt that had begun and is missing from Hello.running went down with the worker; that counts against
  // the task.
  const bool died = task->state == TaskState::kRunning && task->lease().revoke_cause == RevokeCause::kMissing;
  end_attempt(decision, *task, died ? AttemptEnd::kWorkerRestarted : AttemptEnd::kStopped,
              task->lease().revoking ? task->lease().revoke_reason : "the worker gave it back");
}

void receive(Decision& decision, const std::string& name, const protocol::Bye&) {
  const State& state = decision.state();
  const Worker* worker = state.find_worker(name);
  if (worker == nullptr) return;
  const WorkerId id = state.workers.id_of(*worker);
  decision.emit(record::WorkerStopped{id, decision.now().wall_ms});
  const std::vector<TaskId> held = all_leases(state.workers[id]);
  for (const TaskId task : held)
    end_attempt(decision, state.task(task), AttemptEnd::kStopped, "the worker left");
}

}  // namespace

void on(Decision& decision, const event::FromWorker& e) {
  // A process that has not the name, or has it no longer, has to say Hello.
  const Worker* worker = decision.state().find_worker(e.worker);
  const bool says_hello = std::holds_alternative<protocol::Hello>(e.message);
  if (!says_hello && worker != nullptr && worker->process.id != e.process)
    return decision.send(e.worker, e.process, protocol::Greet{});
  std::visit([&](const auto& message) { receive(decision, e.worker, message); }, e.message);
}

void on(Decision& decision, const event::Disconnected& e) {
  const State& state = decision.state();
  const Worker* worker = state.find_worker(e.worker);
  if (worker == nullptr) return;
  const WorkerId id = state.workers.id_of(*worker);
  decision.emit(record::WorkerSeen{id, false, decision.now().boot_ms, decision.now().wall_ms});
  if (!e.why.empty()) decision.emit(record::WorkerNoted{id, decision.now().wall_ms, e.why});
}

}  // namespace rushes::scheduler
