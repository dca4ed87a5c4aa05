#include "scheduler/core/state/queue.h"

#include <algorithm>
#include <cassert>

#include "scheduler/core/policy/fit.h"
#include "scheduler/core/policy/priority.h"
#include "scheduler/core/state/estimates.h"
#include "scheduler/core/state/index.h"
#include "scheduler/core/state/pools.h"
#include "scheduler/core/state/take_work.h"

namespace rushes::scheduler::index {
namespace {

LaneKey lane_of(const Shot& shot, ShotId id) {
  return {shot.urgent ? shot.spec.deadline_wall_ms : LaneKey::kNever, id};
}

std::vector<std::uint32_t>& buckets_of(State& state, const Bucket& bucket) {
  Flow& flow = state.flows[bucket.flow];
  return bucket.needs.ahead ? flow.ahead : flow.buckets;
}

// A bucket is listed by its flow while it has lanes.
void list(State& state, std::uint32_t index) {
  auto& listed = buckets_of(state, state.buckets[index]);
  state.buckets[index].place = static_cast<std::uint32_t>(listed.size());
  listed.push_back(index);
}

void unlist(State& state, std::uint32_t index) {
  Bucket& bucket = state.buckets[index];
  auto& listed = buckets_of(state, bucket);
  listed[bucket.place] = listed.back();
  state.buckets[listed.back()].place = bucket.place;
  listed.pop_back();
  bucket.place = kNoIndex;
}

void enter(State& state, Task& task) {
  const Shot& shot = state.shots[task.shot];
  Requirements needs = needs_of(state, task);
  task.bucket = bucket_of(state, shot.flow, needs);
  Bucket& bucket = state.buckets[task.bucket];
  if (bucket.lanes.empty()) list(state, task.bucket);
  const LaneKey key = lane_of(shot, task.shot);
  Lane& lane = bucket.lanes[key];
  const float before = lane.empty() ? -1 : lane.begin()->path;
  lane.insert({task.path, task.plan.id});
  count_waiting(state, bucket, task, 1);
  if (before == lane.begin()->path) return;
  if (before >= 0) bucket.by_path.erase({-before, key});
  bucket.by_path.insert({-lane.begin()->path, key});
}

void leave(State& state, Task& task) {
  Bucket& bucket = state.buckets[task.bucket];
  const LaneKey key = lane_of(state.shots[task.shot], task.shot);
  const auto found = bucket.lanes.find(key);
  assert(found != bucket.lanes.end());
  Lane& lane = found->second;
  const float before = lane.begin()->path;
  [[maybe_unused]] const auto erased = lane.erase({task.path, task.plan.id});
  assert(erased == 1);
  count_waiting(state, bucket, task, -1);
  const bool changed = lane.empty() || lane.begin()->path != before;
  if (changed) bucket.by_path.erase({-before, key});
  if (lane.empty())
    bucket.lanes.erase(found);
  else if (changed)
    bucket.by_path.insert({-lane.begin()->path, key});
  if (bucket.lanes.empty()) unlist(state, task.bucket);
}

// A show or flow that had nothing to do joins at the clock: what it did not use is not saved up.
void count(State& state, Task& task, bool ahead, int by) {
  const auto more = static_cast<std::uint32_t>(by);  // wraps for -1
  if (ahead) {
    state.ahead = by > 0 ? state.ahead + 1 : state.ahead - 1;
    return;
  }
  Shot& shot = state.shots[task.shot];
  Flow& flow = state.flows[state.buckets[task.bucket].flow];
  Show& show = state.shows[flow.show];
  if (by > 0 && show.ready == 0) show.pass = std::max(show.pass, state.clock);
  if (by > 0 && shot.ready == 0) {
    if (flow.shots == 0) flow.pass = std::max(flow.pass, show.clock);
    ++flow.shots;
  }
  shot.ready += more;
  show.ready += more;
  state.ready = by > 0 ? state.ready + 1 : state.ready - 1;
  if (by < 0 && shot.ready == 0) --flow.shots;
}

// Expected seconds of tasks, for many tasks of one shot in a row.
class Costs {
 public:
  explicit Costs(const State& state) : state_(state) {}
  float of(const Task& task) {
    if (task.shot != shot_) pace_.fill({-1, -1});
    shot_ = task.shot;
    double& pace = pace_[static_cast<std::size_t>(task.plan.stage)][task.plan.level > 0 ? 1 : 0];
    if (pace < 0) pace = scheduler::pace(state_, state_.shots[task.shot], task.plan.stage, task.plan.level);
    return static_cast<float>(pace * task.plan.work);
  }

