#include "scheduler/core/dispatch/assign.h"

#include <algorithm>

#include "config/version_name.h"
#include "scheduler/core/decide/moves.h"
#include "scheduler/core/decide/takes.h"
#include "scheduler/core/dispatch/placement.h"
#include "scheduler/core/policy/numeric_class.h"
#include "scheduler/core/policy/priority.h"
#include "scheduler/core/policy/ranking.h"
#include "scheduler/core/state/estimates.h"
#include "scheduler/core/state/needs.h"
#include "scheduler/plan/compose.h"
#include "scheduler/plan/plan.h"
#include "scheduler/plan/recipe.h"

namespace rushes::scheduler {
namespace {

void pin_class(Decision& decision, ShotId shot, const Worker& worker, const Requirements& needs) {
  const State& state = decision.state();
  record::ClassPinned pinned;
  pinned.shot = shot;
  const std::string& wanted = class_of(state.shots[shot]);
  pinned.numeric_class = wanted.empty() ? class_to_begin(state, worker, needs) : wanted;
  pinned.engine_build = worker.offer.build;
  for (const Take& take : state.shots[shot].takes) {
    Recipe recipe = take_recipe(state.shots[shot].spec, take.number);
    recipe.numeric_class = pinned.numeric_class;
    recipe.engine_build = pinned.engine_build;
    record::TakeRecipe entry{take.number, encode_recipe(recipe), {}};
    entry.hash = recipe_hash(entry.recipe);
    pinned.recipes.push_back(std::move(entry));
  }
  decision.emit(std::move(pinned));
}

// Ranked anew: a person's choice ends the shot's own ranking.
std::vector<TakeShown> shown_takes(const Shot& shot) {
  std::vector<policy::Judged> judged;
  for (const Take& take : shot.takes) {
    if (!is_planned(take) || take.state == TakeState::kDropped) continue;
    const Version& kept = take.versions[take.kept];
    if (kept.judged) judged.push_back({take.number, kept.verdict, kept.score});
  }
  const std::vector<std::uint32_t> ranking = policy::rank(judged);
  std::vector<TakeShown> shown;
  for (const Take& take : shot.takes) {
    const auto place = std::find(ranking.begin(), ranking.end(), take.number);
    const bool renewed = take.kept != 0 && take.kept < take.versions.size();
    shown.push_back({static_cast<int>(take.number), static_cast<int>(take.kept),
                     renewed ? take.versions[take.kept].seed : shot.spec.seeds[take.number - 1],
                     place == ranking.end() ? 0 : static_cast<int>(place - ranking.begin()) + 1});
  }
  return shown;
}

TaskSpec spec_of(const State& state, const Task& task) {
  const Shot& shot = state.shots[task.shot];
  std::vector<Made> made;
  for (const Dependency& need : task.plan.needs) {
    if (!need.data) continue;
    const Task& maker = state.task(need.task);
    made.push_back({&maker.plan, &maker.result.outputs});
  }
  Composition composition;
  composition.spec = &shot.spec;
  composition.task = &task.plan;
  composition.made = made;
  composition.version =
      config::version_name(task.plan.master_delivery ? shot.master_versions : shot.draft_versions);
  composition.shot_wall_ms = shot.created_wall_ms;
  if (task.plan.stage == Stage::kDeliver) composition.takes = shown_takes(shot);
  Bytes shared;  // what belongs to the whole shot has the recipe without a seed
  const Take* take = state.take_of(task);
  if (take == nullptr) {
    Recipe recipe = shot.spec.recipe;
    recipe.numeric_class = shot.numeric_class;
    recipe.engine_build = shot.engine_build;
    shared = encode_recipe(recipe);
    composition.recipe = &shared;
  } else {
    composition.recipe = &recipe_of(*take, task.plan);
  }
  return compose(composition);
}

std::uint32_t no_progress_ms(const Decision& decision, const Task& task) {
  double ms = static_cast<double>(decision.settings().times.no_progress_min.count());
  if (const policy::Expected time = expected(decision.state(), task); time.measured)
    ms = std::max(ms, decision.settings().times.no_progress_factor * time.seconds * 1000);
  return static_cast<std::uint32_t>(std::min(ms, 24.0 * 3600 * 1000));
}

}  // namespace

void assign(Decision& decision, WorkerId id, TaskId task_id, bool prefetched, bool in_turn) {
  const State& state = decision.state();
  const ShotId shot = state.task(task_id).shot;
  if (state.shots[shot].unplanned > 0) plan_takes(decision, shot);
  if (state.shots[shot].numeric_class.empty() && computes_tensors(state.task(task_id).plan)) {
    pin_class(decision, shot, state.workers[id], needs_of(state, state.task(task_id)));
  }
  const Task& task = state.task(task_id);
  const AttemptId ref{task_id, task.attempt + 1, state.next_lease};
  const Flow& flow = state.queue.flows()[state.shots[shot].flow];
  const Digest& model = state.shots[shot].spec.recipe.model_digest;
  const bool loads = !prefetched && computes_tensors(task.plan) && model != state.workers[id].model_loaded;
  const double load = loads ? load_seconds(state, model) : 0;
  const Charge charge{static_cast<double>(task.cost) + load, 1 / state.shows[flow.show].weight,
                      policy::virtual_seconds(flow.priority), in_turn};
  decision.emit(record::Leased{ref, id, decision.lease_end(), decision.now().wall_ms, charge});
  if (state.shots[shot].state == ShotState::kQueued) move_shot(decision, shot, ShotState::kDrafting);
  const std::uint32_t take = task.plan.take;
  if (take != 0 && state.shots[shot].take(take).state == TakeState::kPlanned) {
    move_take(decision, shot, take, TakeState::kRendering);
  }
  const Worker& worker = state.workers[id];
  decision.send(
      worker.name, worker.process.id,
      protocol::Assign{ref, static_cast<std::uint32_t>(decision.settings().times.lease.count()),
                       no_progress_ms(decision, state.task(task_id)), spec_of(state, state.task(task_id))});
}

}  // namespace rushes::scheduler
