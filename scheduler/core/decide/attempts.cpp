#include "scheduler/core/decide/attempts.h"

#include "config/mutation.h"
#include "scheduler/core/decide/moves.h"
#include "scheduler/core/decide/takes.h"
#include "scheduler/core/policy/retry.h"

namespace rushes::scheduler {

void accept_result(Decision& decision, const Task& task, const AttemptId& ref, WorkerId worker,
                   const TaskResult& result) {
  const ShotId shot = task.shot;
  decision.emit(record::ResultAccepted{ref, worker, result, decision.now().wall_ms});
  follow_up(decision, ref.task);
  note_pause(decision, shot);
}

void fail_attempt(Decision& decision, const Task& task, WorkerId worker, const protocol::Failed& failed) {
  const State& state = decision.state();
  const ShotId shot = task.shot;
  const TaskId id = task.plan.id;
  const bool give_up = policy::give_up(decision.settings().retries, task.failures + 1, task.lost_attempts);
  record::AttemptEnded ended{{id, task.attempt, task.lease().id},
                             worker,
                             AttemptEnd::kFailed,
                             failed.kind,
                             failed.message,
                             failed.exit_cause,
                             failed.log_tail,
                             give_up ? TaskState::kFailed : TaskState::kReady,
                             0,
                             decision.now().wall_ms};
  if (!give_up) {
    ended.retry_at_ms = decision.now().boot_ms +
                        policy::backoff_ms(decision.settings().retries, task.failures + 1, decision.random());
  }
  decision.emit(std::move(ended));
  if (policy::should_quarantine(decision.settings().retries, state.workers[worker].failures_in_row)) {
    decision.emit(record::WorkerQuarantined{
        worker, decision.now().boot_ms + decision.settings().retries.quarantine.count(),
        decision.now().wall_ms,
        "its last " + std::to_string(state.workers[worker].failures_in_row) + " attempts failed"});
  }
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
                                     decision.now().wall_ms});
  if (then == TaskState::kFailed)
    give_to_person(decision, id, "its attempts were lost with their workers: " + message);
  if (then == TaskState::kSkipped) follow_up(decision, id);
  note_pause(decision, shot);
}

}  // namespace rushes::scheduler
