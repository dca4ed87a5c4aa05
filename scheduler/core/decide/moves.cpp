#include "scheduler/core/decide/moves.h"

#include "config/mutation.h"
#include "scheduler/plan/compose.h"

namespace rushes::scheduler {
namespace {

std::uint32_t count_of(const Shot& shot, TaskState state) { return shot.counts[static_cast<int>(state)]; }

// The state of a shot that needs no person, by what is planned of it.
ShotState state_of_work(const Shot& shot) {
  if (shot.approved != 0) {
    return shot.take(shot.approved).upgrade.enlarge != kNoId ? ShotState::kUpgrading : ShotState::kDrafting;
  }
  if (!shot.ranking.empty()) return ShotState::kReview;
  return shot.started_wall_ms == 0 ? ShotState::kQueued : ShotState::kDrafting;
}

}  // namespace

void move_shot(Decision& decision, ShotId shot, ShotState to, std::string reason, TaskId task) {
  const State& state = decision.state();
  const Shot& row = state.shots[shot];
  // What needs a person stays visible until it is resolved; new work of other takes does not hide it.
  const bool hides = row.state == ShotState::kAttention && row.attention_task != kNoId &&
                     state.task(row.attention_task).state == TaskState::kFailed &&
                     (to == ShotState::kDrafting || to == ShotState::kUpgrading || to == ShotState::kQueued);
  if (hides || (row.state == to && row.reason == reason && row.attention_task == task)) return;
  decision.emit(record::ShotMoved{shot, to, std::move(reason), task, decision.now().wall_ms});
}

void move_take(Decision& decision, ShotId shot, std::uint32_t take, TakeState to, std::string reason) {
  const State& state = decision.state();
  const Take& row = state.shots[shot].take(take);
  if (row.state == to && row.reason == reason) return;
  decision.emit(record::TakeMoved{shot, take, to, std::move(reason), decision.now().wall_ms});
}

void give_to_person(Decision& decision, TaskId task, const std::string& message) {
  const State& state = decision.state();
  const ShotId shot = state.task(task).shot;
  if (state.shots[shot].state == ShotState::kCancelled) return;
  const std::string name = task_name(state.shots[shot].spec, state.task(task).plan);
  move_shot(decision, shot, ShotState::kAttention, name + ": " + message, task);
}

void leave_attention(Decision& decision, ShotId shot) {
  const State& state = decision.state();
  const Shot& row = state.shots[shot];
  if (row.state != ShotState::kAttention || row.attention_task == kNoId) return;
  if (count_of(row, TaskState::kFailed) == 0) return move_shot(decision, shot, state_of_work(row));
  if (state.task(row.attention_task).state == TaskState::kFailed) return;
  for (const TaskId id : row.tasks) {  // another one still needs a person
    const Task& task = state.task(id);
    if (task.state == TaskState::kFailed)
      return move_shot(decision, shot, ShotState::kAttention, task.closed_reason, id);
  }
}

void note_pause(Decision& decision, ShotId id) {
  const State& state = decision.state();
  const Shot& shot = state.shots[id];
  if (!shot.pause_requested || shot.paused) return;
  const std::uint32_t held = count_of(shot, TaskState::kLeased) + count_of(shot, TaskState::kRunning);
  if (held == 0) decision.emit(record::HoldChanged{id, true, true, "", decision.now().wall_ms});
}

void revoke(Decision& decision, const Task& task, TaskState then, RevokeCause cause,
            const std::string& reason) {
  const State& state = decision.state();
  const AttemptId ref{task.plan.id, task.attempt, task.lease().id};
  const std::string worker = state.workers[task.lease().worker].name;
  decision.emit(record::RevokeAsked{ref, then, cause, reason});
  decision.send(worker, protocol::Revoke{ref, reason});
  if (mutated(Mutation::kReleaseBeforeStop))
    decision.emit(record::AttemptEnded{ref, task.lease().worker, AttemptEnd::kStopped, FailKind::kStopped,
                                       reason, "", "", then, 0, decision.now().wall_ms});
}

}  // namespace rushes::scheduler
