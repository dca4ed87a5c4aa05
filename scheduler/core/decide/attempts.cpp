#include "scheduler/core/decide/attempts.h"

#include <algorithm>

#include "config/mutation.h"
#include "scheduler/core/decide/moves.h"
#include "scheduler/core/decide/takes.h"
#include "scheduler/core/policy/retry.h"
#include "scheduler/core/state/costs.h"

namespace rushes::scheduler {

namespace {

bool failed_elsewhere(const Task& task, const std::string& worker) {
  return std::ranges::any_of(task.bad_attempts, [&](const Failure& failure) {
    return failure.end == AttemptEnd::kFailed && failure.worker != worker;
  });
}

void quarantine_if_due(Decision& decision, WorkerId id) {
  const State& state = decision.state();
  const Worker& worker = state.workers[id];
  const policy::Blame blame{static_cast<std::uint32_t>(worker.failed_shots.size()), worker.failed_tasks};
  std::uint32_t connected = 0, quarantined = 0;
  for (WorkerId each(0); state.workers.has(each); ++each) {
    const Worker& other = state.workers[each];
    if (!other.connected) continue;
    ++connected;
    if (each != id && other.quarantined_until_ms > 0) ++quarantined;
  }
  if (worker.quarantined_until_ms > 0 ||
      !policy::should_quarantine(decision.settings().retries, blame, connected, quarantined))
    return;
  const std::string why =
      blame.shots >= blame.tasks
          ? "attempts of its last " + std::to_string(blame.shots) + " shots failed"
          : "other workers finished the last " + std::to_string(blame.tasks) + " tasks that failed here";
  decision.emit(
      record::WorkerQuarantined{id, decision.now().boot_ms + decision.settings().retries.quarantine.count(),
                                decision.now().wall_ms, why});
}

}  // namespace

void accept_result(Decision& decision, const Task& task, const AttemptId& ref, WorkerId worker,
                   const TaskResult& result) {
  const ShotId shot = task.shot;
  decision.emit(record::ResultAccepted{ref, worker, result, decision.now().wall_ms});
  for (const Failure& failure : decision.state().task(ref.task).bad_attempts) {
    const WorkerId failed = decision.state().names.worker(failure.worker);
    if (failed != worker && decision.state().workers.has(failed)) quarantine_if_due(decision, failed);
  }
  follow_up(decision, ref.task);
  note_pause(decision, shot);
}

void fail_attempt(Decision& decision, const Task& task, WorkerId worker, const protocol::Failed& failed) {
  const ShotId shot = task.shot;
  const TaskId id = task.plan.id;
  const Fault fault = fault_of(failed.kind);
  const std::string& name = decision.state().workers[worker].name;
  const bool give_up = fault == Fault::kInput ||
                       policy::give_up(decision.settings().retries, task.failures + 1, task.lost_attempts);
  record::AttemptEnded ended{{id, task.attempt, task.lease().id},
                             worker,
                             AttemptEnd::kFailed,
                             failed.kind,
                             failed.message,
                             failed.exit_cause,
                             failed.log_tail,
                             give_up ? TaskState::kFailed : TaskState::kReady,
                             0,
                             decision.now().wall_ms,
                             !policy::blames_worker(fault, failed_elsewhere(task, name)),
                             slot_seconds(task, decision.now())};
  if (!give_up) {
    ended.retry_at_ms = decision.now().boot_ms +
                        policy::backoff_ms(decision.settings().retries, task.failures + 1, decision.random());
  }
  decision.emit(std::move(ended));
  quarantine_if_due(decision, worker);
  if (give_up) give_to_person(decision, id, std::string(to_string(failed.kind)) + ": " + failed.message);
  note_pause(decision, shot);
}

void end_attempt(Decision& decision, const Task& task, AttemptEnd end, const std::string& message) {
  const ShotId shot = task.shot;
  const TaskId id = task.plan.id;
  const bool called_off = task.lease().revoking && !mutated(Mutation::kResurrectCancelled);
  TaskState then = called_off ? task.lease().then : TaskState::kReady;
  const bool lost = end != AttemptEnd::kStopped;
  if (then == TaskState::kReady && lost &&
      policy::give_up(decision.settings().retries, task.failures, task.lost_attempts + 1)) {
    then = TaskState::kFailed;
  }
  decision.emit(record::AttemptEnded{{id, task.attempt, task.lease().id},
                                     task.lease().worker,
                                     end,
                                     lost ? FailKind::kLost : FailKind::kStopped,
                                     message,
                                     "",
                                     "",
                                     then,
                                     0,
                                     decision.now().wall_ms,
                                     false,
                                     slot_seconds(task, decision.now())});
  if (then == TaskState::kFailed)
    give_to_person(decision, id, "its attempts were lost with their workers: " + message);
  if (then == TaskState::kSkipped) follow_up(decision, id);
  note_pause(decision, shot);
}

}  // namespace rushes::scheduler
