// decide(): what follows from finished tasks. Critiques -> verdict -> revision -> the better version ->
// ranking -> approval -> draft delivery -> upgrade -> delivered.
#include <algorithm>
#include <cassert>

#include "config/mutation.h"
#include "scheduler/core/decider.h"
#include "scheduler/core/policy/ranking.h"
#include "scheduler/plan/compose.h"
#include "scheduler/plan/plan.h"
#include "scheduler/plan/recipe.h"
#include "scheduler/plan/revise.h"

namespace rushes::scheduler {
namespace {

// Critiques that decide on a version: the windows' and the whole take's.
std::vector<TaskId> critiques_of(const VersionGraph& graph) {
  std::vector<TaskId> tasks = graph.checkpoints;
  tasks.insert(tasks.end(), graph.window_critiques.begin(), graph.window_critiques.end());
  tasks.push_back(graph.critique);
  return tasks;
}

// The recipe of a version: the take's, with the chain of kept revisions that led to it.
Recipe recipe_of(const Shot& shot, const Take& take, std::uint32_t parent) {
  Recipe recipe = take_recipe(shot.spec, take.number);
  recipe.numeric_class = shot.numeric_class;
  recipe.engine_build = shot.engine_build;
  for (std::uint32_t n = parent; n != 0; n = take.versions[n].parent) {
    const Version& version = take.versions[n];
    recipe.revisions.insert(recipe.revisions.begin(),
                            {version.number, version.windows, version.seed, version.reason});
  }
  return recipe;
}

std::uint32_t state_count(const Shot& shot, TaskState state) { return shot.counts[static_cast<int>(state)]; }

}  // namespace

void Decider::follow_up(TaskId id) {
  const Task& task = state_.task(id);
  const ShotId shot = task.shot;
  if (state_.shots[shot].state == ShotState::kCancelled) return;
  if (task.plan.stage == Stage::kCritique) {
    const std::uint32_t take = task.plan.take, version = task.plan.revision;
    if (task.state == TaskState::kSucceeded && !task.plan.whole_take && version == 0 &&
        task.result.critique.verdict == Verdict::kReject && !mutated(Mutation::kSkipCheckpointVerdict)) {
      return drop_take(shot, take,
                       "window " + std::to_string(task.plan.window) + " was rejected by the critics");
    }
    judge_if_complete(shot, take, version);
  } else if (task.plan.stage == Stage::kDecode && task.plan.level == 0) {
    judge_if_complete(shot, task.plan.take, task.plan.revision);  // its critiques may have been skipped
  } else if (task.plan.stage == Stage::kDeliver) {
    const bool master = task.plan.master_delivery;
    if (task.state == TaskState::kSucceeded) {
      const Shot& row = state_.shots[shot];
      const std::string version = delivery_version(master ? row.master_versions : row.draft_versions);
      DeliveryDone delivery{
          task.plan.take,    master,      delivery_folder(row.spec, master, version), version,
          task.result.files, now_.wall_ms};
      emit(record::Delivered{shot, std::move(delivery)});
    }
    if (master) move_take(shot, state_.task(id).plan.take, TakeState::kMaster);
    finish_if_delivered(shot);
  }
}

void Decider::judge_if_complete(ShotId shot, std::uint32_t take_number, std::uint32_t number) {
  const Take& take = state_.shots[shot].takes[take_number - 1];
  const Version& version = take.versions[number];
  if (take.state == TakeState::kDropped || version.judged) return;
  for (const TaskId id : version.graph.decode) {
    if (!is_done(state_.task(id))) return;
  }
  std::vector<Verdict> verdicts;
  float sum = 0;
  for (const TaskId id : critiques_of(version.graph)) {
    const Task& task = state_.task(id);
    if (!is_done(task)) return;
    verdicts.push_back(task.result.critique.verdict);
    sum += task.result.critique.score;
  }
  // The whole take's score is the take's; without it (skipped, unknown) the mean of all is the best there is.
  const Critique& whole = state_.task(version.graph.critique).result.critique;
  const float score =
      whole.verdict != Verdict::kUnknown ? whole.score : sum / static_cast<float>(verdicts.size());
  emit(record::VersionJudged{shot, take_number, number, policy::worst(verdicts), score, now_.wall_ms});
  settle(shot, take_number, number);
}

// A version was judged: keep the better one; then another revision, or the take is judged.
void Decider::settle(ShotId shot, std::uint32_t take_number, std::uint32_t number) {
  const Take& take = state_.shots[shot].takes[take_number - 1];
  const Version& version = take.versions[number];
  if (number == 0) {
    if (version.verdict == Verdict::kReject) return drop_take(shot, take_number, "rejected by the critics");
  } else {
    const Version& kept = take.versions[take.kept];
    const bool better =
        policy::is_better({number, version.verdict, version.score}, {kept.number, kept.verdict, kept.score});
    emit(record::VersionKept{shot, take_number, better ? number : kept.number, now_.wall_ms});
  }
  const Version& best = take.versions[take.kept];
  if (best.verdict == Verdict::kRevise && revise(shot, take_number)) return;
  move_take(shot, take_number, TakeState::kJudged);
  rank_if_judged(shot);
}

bool Decider::revise(ShotId shot, std::uint32_t take_number) {
  const Shot& row = state_.shots[shot];
  const Take& take = row.takes[take_number - 1];
  const Version& kept = take.versions[take.kept];
  std::vector<Finding> findings = state_.task(kept.graph.critique).result.critique.findings;
  if (std::none_of(findings.begin(), findings.end(), [](const Finding& f) { return f.severity > 0; })) {
    for (const TaskId id : kept.graph.window_critiques) {
      const auto& more = state_.task(id).result.critique.findings;
      findings.insert(findings.end(), more.begin(), more.end());
    }
  }
  Spent spent;
  std::uint32_t first_windows = 0;
  double first_seconds = 0;
  for (const TaskId id : row.tasks) {
    const Task& task = state_.task(id);
    if (task.plan.take != take_number || task.plan.level > 0 || task.state != TaskState::kSucceeded) continue;
    if (task.plan.revision == 0) {
      if (task.plan.stage == Stage::kDenoise) {
        first_seconds += task.result.compute_seconds;
        first_windows += task.plan.segment == 0 ? 1 : 0;
      }
    } else if (take.versions[task.plan.revision].by.empty()) {
      spent.compute_seconds += task.result.compute_seconds;
    }
  }
  for (const Version& version : take.versions) {
    if (version.number > 0 && version.by.empty())
      spent.windows += static_cast<std::uint32_t>(version.windows.size());
  }
  spent.window_seconds = first_windows > 0 ? first_seconds / first_windows : 0;
  RevisionChoice choice = choose_revision(row.spec, findings, spent);
  if (choice.windows.empty()) return false;
  plan_version(shot, take_number, std::move(choice.windows), std::move(choice.reason), {});
  return true;
}

// The takes of a shot are planned when its first task is leased: a shot that waits is one task, however long
// it is.
void Decider::plan_takes(ShotId shot) {
  for (std::uint32_t take = 1; take <= state_.shots[shot].takes.size(); ++take)
    if (!is_planned(state_.shots[shot].takes[take - 1])) plan_version(shot, take, {}, {}, {});
}

// Without windows: the first rendering.
void Decider::plan_version(ShotId shot, std::uint32_t take_number, std::vector<std::uint32_t> windows,
                           std::string reason, std::string by) {
  const Shot& row = state_.shots[shot];
  const Take& take = row.takes[take_number - 1];
  record::VersionPlanned planned;
  planned.shot = shot;
  planned.take = take_number;
  Version& version = planned.version;
  version.number = static_cast<std::uint32_t>(take.versions.size());
  version.parent = take.kept;
  version.reason = std::move(reason);
  version.by = std::move(by);
  version.planned_wall_ms = now_.wall_ms;
  VersionPlan plan;
  if (version.number == 0) {
    version.seed = row.spec.seeds[take_number - 1];
    for (std::uint32_t w = 0; w < row.spec.recipe.windows.size(); ++w) version.windows.push_back(w);
    plan = plan_take(row.spec, take_number, row.encode, next_task());
  } else {
    version.windows = std::move(windows);
    version.seed = revision_seed(row.spec.seeds[take_number - 1], version.number);
    plan = plan_revision(row.spec, take_number, version.number, version.windows,
                         take.versions[take.kept].graph, row.encode, next_task());
  }
  version.graph = std::move(plan.graph);
  Recipe recipe = recipe_of(row, take, version.number == 0 ? 0 : take.kept);
  if (version.number > 0) {
    recipe.revisions.push_back({version.number, version.windows, version.seed, version.reason});
  }
  version.recipe = encode_recipe(recipe);
  version.recipe_hash = recipe_hash(version.recipe);
  planned.tasks = std::move(plan.tasks);
  emit(std::move(planned));
}

void Decider::rank_if_judged(ShotId shot) {
  const Shot& row = state_.shots[shot];
  if (row.approved != 0) return;
  std::vector<policy::Judged> judged;
  for (const Take& take : row.takes) {
    if (take.state == TakeState::kDropped) continue;
    if (take.state != TakeState::kJudged) return;
    const Version& kept = take.versions[take.kept];
    judged.push_back({take.number, kept.verdict, kept.score});
  }
  if (judged.empty()) return move_shot(shot, ShotState::kAttention, "every take was dropped");
  emit(record::TakesRanked{shot, policy::rank(judged), now_.wall_ms});
  if (row.spec.approve_best) {
    approve(shot, row.ranking.front(), "approve: best");
  } else {
    move_shot(shot, ShotState::kReview);
  }
}

void Decider::approve(ShotId shot, std::uint32_t take_number, const std::string& by) {
  emit(record::TakeApproved{shot, take_number, by, now_.wall_ms});
  move_take(shot, take_number, TakeState::kApproved, "approved by " + by);
  const Shot& row = state_.shots[shot];
  std::vector<TaskId> shown;
  for (const Take& take : row.takes) {
    const VersionGraph& graph = take.versions[take.kept].graph;
    const bool complete = std::all_of(graph.decode.begin(), graph.decode.end(), [&](TaskId id) {
      return state_.task(id).state == TaskState::kSucceeded;
    });
    const bool under_way = take.state == TakeState::kPlanned || take.state == TakeState::kRendering;
    if (under_way) {  // somebody chose before this one was ready: nobody waits for it any more
      const std::string why = "another take was approved";
      if (complete) {
        close_tasks(shot, take.number, TaskState::kAborted, why);
        move_take(shot, take.number, TakeState::kJudged, why);
      } else {
        drop_take(shot, take.number, why);
      }
    }
    if (!complete) continue;
    shown.insert(shown.end(), graph.decode.begin(), graph.decode.end());
    if (state_.task(graph.critique).state == TaskState::kSucceeded) shown.push_back(graph.critique);
  }
  PlannedTask delivery = plan_draft_delivery(row.spec, take_number, shown, next_task());
  delivery.revision = row.takes[take_number - 1].kept;
  emit(record::DeliveryPlanned{shot, take_number, {std::move(delivery)}, now_.wall_ms});
  if (row.spec.upgrade) {
    if (const Status planned = plan_upgrade_of(shot); !planned) {
      move_shot(shot, ShotState::kAttention, planned.error().message);
    }
  } else {
    move_shot(shot, ShotState::kDrafting);
  }
}

Status Decider::plan_upgrade_of(ShotId shot) {
  const Shot& row = state_.shots[shot];
  const Take& take = row.takes[row.approved - 1];
  auto plan = plan_upgrade(row.spec, take.number, take.versions[take.kept].graph, row.encode, next_task());
  if (!plan) return tl::unexpected(plan.error());
  auto recipe = decode_recipe(take.versions[take.kept].recipe);
  if (!recipe) return tl::unexpected(recipe.error());
  recipe->master = std::move(plan->master);
  record::UpgradePlanned planned;
  planned.shot = shot;
  planned.take = take.number;
  planned.graph = std::move(plan->graph);
  planned.recipe = encode_recipe(*recipe);
  planned.recipe_hash = recipe_hash(planned.recipe);
  planned.tasks = std::move(plan->tasks);
  planned.wall_ms = now_.wall_ms;
  emit(std::move(planned));
  move_shot(shot, ShotState::kUpgrading);
  return {};
}

void Decider::drop_take(ShotId shot, std::uint32_t take, const std::string& reason) {
  move_take(shot, take, TakeState::kDropped, reason);
  close_tasks(shot, take, TaskState::kAborted, "take " + std::to_string(take) + " was dropped: " + reason);
  leave_attention(shot);
  rank_if_judged(shot);
}

void Decider::close_tasks(ShotId shot, std::uint32_t take, TaskState then, const std::string& reason) {
  for (std::size_t i = 0; i < state_.shots[shot].tasks.size(); ++i) {
    const TaskId id = state_.shots[shot].tasks[i];
    if (take == 0 || state_.task(id).plan.take == take) close_task(id, then, reason);
  }
}

void Decider::close_task(TaskId id, TaskState then, const std::string& reason) {
  const Task& task = state_.task(id);
  if (is_final(task.state)) return;
  if (!is_held(task.state)) {
    emit(record::TaskClosed{id, then, reason, now_.wall_ms});
  } else if (!task.lease.revoking || task.lease.then != then) {
    revoke(task, then, reason);
  }
}

// Nobody waits for the take's master any more.
void Decider::close_upgrade(ShotId shot, std::uint32_t take, const std::string& reason) {
  const UpgradeGraph& graph = state_.shots[shot].takes[take - 1].upgrade;
  if (graph.enlarge == 0) return;
  for (TaskId id = graph.enlarge; id <= graph.deliver; ++id)
    if (state_.task(id).shot == shot) close_task(id, TaskState::kAborted, reason);
}

// The draft or master of another choice is not wanted any more.
void Decider::withdraw_approval(ShotId shot, const std::string& reason) {
  const Shot& row = state_.shots[shot];
  if (row.approved == 0) {
    if (!row.ranking.empty()) emit(record::TakesRanked{shot, {}, now_.wall_ms});
    return;
  }
  const std::uint32_t before = row.approved;
  if (row.draft_delivery != 0) close_task(row.draft_delivery, TaskState::kAborted, reason);
  close_upgrade(shot, before, reason);
  emit(record::TakeApproved{shot, 0, {}, now_.wall_ms});
  emit(record::TakesRanked{shot, {}, now_.wall_ms});
  move_take(shot, before, TakeState::kJudged, reason);
}

void Decider::finish_if_delivered(ShotId shot) {
  const Shot& row = state_.shots[shot];
  if (row.approved == 0 || row.draft_delivery == 0 || !is_done(state_.task(row.draft_delivery))) return;
  const UpgradeGraph& graph = row.takes[row.approved - 1].upgrade;
  if (graph.enlarge != 0 && !is_done(state_.task(graph.deliver))) return;
  move_shot(shot, ShotState::kDelivered);
}

ShotState Decider::state_of_work(const Shot& shot) const {
  if (shot.approved != 0) {
    return shot.takes[shot.approved - 1].upgrade.enlarge != 0 ? ShotState::kUpgrading : ShotState::kDrafting;
  }
  if (!shot.ranking.empty()) return ShotState::kReview;
  return shot.started_wall_ms == 0 ? ShotState::kQueued : ShotState::kDrafting;
}

void Decider::leave_attention(ShotId shot) {
  const Shot& row = state_.shots[shot];
  if (row.state != ShotState::kAttention || row.attention_task == 0) return;
  if (state_count(row, TaskState::kFailed) == 0) return move_shot(shot, state_of_work(row));
  if (state_.task(row.attention_task).state == TaskState::kFailed) return;
  for (const TaskId id : row.tasks) {  // another one still needs a person
    const Task& task = state_.task(id);
    if (task.state == TaskState::kFailed)
      return move_shot(shot, ShotState::kAttention, task.closed_reason, id);
  }
}

void Decider::move_shot(ShotId shot, ShotState to, std::string reason, TaskId task) {
  const Shot& row = state_.shots[shot];
  // What needs a person stays visible until it is resolved; new work of other takes does not hide it.
  const bool hides = row.state == ShotState::kAttention && row.attention_task != 0 &&
                     state_.task(row.attention_task).state == TaskState::kFailed &&
                     (to == ShotState::kDrafting || to == ShotState::kUpgrading || to == ShotState::kQueued);
  if (hides || (row.state == to && row.reason == reason && row.attention_task == task)) return;
  emit(record::ShotMoved{shot, to, std::move(reason), task, now_.wall_ms});
}

void Decider::move_take(ShotId shot, std::uint32_t take, TakeState to, std::string reason) {
  const Take& row = state_.shots[shot].takes[take - 1];
  if (row.state == to && row.reason == reason) return;
  emit(record::TakeMoved{shot, take, to, std::move(reason), now_.wall_ms});
}

}  // namespace rushes::scheduler
