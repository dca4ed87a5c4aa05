#include "scheduler/core/state/take_work.h"

#include <algorithm>
#include <span>

#include "scheduler/core/policy/revisions.h"
#include "scheduler/core/state/estimates.h"
#include "scheduler/plan/cost.h"
#include "scheduler/plan/plan.h"

namespace rushes::scheduler {
namespace {

// The sums over `tasks`, whose ids are first, first + 1, ...; the path is the longest by the first guesses.
void add_up(std::span<const PlannedTask> tasks, StageWork& all, StageWork& longest) {
  if (tasks.empty()) return;
  const TaskId first = tasks.front().id;
  std::vector<double> path(tasks.size());  // seconds from the task's start to an end
  std::vector<std::size_t> after(tasks.size(), tasks.size());
  std::size_t begin = 0;
  for (std::size_t i = tasks.size(); i-- > 0;) {
    const PlannedTask& task = tasks[i];
    all[static_cast<std::size_t>(task.stage)].add(task.work);
    path[i] += first_guess(task.stage) * task.work;
    if (path[i] >= path[begin]) begin = i;
    for (const Dependency& need : task.needs) {
      if (need.task < first) continue;
      const std::size_t maker = need.task.number() - first.number();
      if (path[maker] >= path[i]) continue;
      path[maker] = path[i];
      after[maker] = i;
    }
  }
  for (std::size_t i = begin; i != tasks.size(); i = after[i])
    longest[static_cast<std::size_t>(tasks[i].stage)].add(tasks[i].work);
}

// Whether the farm itself will approve a take of the shot, and upgrade it.
bool will_upgrade(const Shot& shot) {
  return shot.spec.upgrade && shot.spec.approve_best && shot.approved == 0 &&
         shot.state < ShotState::kDelivered;
}

bool is_open(const Take& take) { return take.state <= TakeState::kRendering; }

std::uint32_t rounds_left(const Shot& shot, const Take& take) {
  const auto spent = static_cast<std::uint32_t>(std::max<std::size_t>(take.versions.size(), 1) - 1);
  return shot.spec.revise_windows - std::min(shot.spec.revise_windows, spent);
}

}  // namespace

TakeWork plan_work(const ShotSpec& spec) {
  TakeWork work;
  constexpr TaskId kEncode(1);
  const VersionPlan take = plan_take(spec, 1, kEncode, kEncode + 1);
  add_up(take.tasks, work.all, work.path);
  const auto middle = static_cast<std::uint32_t>(spec.recipe.windows.size() / 2);
  const VersionPlan revision =
      plan_revision(spec, 1, 1, std::vector{middle}, take.graph, kEncode, take.tasks.back().id + 1);
  add_up(revision.tasks, work.revision, work.revision_path);
  if (!spec.upgrade) return work;
  // An upgrade that is too large is refused when its time comes: it is no work.
  if (const auto upgrade = plan_upgrade(spec, 1, take.graph, kEncode, take.tasks.back().id + 1))
    add_up(upgrade->tasks, work.upgrade, work.upgrade_path);
  return work;
}

TakeShape shape_of(const ShotSpec& spec) {
  return {spec.recipe.model_digest,
          static_cast<std::uint32_t>(spec.recipe.rendered_frames),
          static_cast<std::uint32_t>(spec.recipe.draft.timesteps.size()),
          static_cast<std::uint32_t>(spec.master.timesteps.size()),
          spec.upgrade ? spec.scale : 0,
          spec.recipe.draft.guidance,
          spec.gate};
}

TakeWorkId take_work_of(State& state, const ShotSpec& spec) {
  return state.work.take_work_of(shape_of(spec), [&spec] { return plan_work(spec); });
}

double unplanned_seconds(const State& state, const Shot& shot) {
  if (shot.take_work == kNoId || shot.state >= ShotState::kDelivered) return 0;
  const TakeWork& work = state.work.take_work(shot.take_work);
  const double share = policy::revised_share(state.work.judged(), state.work.revised());
  double takes = 0, rounds = 0;
  for (const Take& take : shot.takes) {
    if (!is_open(take)) continue;
    takes += is_planned(take) ? 0 : 1;
    rounds += policy::expected_rounds(share, rounds_left(shot, take));
  }
  double seconds =
      takes * expected(state, shot, work.all, 0) + rounds * expected(state, shot, work.revision, 0);
  if (will_upgrade(shot)) seconds += expected(state, shot, work.upgrade, 1);
  return seconds;
}

double path_of_takes(const State& state, const Shot& shot) {
  return expected(state, shot, state.work.take_work(shot.take_work).path, 0);
}

double path_after_takes(const State& state, const Shot& shot) {
  if (shot.take_work == kNoId || shot.state >= ShotState::kDelivered) return 0;
  const TakeWork& work = state.work.take_work(shot.take_work);
  std::uint32_t open = 0, most = 0;
  for (const Take& take : shot.takes) {
    if (!is_open(take)) continue;
    ++open;
    most = std::max(most, rounds_left(shot, take));
  }
  const double share = policy::revised_share(state.work.judged(), state.work.revised());
  double seconds =
      policy::expected_rounds_of_all(share, most, open) * expected(state, shot, work.revision_path, 0);
  if (will_upgrade(shot)) seconds += expected(state, shot, work.upgrade_path, 1);
  return seconds;
}

}  // namespace rushes::scheduler