 private:
  const State& state_;
  ShotId shot_ = kNoIndex;
  std::array<std::array<double, 2>, kStages> pace_{};
};

float path_behind(const State& state, const Task& task) {
  const Shot& shot = state.shots[task.shot];
  double behind = 0;  // what is not planned yet
  const bool first = shot.unplanned > 0 && task.plan.id == shot.encode;
  if (first) behind += path_of_takes(state, shot);
  // No take is chosen before all are judged, and rendered again where critics want it.
  if (first || (task.plan.stage == Stage::kCritique && task.plan.level == 0))
    behind += path_after_takes(state, shot);
  auto longest = static_cast<float>(behind);
  for (const TaskId dependent : task.dependents) longest = std::max(longest, state.tasks[dependent - 1].path);
  // A window's verdict comes before what it may make needless: whatever else reads the same latents.
  if (task.plan.stage == Stage::kCritique && !task.plan.whole_take)
    for (const Dependency& need : task.plan.needs)
      for (const TaskId sibling : state.tasks[need.task - 1].dependents)
        if (sibling > task.plan.id) longest = std::max(longest, state.tasks[sibling - 1].path);
  return longest;
}

void set_path(State& state, Task& task, float cost, float path) {
  if (task.path == path && task.cost == cost) return;
  const bool waits = task.bucket != kNoIndex;
  if (waits) leave(state, task);
  task.cost = cost;
  task.path = path;
  if (waits) enter(state, task);
}

// What an earlier task leads to has become longer.
void raise_path(State& state, Task& task, float behind) {
  if (is_final(task.state) || task.path >= task.cost + behind) return;
  set_path(state, task, task.cost, task.cost + behind);
  for (const Dependency& need : task.plan.needs) raise_path(state, state.tasks[need.task - 1], task.path);
}

}  // namespace

std::uint32_t bucket_of(State& state, FlowId flow, const Requirements& needs) {
  const auto [found, is_new] =
      state.bucket_index.try_emplace({flow, needs}, static_cast<std::uint32_t>(state.buckets.size()));
  if (is_new) {
    Bucket& bucket = state.buckets.emplace_back();
    bucket.flow = flow;
    bucket.needs = needs;
    if (needs.model != Digest{})
      bucket.pool = pool_of(state, needs.model, class_of(state, needs.numeric_class));
    for (const WorkerClass& each : state.worker_classes)
      bucket.fits.push_back(policy::fit(each.offer, needs) == policy::Fit::kFits);
  }
  return found->second;
}

ShowId show_of(State& state, const std::string& name) {
  const auto [found, is_new] = state.show_index.try_emplace(name, static_cast<ShowId>(state.shows.size()));
  if (is_new) {
    state.shows.emplace_back().name = name;
    configure(state, state.sharing);
  }
  return found->second;
}

void configure(State& state, const Sharing& sharing) {
  if (&state.sharing != &sharing) state.sharing = sharing;
  for (Show& show : state.shows) {
    show.weight = 1;
    show.floor = 0;
    for (const config::Show& listed : state.sharing.shows) {
      if (listed.name != show.name) continue;
      show.weight = listed.weight;
      show.floor = listed.floor;
    }
  }
}

void add_shot(State& state, ShotId id) {
  Shot& shot = state.shots[id];
  shot.ready = 0;
  shot.left_seconds = 0;
  shot.slack_ms = shot.look_at_ms = 0;
  shot.unplanned = 0;
  shot.unplanned_seconds = 0;
  shot.take_work = kNoIndex;
  shot.pool = kNoIndex;
  set_pool(state, shot);
  recount_unplanned(state, shot);
  const auto known = std::find(state.limit_sets.begin(), state.limit_sets.end(), shot.spec.limits);
  shot.limit_set = static_cast<std::uint32_t>(known - state.limit_sets.begin());
  if (known == state.limit_sets.end()) state.limit_sets.push_back(shot.spec.limits);
  set_urgent(state, id, false);
  watch_deadline(state, id);
}

void watch_deadline(State& state, ShotId id) {
  const Shot& shot = state.shots[id];
  if (shot.spec.deadline_wall_ms <= 0) return;
  const std::pair entry(shot.spec.deadline_wall_ms, id);
  if (shot.state == ShotState::kDelivered || shot.state == ShotState::kCancelled)
    state.with_deadline.erase(entry);
  else
    state.with_deadline.insert(entry);
}

void set_urgent(State& state, ShotId id, bool urgent) {
  Shot& shot = state.shots[id];
  std::vector<TaskId> waiting;
  for (const TaskId task : shot.tasks) {
    if (state.tasks[task - 1].bucket == kNoIndex) continue;
    waiting.push_back(task);
    Task& row = state.tasks[task - 1];
    leave(state, row);
    count(state, row, state.buckets[row.bucket].needs.ahead, -1);
    row.bucket = kNoIndex;
  }
  shot.urgent = urgent;
  const std::uint32_t priority = policy::effective_priority(shot.spec.priority, urgent);
  const auto [found, is_new] = state.flow_index.try_emplace(
      {shot.show, priority, shot.spec.recipe.model_digest}, static_cast<FlowId>(state.flows.size()));
  if (is_new) {
    Flow& flow = state.flows.emplace_back();
    flow.show = shot.show;
    flow.priority = priority;
    flow.model = shot.spec.recipe.model_digest;
    state.shows[shot.show].flows.push_back(found->second);
  }
  shot.flow = found->second;
  for (const TaskId task : waiting) refresh_ready(state, state.tasks[task - 1]);
}

void refresh_ready(State& state, Task& task) {
  const Shot& shot = state.shots[task.shot];
  if (task.bucket != kNoIndex) {
    const bool ahead = state.buckets[task.bucket].needs.ahead;
    leave(state, task);
    count(state, task, ahead, -1);
    task.bucket = kNoIndex;
  }
  if (!may_be_leased(task) || task.retry_at_ms > 0 || shot.pause_requested) return;
  enter(state, task);
  count(state, task, state.buckets[task.bucket].needs.ahead, 1);
  state.dispatch_due = true;
}

void refresh_ready(State& state, Shot& shot) {
  for (const TaskId id : shot.tasks) refresh_ready(state, state.tasks[id - 1]);
}

void count_unplanned_cost(State& state, Shot& shot) {
  if (shot.take_work == kNoIndex) shot.take_work = take_work_of(state, shot.spec);
  const double seconds = unplanned_seconds(state, shot);
  add_left(state, shot, seconds - shot.unplanned_seconds);
  shot.unplanned_seconds = seconds;
}

void add_cost(State& state, Task& task, double sign) {
  add_left(state, state.shots[task.shot], sign * static_cast<double>(task.cost));
}

void set_paths(State& state, TaskId first) {
  Costs costs(state);
  for (TaskId id = state.tasks.size(); id >= first; --id) {
    Task& task = state.tasks[id - 1];
    const float cost = costs.of(task);
    set_path(state, task, cost, cost + path_behind(state, task));
    if (!is_final(task.state)) add_cost(state, task, 1);
    for (const Dependency& need : task.plan.needs) {
      if (need.task < first) raise_path(state, state.tasks[need.task - 1], task.path);
    }
  }
}

void refresh_paths(State& state, Shot& shot) {
  count_unplanned_cost(state, shot);
  Costs costs(state);
  for (auto id = shot.tasks.rbegin(); id != shot.tasks.rend(); ++id) {
    Task& task = state.tasks[*id - 1];
    if (is_final(task.state)) continue;
    const float cost = costs.of(task);
    add_cost(state, task, -1);
    set_path(state, task, cost, cost + path_behind(state, task));
    add_cost(state, task, 1);
  }
}

void charge(State& state, Task& task, const Charge& charge) {
  const Shot& shot = state.shots[task.shot];
  Flow& flow = state.flows[shot.flow];
  Show& show = state.shows[flow.show];
  if (charge.in_turn) state.clock = std::max(state.clock, show.pass);
  show.clock = std::max(show.clock, flow.pass);
  show.pass += charge.seconds * charge.show_rate;
  flow.pass += charge.seconds * charge.flow_rate;
  task.holding.flow = shot.flow;
  task.holding.charge = charge;
  count_held(state, task, charge.seconds);
}

void settle(State& state, const Task& task, double seconds) {
  if (task.holding.flow == kNoIndex) return;  // leased before this scheduler started
  const Charge& charged = task.holding.charge;
  const double more = seconds - charged.seconds;
  Flow& flow = state.flows[task.holding.flow];
  state.shows[flow.show].pass += more * charged.show_rate;
  flow.pass += more * charged.flow_rate;
}

}  // namespace rushes::scheduler::index
