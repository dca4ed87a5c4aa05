// decide(): what workers say, and what the clock makes of their silence.
#include <algorithm>

#include "config/mutation.h"
#include "scheduler/core/decider.h"
#include "scheduler/core/policy/retry.h"
#include "scheduler/plan/compose.h"

namespace rushes::scheduler {
namespace {

std::string problem_of(const event::Hello& e, const Settings& settings, std::size_t workers, bool known) {
  if (e.worker.empty() || e.worker.size() > 64) return "worker name: expected 1 to 64 characters";
  if (e.slots < 1 || e.slots > 64) return "slots: expected 1 to 64, found " + std::to_string(e.slots);
  if (e.prefetch > 16) return "prefetch: expected 0 to 16, found " + std::to_string(e.prefetch);
  if (e.numeric_classes.empty()) return "numeric classes: expected at least one";
  if (!known && workers >= static_cast<std::size_t>(settings.limits.workers)) {
    return "the farm has " + std::to_string(workers) + " workers, its limit; raise limits.workers";
  }
  return {};
}

bool same_offer(const Worker& a, const event::Hello& e) {
  const bool same_models =
      a.models.size() == e.models.size() &&
      std::equal(a.models.begin(), a.models.end(), e.models.begin(),
                 [](auto& x, auto& y) { return x.name == y.name && x.digest == y.digest; });
  return a.build == e.build && a.protocol_version == e.protocol_version && a.slots == e.slots &&
         a.prefetch == e.prefetch && a.memory_bytes == e.memory_bytes &&
         a.numeric_classes == e.numeric_classes && same_models;
}

// What keeps a result from being what its stage has to make; empty: fine.
std::string problem_of(const TaskResult& result, const Task& task, const Shot& shot) {
  if (!shot.numeric_class.empty() && !result.numeric_class.empty() &&
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

bool ends_the_task(const Task& task) { return task.lease.revoking && task.lease.then != TaskState::kReady; }

constexpr const char* kNotNamed = "the worker does not name it";

}  // namespace

void Decider::on(const event::Hello& e) {
  configure();
  const Worker* known = state_.find_worker(e.worker);
  if (const std::string problem = problem_of(e, settings_, state_.workers.size(), known != nullptr);
      !problem.empty()) {
    emit(record::Counted{&Counters::refused_hellos});
    return send(command::Refused{e.worker, problem});
  }
  const WorkerId id = known != nullptr ? id_of(*known) : static_cast<WorkerId>(state_.workers.size());
  if (known == nullptr || !same_offer(*known, e)) {
    Worker row;
    row.name = e.worker;
    row.build = e.build;
    row.protocol_version = e.protocol_version;
    row.slots = e.slots;
    row.prefetch = e.prefetch;
    row.memory_bytes = e.memory_bytes;
    row.numeric_classes = e.numeric_classes;
    row.models = e.models;
    row.draining = known != nullptr && known->draining;
    row.joined_wall_ms = known != nullptr ? known->joined_wall_ms : now_.wall_ms;
    emit(record::WorkerJoined{id, std::move(row), now_.boot_ms, now_.wall_ms});
  } else {
    emit(record::WorkerSeen{id, true, now_.boot_ms, now_.wall_ms});
  }
  welcome(e, id);
}

void Decider::welcome(const event::Hello& e, WorkerId id) {
  command::Welcome answer;
  answer.worker = e.worker;
  answer.worker_id = id;
  answer.epoch = state_.epoch;
  answer.first_lease = state_.next_lease;
  answer.sequence = e.sequence;
  answer.heartbeat_ms = static_cast<std::uint32_t>(settings_.times.heartbeat.count());
  answer.lease_ms = static_cast<std::uint32_t>(settings_.times.lease.count());
  for (const AttemptRef& ref : e.running) {
    const Task* task = current(ref, state_.workers[id]);
    if (task != nullptr && !ends_the_task(*task)) {
      emit(record::LeaseRenewed{ref.task, lease_end()});
    } else if (accepted(ref) == nullptr) {  // an accepted result is only waiting for its acknowledgement
      answer.stop.push_back(ref);
    }
  }
  send(std::move(answer));
  // What the worker does not name died with its engines, or its Assign crossed this Hello on the way. Only
  // the worker knows which: the task is free again when it says Stopped.
  const std::vector<TaskId> held = state_.workers[id].leases;
  for (const TaskId task_id : held) {
    const Task& task = state_.task(task_id);
    const bool named = std::any_of(e.running.begin(), e.running.end(), [&](const AttemptRef& ref) {
      return ref.task == task_id && ref.lease == task.lease.id;
    });
    if (named) continue;
    const AttemptRef ref{task_id, task.attempt, task.lease.id};
    if (task.lease.revoking)
      send(command::Revoke{ref, e.worker, task.lease.revoke_reason});  // said again
    else
      revoke(task, TaskState::kReady, kNotNamed);
  }
  if (state_.workers[id].draining) send(command::Drain{e.worker});
}

void Decider::on(const event::Heartbeat& e) {
  const Worker* worker = state_.find_worker(e.worker);
  if (worker == nullptr) return send(command::Refused{e.worker, "unknown worker: say Hello first"});
  const WorkerId id = id_of(*worker);
  emit(record::WorkerSeen{id, true, now_.boot_ms, now_.wall_ms});
  for (const event::AttemptBeat& beat : e.attempts) {
    const Task* task = current(beat, *worker);
    if (task == nullptr) {
      if (accepted(beat) != nullptr) continue;
      emit(record::Counted{&Counters::stale_beats});
      send(command::Revoke{beat, e.worker, "the attempt is no longer the task's newest"});
      continue;
    }
    emit(record::LeaseRenewed{beat.task, lease_end()});
    const Progress& before = task->progress;
    const bool moved = before.fraction != beat.fraction || before.text != beat.text;
    if (moved || before.compute_seconds != beat.compute_seconds) {
      emit(record::Progressed{beat.task,
                              {std::clamp(beat.fraction, 0.0f, 1.0f), beat.text, beat.compute_seconds,
                               moved ? now_.boot_ms : before.changed_ms}});
    }
    if (task->lease.revoking) send(command::Revoke{beat, e.worker, task->lease.revoke_reason});  // said again
  }
  if (!e.cached.empty()) emit(record::WorkerCaches{id, e.cached});
  send(command::HeartbeatAck{e.worker, e.sequence});
}

void Decider::on(const event::Started& e) {
  const Worker* worker = state_.find_worker(e.worker);
  const Task* task = worker != nullptr ? current(e, *worker) : nullptr;
  if (task == nullptr) {
    if (accepted(e) != nullptr) return;  // came late
    emit(record::Counted{&Counters::stale_beats});
    return send(command::Revoke{e, e.worker, "the attempt is no longer the task's newest"});
  }
  if (task->state == TaskState::kLeased) emit(record::Started{e, now_.boot_ms, now_.wall_ms});
}

void Decider::on(const event::Completed& e) {
  if (accepted(e) != nullptr) {
    emit(record::Counted{&Counters::repeated_results});
    return send(command::Accepted{e.worker, e.task, e.attempt});
  }
  const Worker* worker = state_.find_worker(e.worker);
  const Task* task = worker != nullptr ? current(e, *worker) : nullptr;
  if (task == nullptr) {
    emit(record::Counted{&Counters::stale_results});
    return send(
        command::RefusedResult{e.worker, e.task, e.attempt, "the attempt is no longer the task's newest"});
  }
  if (ends_the_task(*task)) {
    const std::string reason = task->lease.revoke_reason;
    attempt_over(*task, AttemptEnd::kStopped, reason);
    return send(command::RefusedResult{e.worker, e.task, e.attempt, reason});
  }
  const WorkerId id = id_of(*worker);
  if (const std::string problem = problem_of(e.result, *task, shot_of(*task)); !problem.empty()) {
    attempt_failed(*task, id, event::Failed{e, e.worker, "engine", problem, "", ""});
    return send(command::RefusedResult{e.worker, e.task, e.attempt, problem});
  }
  accept(*task, e, id, e.result);
  send(command::Accepted{e.worker, e.task, e.attempt});
}

void Decider::accept(const Task& task, const AttemptRef& ref, WorkerId worker, const TaskResult& result) {
  const ShotId shot = task.shot;
  emit(record::ResultAccepted{ref, worker, result, now_.wall_ms});
  follow_up(ref.task);
  note_pause(shot);
}

void Decider::on(const event::Failed& e) {
  const Worker* worker = state_.find_worker(e.worker);
  const Task* task = worker != nullptr ? current(e, *worker) : nullptr;
  if (task == nullptr) {
    emit(record::Counted{&Counters::stale_failures});
  } else if (ends_the_task(*task)) {
    attempt_over(*task, AttemptEnd::kStopped, task->lease.revoke_reason);
  } else {
    attempt_failed(*task, id_of(*worker), e);
  }
  send(command::FailedAck{e.worker, e.task, e.attempt});
}

void Decider::attempt_failed(const Task& task, WorkerId worker, const event::Failed& e) {
  const ShotId shot = task.shot;
  const TaskId id = task.plan.id;
  const bool give_up = policy::give_up(settings_.retries, task.failures + 1, task.losses);
  record::AttemptEnded ended{{id, task.attempt, task.lease.id},
                             worker,
                             AttemptEnd::kFailed,
                             e.kind,
                             e.message,
                             e.exit_cause,
                             e.log_tail,
                             give_up ? TaskState::kFailed : TaskState::kReady,
                             0,
                             now_.wall_ms};
  if (!give_up) {
    ended.retry_at_ms = now_.boot_ms + policy::backoff_ms(settings_.retries, task.failures + 1, random_);
  }
  emit(std::move(ended));
  if (policy::should_quarantine(settings_.retries, state_.workers[worker].failures_in_row)) {
    emit(record::WorkerQuarantined{
        worker, now_.boot_ms + settings_.retries.quarantine.count(), now_.wall_ms,
        "its last " + std::to_string(state_.workers[worker].failures_in_row) + " attempts failed"});
  }
  if (give_up) give_to_person(id, e.kind + ": " + e.message);
  note_pause(shot);
}

// The attempt ended without anybody's fault, or by our wish.
void Decider::attempt_over(const Task& task, AttemptEnd end, const std::string& message) {
  const ShotId shot = task.shot;
  const TaskId id = task.plan.id;
  const bool called_off = task.lease.revoking && !mutated(Mutation::kResurrectCancelled);
  TaskState then = called_off ? task.lease.then : TaskState::kReady;
  const bool lost = end != AttemptEnd::kStopped;
  if (then == TaskState::kReady && lost &&
      policy::give_up(settings_.retries, task.failures, task.losses + 1)) {
    then = TaskState::kFailed;
  }
  emit(record::AttemptEnded{{id, task.attempt, task.lease.id},
                            task.lease.worker,
                            end,
                            lost ? "lost" : "stopped",
                            message,
                            "",
                            "",
                            then,
                            0,
                            now_.wall_ms});
  if (then == TaskState::kFailed) give_to_person(id, "its attempts were lost with their workers: " + message);
  if (then == TaskState::kSkipped) follow_up(id);
  note_pause(shot);
}

void Decider::give_to_person(TaskId task, const std::string& message) {
  const ShotId shot = state_.task(task).shot;
  if (state_.shots[shot].state == ShotState::kCancelled) return;
  move_shot(shot, ShotState::kAttention, message, task);
}

void Decider::on(const event::Stopped& e) {
  const Worker* worker = state_.find_worker(e.worker);
  const Task* task = worker != nullptr ? current(e, *worker) : nullptr;
  if (task == nullptr) return;  // the answer to Welcome.stop, or a repetition
  // What had begun and was not named went down with the worker; that counts against the task.
  const bool died = task->state == TaskState::kRunning && task->lease.revoke_reason == kNotNamed;
  attempt_over(*task, died ? AttemptEnd::kWorkerRestarted : AttemptEnd::kStopped,
               task->lease.revoking ? task->lease.revoke_reason : "the worker gave it back");
}

void Decider::on(const event::Disconnected& e) {
  const Worker* worker = state_.find_worker(e.worker);
  if (worker == nullptr) return;
  const WorkerId id = id_of(*worker);
  emit(record::WorkerSeen{id, false, now_.boot_ms, now_.wall_ms});
  // Over at once: it says that and why nothing is sent there, and does not outlive the cause.
  if (!e.why.empty()) emit(record::WorkerQuarantined{id, now_.boot_ms, now_.wall_ms, e.why});
}

void Decider::on(const event::Bye& e) {
  const Worker* worker = state_.find_worker(e.worker);
  if (worker == nullptr) return;
  const WorkerId id = id_of(*worker);
  emit(record::WorkerSeen{id, false, now_.boot_ms, now_.wall_ms});
  const std::vector<TaskId> held = state_.workers[id].leases;
  for (const TaskId task : held) attempt_over(state_.task(task), AttemptEnd::kStopped, "the worker left");
  // It did what the drain asked for; started again, it works again.
  if (state_.workers[id].draining) emit(record::WorkerDraining{id, false, "", now_.wall_ms});
}

void Decider::on(const event::Recover&) {
  configure();
  emit(record::Recovered{state_.epoch + 1, lease_end(), now_.wall_ms});
  look_at_clock();
}

// While the scheduler did not run (stopped, suspended, starved of CPU) the workers' heartbeats waited in its
// sockets: what it did not hear was not silence. So between two looks at the clock no more than a heartbeat
// is counted. Who beats in time keeps its leases through any pause; who is dead loses them even on a farm
// that is always late.
void Decider::look_at_clock() {
  constexpr std::int64_t kLate = 500;  // twice the loop's tick
  const std::int64_t counted = std::max(settings_.times.heartbeat.count(), kLate);
  const std::int64_t gap = state_.ticked_ms == 0 ? 0 : now_.boot_ms - state_.ticked_ms;
  const bool forgiven = !mutated(Mutation::kCountPauses);
  emit(record::Ticked{now_.boot_ms, forgiven ? std::max<std::int64_t>(0, gap - counted) : 0, lease_end()});
}

void Decider::on(const event::Tick&) {
  look_at_clock();
  for (WorkerId id = 0; id < state_.workers.size(); ++id) {  // who is silent for a lease gets nothing new
    const Worker& worker = state_.workers[id];
    if (worker.connected && now_.boot_ms - worker.seen_ms >= settings_.times.lease.count()) {
      emit(record::WorkerSeen{id, false, worker.seen_ms, worker.seen_wall_ms});
    }
  }
  while (!state_.expiries.empty() && state_.expiries.begin()->first <= now_.boot_ms &&
         !mutated(Mutation::kLeaseNeverExpires)) {
    const Task& task = state_.task(state_.expiries.begin()->second);
    const Worker& worker = state_.workers[task.lease.worker];
    const std::string name = worker.name;
    emit(record::Counted{&Counters::lease_expiries});
    attempt_over(task, AttemptEnd::kExpired, "worker " + name + " was silent");
  }
  while (!state_.retries.empty() && state_.retries.begin()->first <= now_.boot_ms &&
         !mutated(Mutation::kBackOffForever)) {
    emit(record::RetryDue{state_.retries.begin()->second});
  }
  for (WorkerId id = 0; id < state_.workers.size(); ++id) {
    const std::int64_t until = state_.workers[id].quarantined_until_ms;
    if (until > 0 && until <= now_.boot_ms) emit(record::QuarantineOver{id});
  }
  if (state_.left_seconds > 0) emit(record::EstimatesSeen{});
  look_at_deadlines();
  relieve_stragglers();
}

void Decider::revoke(const Task& task, TaskState then, const std::string& reason, bool straggler) {
  const AttemptRef ref{task.plan.id, task.attempt, task.lease.id};
  const std::string worker = state_.workers[task.lease.worker].name;
  emit(record::RevokeAsked{ref, then, reason, straggler});
  send(command::Revoke{ref, worker, reason});
  if (mutated(Mutation::kReleaseBeforeStop)) attempt_over(task, AttemptEnd::kStopped, reason);
}

void Decider::note_pause(ShotId id) {
  const Shot& shot = state_.shots[id];
  if (!shot.pause_requested || shot.paused) return;
  const auto held =
      shot.counts[static_cast<int>(TaskState::kLeased)] + shot.counts[static_cast<int>(TaskState::kRunning)];
  if (held == 0) emit(record::HoldChanged{id, true, true, "", now_.wall_ms});
}

}  // namespace rushes::scheduler
