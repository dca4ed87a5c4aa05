// decide(): ready tasks meet workers with room.
//
// A worker with a free slot asks the shows in fair order; inside a show it looks at the buckets that it fits,
// takes the one whose model it has loaded (else the one with the first task in order) and of its first few
// tasks of equal priority the one whose inputs it holds. Cost per placement: shows + buckets + a few
// candidates, never all tasks.
#include <algorithm>
#include <cassert>

#include "config/mutation.h"
#include "scheduler/core/decider.h"
#include "scheduler/core/index.h"
#include "scheduler/core/policy/fit.h"
#include "scheduler/core/policy/locality.h"
#include "scheduler/core/policy/numeric_class.h"
#include "scheduler/core/policy/prefetch.h"
#include "scheduler/plan/compose.h"
#include "scheduler/plan/plan.h"
#include "scheduler/plan/recipe.h"

namespace rushes::scheduler {
namespace {

std::uint32_t farm_slots(const State& state) {
  std::uint32_t slots = 0;
  for (const Worker& worker : state.workers) slots += worker.connected ? worker.slots : 0;
  return slots;
}

policy::Candidate candidate_of(const State& state, const Worker& worker, const Task& task) {
  policy::Candidate candidate;
  for (const Dependency& need : task.plan.needs) {
    if (!need.data) continue;
    for (const Output& output : state.task(need.task).result.outputs) {
      candidate.input_bytes += output.bytes;
      if (worker.cached.contains(std::string(storage::bytes_of(output.digest))))
        candidate.held_bytes += output.bytes;
    }
  }
  return candidate;
}

}  // namespace

void Decider::dispatch() {
  if (!state_.dispatch_due) return;
  if (state_.ready == 0) {  // as after most heartbeats: the workers need not be counted
    emit(record::Dispatched{});
    return;
  }
  const std::uint32_t slots = farm_slots(state_);
  // Every free slot first, one task per worker and turn, so that work spreads; then what may be fetched
  // ahead.
  for (const bool ahead : {false, true}) {
    bool given = true;
    while (given && state_.ready > 0) {
      given = false;
      const std::vector<WorkerId> hungry(state_.hungry.begin(), state_.hungry.end());
      for (const WorkerId id : hungry) {
        const Worker& worker = state_.workers[id];
        const bool room = ahead ? worker.leases.size() < worker.slots + worker.prefetch
                                : worker.leases.size() < worker.slots;
        if (state_.ready == 0 || (ahead && !policy::may_prefetch(state_.ready, slots))) break;
        if (room && give_one(id, slots)) given = true;
      }
    }
  }
  emit(record::Dispatched{});
}

std::vector<policy::ShowLoad> Decider::show_loads() const {
  std::vector<policy::ShowLoad> loads;
  for (const Show& show : state_.shows) {
    const auto listed = std::find_if(settings_.shows.begin(), settings_.shows.end(),
                                     [&](const config::Show& s) { return s.name == show.name; });
    policy::ShowLoad load{show.leased, show.ready > 0, 1, 0};
    if (listed != settings_.shows.end()) {
      load.weight = listed->weight;
      load.floor = listed->floor;
    }
    if (mutated(Mutation::kStarveShow)) load = {load.leased, load.runnable, loads.size() == 1 ? 1e-6 : 1, 0};
    loads.push_back(load);
  }
  return loads;
}

bool Decider::give_one(WorkerId id, std::uint32_t slots) {
  const TaskId task = choose(state_.workers[id], policy::fair_order(show_loads(), slots));
  if (task == 0) return false;
  lease(id, task);
  return true;
}

TaskId Decider::choose(const Worker& worker, const std::vector<std::uint32_t>& shows) {
  for (const std::uint32_t show : shows) {
    TaskId best = 0;
    bool best_loaded = false;
    ReadyKey best_key;
    for (const std::uint32_t index : state_.shows[show].buckets) {
      const Bucket& bucket = state_.buckets[index];
      if (bucket.ready.empty() || policy::fit(worker, bucket.needs) != policy::Fit::kFits) continue;
      if (bucket.needs.numeric_class.empty() &&
          policy::choose_class(worker, state_.workers, bucket.needs).empty()) {
        continue;
      }
      const auto found = best_of_bucket(worker, bucket);
      if (!found) continue;
      // Priority first; then a model that is loaded already; then the order of the queue.
      const bool loaded = bucket.needs.model == Digest{} || bucket.needs.model == worker.model_loaded;
      const ReadyKey& key = found->first;
      const bool better =
          best == 0 || key.priority > best_key.priority ||
          (key.priority == best_key.priority && (loaded != best_loaded ? loaded : key < best_key));
      if (better) {
        best = found->second;
        best_loaded = loaded;
        best_key = key;
      }
    }
    if (best != 0) return best;
  }
  return 0;
}

// The head of the bucket that this worker may take, and of those of equal priority the one nearest to its
// data.
std::optional<std::pair<ReadyKey, TaskId>> Decider::best_of_bucket(const Worker& worker,
                                                                   const Bucket& bucket) {
  std::vector<policy::Candidate> candidates;
  std::vector<TaskId> tasks;
  ReadyKey head;
  for (const ReadyKey& key : bucket.ready) {
    if (tasks.size() == policy::kCompared) break;
    if (!tasks.empty() && (key.priority != head.priority || key.shot != head.shot)) break;
    const Task& task = state_.task(key.task);
    if (avoids(task, worker)) continue;
    if (tasks.empty()) head = key;
    tasks.push_back(key.task);
    candidates.push_back(candidate_of(state_, worker, task));
  }
  if (tasks.empty()) return std::nullopt;
  return std::pair(head, tasks[policy::nearest(candidates)]);
}

// A task that failed here goes to another worker, if there is one that could take it.
bool Decider::avoids(const Task& task, const Worker& worker) const {
  if (task.failures == 0 || task.bad_attempts.empty() || task.bad_attempts.back().worker != worker.name)
    return false;
  const Needs needs = needs_of(state_, task);
  return std::any_of(state_.workers.begin(), state_.workers.end(), [&](const Worker& other) {
    return &other != &worker && policy::takes_work(other) && policy::fit(other, needs) == policy::Fit::kFits;
  });
}

void Decider::lease(WorkerId id, TaskId task_id) {
  const ShotId shot = state_.task(task_id).shot;
  if (state_.shots[shot].unplanned > 0) plan_takes(shot);
  if (state_.shots[shot].numeric_class.empty()) {
    pin_class(shot, state_.workers[id], needs_of(state_, state_.task(task_id)));
  }
  const Task& task = state_.task(task_id);
  const AttemptRef ref{task_id, task.attempt + 1, state_.next_lease};
  emit(record::Leased{ref, id, lease_end(), now_.wall_ms});
  if (state_.shots[shot].state == ShotState::kQueued) move_shot(shot, ShotState::kDrafting);
  const std::uint32_t take = task.plan.take;
  if (take != 0 && state_.shots[shot].takes[take - 1].state == TakeState::kPlanned) {
    move_take(shot, take, TakeState::kRendering);
  }
  command::Assign assign;
  static_cast<AttemptRef&>(assign) = ref;
  assign.worker = state_.workers[id].name;
  assign.lease_ms = static_cast<std::uint32_t>(settings_.times.lease.count());
  assign.no_progress_ms = no_progress_ms(state_.task(task_id));
  assign.spec = spec_of(state_.task(task_id));
  send(std::move(assign));
}

void Decider::pin_class(ShotId shot, const Worker& worker, const Needs& needs) {
  record::ClassPinned pinned;
  pinned.shot = shot;
  pinned.numeric_class = policy::choose_class(worker, state_.workers, needs);
  pinned.engine_build = worker.build;
  for (const Take& take : state_.shots[shot].takes) {
    Recipe recipe = take_recipe(state_.shots[shot].spec, take.number);
    recipe.numeric_class = pinned.numeric_class;
    recipe.engine_build = pinned.engine_build;
    record::TakeRecipe entry{take.number, encode_recipe(recipe), {}};
    entry.hash = recipe_hash(entry.recipe);
    pinned.recipes.push_back(std::move(entry));
  }
  emit(std::move(pinned));
}

Bytes Decider::spec_of(const Task& task) const {
  const Shot& shot = shot_of(task);
  std::vector<Made> made;
  for (const Dependency& need : task.plan.needs) {
    if (!need.data) continue;
    const Task& maker = state_.task(need.task);
    made.push_back({&maker.plan, &maker.result.outputs});
  }
  Composition composition;
  composition.spec = &shot.spec;
  composition.task = &task.plan;
  composition.made = made;
  composition.version =
      delivery_version(task.plan.master_delivery ? shot.master_versions : shot.draft_versions);
  Bytes shared;  // what belongs to the whole shot has the recipe without a seed
  const Take* take = state_.take_of(task);
  if (take == nullptr) {
    Recipe recipe = shot.spec.recipe;
    recipe.numeric_class = shot.numeric_class;
    recipe.engine_build = shot.engine_build;
    shared = encode_recipe(recipe);
    composition.recipe = &shared;
  } else if (task.plan.level > 0) {
    composition.recipe = &take->master_recipe;
  } else {
    composition.recipe = &take->versions[task.plan.revision].recipe;
  }
  return compose(composition);
}

std::uint32_t Decider::no_progress_ms(const Task& task) const {
  const Shot& shot = shot_of(task);
  double ms = static_cast<double>(settings_.times.no_progress_min.count());
  const auto rate =
      state_.rates.find({task.plan.stage, task.plan.level, shot.spec.recipe.model, shot.numeric_class});
  if (rate != state_.rates.end()) {
    const double estimate = rate->second.seconds_per_work * task.plan.work * 1000;
    ms = std::max(ms, settings_.times.no_progress_factor * estimate);
  }
  return static_cast<std::uint32_t>(std::min(ms, 24.0 * 3600 * 1000));
}

}  // namespace rushes::scheduler
