// decide(): ready tasks meet workers with room.
//
// A worker with a free slot asks the shows in fair order, inside a show its flows in the order of their
// virtual time, inside a flow the buckets that it may take now; the first lane of the best bucket gives the
// task (core/state/queue.h). A worker stays with the model that it has loaded while nobody falls far behind, and
// leaves a task to an idle worker that is better placed. The policies are in core/policy/; this file stages
// them.
//
// Cost per placement: shows + flows + buckets + a few candidates, never all tasks.
#include <algorithm>
#include <cassert>

#include "config/mutation.h"
#include "scheduler/core/decider.h"
#include "scheduler/core/dispatch/placement.h"
#include "scheduler/core/policy/affinity.h"
#include "scheduler/core/policy/locality.h"
#include "scheduler/core/policy/numeric_class.h"
#include "scheduler/core/policy/path.h"
#include "scheduler/core/policy/prefetch.h"
#include "scheduler/core/policy/priority.h"
#include "scheduler/core/state/estimates.h"
#include "scheduler/core/state/index.h"
#include "scheduler/plan/compose.h"
#include "scheduler/plan/plan.h"
#include "scheduler/plan/recipe.h"

namespace rushes::scheduler {
namespace {

constexpr int kLooked = 64, kLookedReserved = 4;  // lanes of a bucket

policy::Candidate candidate_of(const State& state, const Worker& worker, const Task& task) {
  policy::Candidate candidate;
  for (const Dependency& need : task.plan.needs) {
    if (!need.data) continue;
    for (const Output& output : state.task(need.task).result.outputs) {
      candidate.input_bytes += output.bytes;
      if (worker.cached.contains(output.digest)) candidate.held_bytes += output.bytes;
    }
  }
  return candidate;
}

// Whether a worker with room that made one of the inputs holds more of them than this one does.
bool nearer_elsewhere(const State& state, WorkerId here, const Task& task, const Needs& needs) {
  const policy::Candidate mine = candidate_of(state, state.workers[here], task);
  if (mine.held_bytes == mine.input_bytes) return false;
  return std::any_of(task.plan.needs.begin(), task.plan.needs.end(), [&](const Dependency& need) {
    const WorkerId id = state.task(need.task).accepted_worker;
    if (!need.data || id == here || !state.hungry.contains(id)) return false;
    const Worker& other = state.workers[id];
    return has_free_slot(other) && is_loaded(other, needs) && hold_of(state, other, needs) == Hold::kNone &&
           candidate_of(state, other, task).held_bytes > mine.held_bytes;
  });
}

}  // namespace

void Decider::dispatch() {
  if (!state_.reservations.empty()) end_reservations();
  if (!state_.dispatch_due) return;
  if (state_.ready + state_.ahead > 0 || !state_.stacked.empty()) {
    // Every free slot first, one task per worker and turn, so that work spreads: to workers that are well
    // placed, then to any; then what may be fetched ahead; then, where nothing else is left, what may run
    // ahead.
    const std::vector<WorkerId> free(state_.idle.begin(), state_.idle.end());
    if (free.size() > 1) {  // else nobody could be better placed
      round(Turn::kNear, free);
      round(Turn::kLoaded, free);
      round(Turn::kFresh, free);
    }
    round(Turn::kAny, free);
    if (policy::may_prefetch(state_.ready, state_.slots))
      round(Turn::kPrefetch, {state_.hungry.begin(), state_.hungry.end()});
    if (settings_.scheduling.run_ahead) round(Turn::kAhead, free);
    rearrange();
  }
  emit(record::Dispatched{});
}

void Decider::round(Turn turn, const std::vector<WorkerId>& workers) {
  const std::uint64_t& waiting = turn == Turn::kAhead ? state_.ahead : state_.ready;
  const bool prefetch = turn == Turn::kPrefetch;
  // A worker that got nothing: another one that offers the same, has the same loaded and no more memory free
  // gets nothing either. (Ahead of a slot more than the sum of its memory decides.)
  struct Barren {
    std::uint32_t kind;
    std::uint64_t taken;
    Digest model;
  };
  std::vector<Barren> barren;
  const auto taken_of = [](const Worker& worker) {
    return policy::memory_taken(worker.held_memory, worker.slots);
  };
  const auto is_barren = [&](const Worker& worker) {
    return std::any_of(barren.begin(), barren.end(), [&](const Barren& other) {
      return other.kind == worker.kind && other.model == worker.model_loaded &&
             other.taken <= taken_of(worker);
    });
  };
  for (bool given = true; given && waiting > 0;) {
    given = false;
    for (const WorkerId id : workers) {
      if (waiting == 0) return;
      const Worker& worker = state_.workers[id];
      if (prefetch && !policy::may_prefetch(state_.ready, state_.slots)) return;
      const bool room =
          prefetch ? worker.leases.size() < worker.slots + worker.prefetch : has_free_slot(worker);
      const Given result = room && !is_barren(worker) ? give_one(id, turn) : Given::kNotHere;
      if (result == Given::kTask) {
        given = true;
        barren.clear();  // another task's turn: it may need what they have loaded, or begin in their class
      } else if (result == Given::kNothing && !prefetch) {
        barren.push_back({worker.kind, taken_of(worker), worker.model_loaded});
      }
    }
  }
}

std::vector<policy::ShowLoad> Decider::show_loads() const {
  std::vector<policy::ShowLoad> loads;
  loads.reserve(state_.shows.size());
  for (const Show& show : state_.shows) {
    policy::ShowLoad load{show.slots, show.ready > 0, show.weight, show.floor, show.pass};
    if (mutated(Mutation::kStarveShow))
      load = {load.leased, load.runnable, 1, 0, loads.size() == 1 ? 1e18 : 0};
    loads.push_back(load);
  }
  return loads;
}

Decider::Given Decider::give_one(WorkerId id, Turn turn) {
  const Worker& worker = state_.workers[id];
  std::vector<policy::ShowLoad> loads = show_loads();
  if (turn == Turn::kAhead) {
    for (std::size_t i = 0; i < loads.size(); ++i) loads[i].runnable = true;
  }
  const std::vector<std::uint32_t> shows = policy::fair_order(loads, state_.slots);
  Search search{shows, turn == Turn::kAhead};
  std::optional<Pick> pick = find(id, search);
  if (search.blocked && turn < Turn::kPrefetch && reserve(*search.blocked)) {
    search.blocked.reset();
    pick = find(id, search);  // this worker may be the one that is kept free now
  }
  if (!pick) return search.passed_over ? Given::kNotHere : Given::kNothing;
  // What is fetched ahead finds the weights of the task before it.
  const Digest& model = turn == Turn::kPrefetch ? worker.model_given : worker.model_loaded;
  if (needs_other(model, state_.buckets[pick->bucket].needs)) {
    pick = stay_or_switch(id, model, *pick, loads, search, turn);
    if (!pick) return search.passed_over ? Given::kNotHere : Given::kNothing;
  } else if (turn == Turn::kNear &&
             nearer_elsewhere(state_, id, state_.task(pick->task), state_.buckets[pick->bucket].needs)) {
    return Given::kNotHere;
  }
  lease(id, pick->task, turn, policy::below_floor(loads[pick->show], state_.slots) == 0);
  return Given::kTask;
}

// The task whose turn it is needs other weights than `model`, which the worker has.
std::optional<Decider::Pick> Decider::stay_or_switch(WorkerId id, const Digest& model, const Pick& due,
                                                     const std::vector<policy::ShowLoad>& loads,
                                                     const Search& search, Turn turn) {
  if (model != Digest{}) {
    Search same{search.shows, search.ahead, model};
    const std::optional<Pick> pick = find(id, same);
    if (pick && may_stay(*pick, due, loads)) return pick;
  }
  // Which weights a slot changes to is decided when it is free.
  const bool may_load =
      (turn >= Turn::kAny && turn != Turn::kPrefetch) || (turn == Turn::kFresh && model == Digest{});
  return may_load ? std::optional(due) : std::nullopt;
}

bool Decider::may_stay(const Pick& pick, const Pick& due, const std::vector<policy::ShowLoad>& loads) const {
  const Show& show = state_.shows[pick.show];
  const Show& due_show = state_.shows[due.show];
  const Digest& model = state_.buckets[due.bucket].needs.model;
  const double seconds = std::max(1e-3, static_cast<double>(state_.task(pick.task).cost));
  policy::Passed passed;
  if (pick.show != due.show) {
    if (policy::below_floor(loads[pick.show], state_.slots) <
        policy::below_floor(loads[due.show], state_.slots))
      return false;
    passed = {show.pass - due_show.pass, 1 / show.weight, due_show.slots, share_of(state_, due_show)};
  } else {
    const Flow& flow = state_.flows[pick.flow];
    const Flow& due_flow = state_.flows[due.flow];
    passed = {flow.pass - due_flow.pass, policy::virtual_seconds(flow.priority), due_flow.slots,
              share_of(state_, due_show) * share_of(state_, due_flow)};
  }
  return policy::may_stay(passed, seconds, load_seconds(state_, model), state_.slots);
}

// The first task in order that the worker may take. What comes before it and would fit but for the memory
// that is taken now is noted: it may need a reservation.
std::optional<Decider::Pick> Decider::find(WorkerId id, Search& search) const {
  const Worker& worker = state_.workers[id];
  for (const std::uint32_t show : search.shows) {
    std::vector<FlowId> flows = state_.shows[show].flows;
    std::sort(flows.begin(), flows.end(), [&](FlowId a, FlowId b) {
      const double first = state_.flows[a].pass, second = state_.flows[b].pass;
      return first != second ? first < second : a < b;
    });
    for (const FlowId flow : flows) {
      std::optional<Pick> best, blocked;
      const Flow& row = state_.flows[flow];
      for (const std::uint32_t index : search.ahead ? row.ahead : row.buckets) {
        const Bucket& bucket = state_.buckets[index];
        if (!bucket.fits[worker.kind] || (search.only && needs_other(*search.only, bucket.needs))) continue;
        const Hold hold = hold_of(state_, worker, bucket);
        if (hold != Hold::kNone && hold != Hold::kBusyMemory) continue;
        std::optional<Pick> pick = head_of(id, index, search.passed_over);
        if (!pick) continue;
        pick->show = show;
        pick->flow = flow;
        auto& kept = hold == Hold::kNone ? best : blocked;
        if (!kept || goes_before(*pick, *kept)) kept = pick;
      }
      if (blocked && !search.blocked && (!best || goes_before(*blocked, *best))) search.blocked = blocked;
      if (!best) continue;
      best->task = nearest_of(id, *best);
      return best;
    }
  }
  return std::nullopt;
}

bool Decider::goes_before(const Pick& a, const Pick& b) {
  if (a.critical != b.critical) return a.critical;
  if (!a.critical && a.lane != b.lane) return a.lane < b.lane;
  return a.path != b.path ? a.path > b.path : a.task < b.task;
}

// The first task of a bucket that this worker may take.
std::optional<Decider::Pick> Decider::head_of(WorkerId id, std::uint32_t index, bool& passed_over) const {
  const Bucket& bucket = state_.buckets[index];
  const auto first = bucket.lanes.begin();
  const auto& [minus_path, longest] = *bucket.by_path.begin();
  const bool critical = first->first.deadline_wall_ms == LaneKey::kNever &&
                        policy::decides_the_end(static_cast<double>(-minus_path), state_.left_seconds,
                                                state_.slots, !bucket.needs.numeric_class.empty());
  if (critical) {
    if (auto pick = head_of(id, bucket.lanes.at(longest), passed_over)) {
      pick->bucket = index;
      pick->lane = longest;
      pick->critical = true;
      return pick;
    }
  }
  // Not all of the queue where this worker may have none of it; a reserved one is filled up only by the way.
  const bool reserved = reservation_of(state_, id) != nullptr;
  int looked = reserved ? kLookedReserved : kLooked;
  for (auto lane = first; lane != bucket.lanes.end() && looked-- > 0; ++lane) {
    if (auto pick = head_of(id, lane->second, passed_over)) {
      pick->bucket = index;
      pick->lane = lane->first;
      return pick;
    }
  }
  passed_over = passed_over || reserved;
  return std::nullopt;
}

// The first task of a lane that this worker may take.
std::optional<Decider::Pick> Decider::head_of(WorkerId id, const Lane& lane, bool& passed_over) const {
  for (const ReadyKey& key : lane) {
    const May may = may_take(id, state_.task(key.task));
    passed_over = passed_over || may == May::kNotThis;
    if (may != May::kTake) continue;
    Pick pick;
    pick.task = key.task;
    pick.path = key.path;
    return pick;
  }
  return std::nullopt;
}

Decider::May Decider::may_take(WorkerId id, const Task& task) const {
  static const Outlook none;
  const Outlook& outlook = shot_of(task).numeric_class.empty() ? outlook_for(task) : none;
  const Avoids why = avoids(state_, task, state_.workers[id], outlook);
  if (why == Avoids::kClass) return May::kNotThisKind;
  return why == Avoids::kNot && leaves_reservation(state_, id, task, now_.boot_ms) ? May::kTake
                                                                                   : May::kNotThis;
}

// Asked for many tasks of a bucket in a row, before anything is decided.
const Outlook& Decider::outlook_for(const Task& task) const {
  if (outlook_bucket_ != task.bucket || outlook_records_ != decision_.records.size()) {
    outlook_ = outlook_of(state_, task);
    outlook_bucket_ = task.bucket;
    outlook_records_ = decision_.records.size();
  }
  return outlook_;
}

// Of the lane's tasks with about the longest path the one that is nearest to its data.
TaskId Decider::nearest_of(WorkerId id, const Pick& pick) const {
  const Worker& worker = state_.workers[id];
  const Lane& lane = state_.buckets[pick.bucket].lanes.at(pick.lane);
  std::vector<policy::Candidate> candidates;
  std::vector<TaskId> tasks;
  for (auto key = lane.find({pick.path, pick.task}); key != lane.end(); ++key) {
    if (tasks.size() == policy::kCompared || key->path < policy::kAsLong * pick.path) break;
    const Task& task = state_.task(key->task);
    if (may_take(id, task) != May::kTake) continue;
    tasks.push_back(key->task);
    candidates.push_back(candidate_of(state_, worker, task));
    if (candidates.back().held_bytes == candidates.back().input_bytes) break;  // none can be nearer
  }
  return tasks[policy::nearest(candidates)];
}

void Decider::lease(WorkerId id, TaskId task_id, Turn turn, bool in_turn) {
  const ShotId shot = state_.task(task_id).shot;
  if (state_.shots[shot].unplanned > 0) plan_takes(shot);
  if (state_.shots[shot].numeric_class.empty()) {
    pin_class(shot, state_.workers[id], needs_of(state_, state_.task(task_id)));
  }
  const Task& task = state_.task(task_id);
  const AttemptRef ref{task_id, task.attempt + 1, state_.next_lease};
  const Flow& flow = state_.flows[state_.shots[shot].flow];
  const Needs needs = needs_of(state_, task);
  const bool loads = turn != Turn::kPrefetch && !is_loaded(state_.workers[id], needs);
  const double load = loads ? load_seconds(state_, needs.model) : 0;
  const Charge charge{static_cast<double>(task.cost) + load, 1 / state_.shows[flow.show].weight,
                      policy::virtual_seconds(flow.priority), in_turn};
  emit(record::Leased{ref, id, lease_end(), now_.wall_ms, charge});
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

std::string Decider::spec_of(const Task& task) const {
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
  return encode_task(compose(composition));
}

std::uint32_t Decider::no_progress_ms(const Task& task) const {
  double ms = static_cast<double>(settings_.times.no_progress_min.count());
  if (const policy::Expected time = expected(state_, task); time.measured)
    ms = std::max(ms, settings_.times.no_progress_factor * time.seconds * 1000);
  return static_cast<std::uint32_t>(std::min(ms, 24.0 * 3600 * 1000));
}

}  // namespace rushes::scheduler
