#include "scheduler/core/dispatch/dispatcher.h"

#include <algorithm>

#include "config/mutation.h"
#include "scheduler/core/dispatch/assign.h"
#include "scheduler/core/dispatch/rebalance.h"
#include "scheduler/core/dispatch/reservations.h"
#include "scheduler/core/policy/affinity.h"
#include "scheduler/core/policy/locality.h"
#include "scheduler/core/policy/path.h"
#include "scheduler/core/policy/prefetch.h"
#include "scheduler/core/policy/priority.h"
#include "scheduler/core/state/estimates.h"

namespace rushes::scheduler {
namespace {

constexpr int kLooked = 64, kLookedReserved = 4;  // lanes of a scheduling class

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

// Whether a worker with room that made one of the inputs holds more of them than this one does, and would take the task.
bool nearer_elsewhere(const State& state, WorkerId here, const Task& task, const Requirements& needs) {
  const policy::Candidate mine = candidate_of(state, state.workers[here], task);
  if (mine.held_bytes == mine.input_bytes) return false;
  return std::any_of(task.plan.needs.begin(), task.plan.needs.end(), [&](const Dependency& need) {
    const WorkerId id = state.task(need.task).accepted_worker;
    if (!need.data || id == here || !state.workers.has(id)) return false;
    const Worker& other = state.workers[id];
    return state.capacity.idle(footprint(other, needs).kind).contains(id) && is_loaded(other, needs) &&
           blocker_of(state, other, needs) == Blocker::kNone && !is_avoided(state, task, other) &&
           candidate_of(state, other, task).held_bytes > mine.held_bytes;
  });
}

}  // namespace

void Dispatcher::run() {
  if (!state_.capacity.reservations().empty()) end_reservations(decision_);
  if (!state_.dispatch_due) return;
  if (state_.queue.ready() + state_.queue.ahead() > 0 || !state_.capacity.queued().empty()) {
    // Every free slot first, one task per worker and turn, so that work spreads: to workers that are well
    // placed, then to any; then what may be fetched ahead; then, where nothing else is left, what may run
    // ahead.
    std::vector<Place> free;
    for (const SlotKind kind : kEverySlotKind)
      for (const WorkerId id : state_.capacity.idle(kind)) free.push_back({id, kind});
    if (free.size() > 1) {  // else no other worker could be better placed
      round(Turn::kNear, free);
      round(Turn::kLoaded, free);
      round(Turn::kFresh, free);
    }
    round(Turn::kAny, free);
    for (const SlotKind kind : kEverySlotKind) {
      if (!policy::may_prefetch(state_.queue.ready(), slots(kind))) continue;
      std::vector<Place> room;
      for (const WorkerId id : state_.capacity.with_room(kind)) room.push_back({id, kind});
      round(Turn::kPrefetch, room);
    }
    const std::size_t emitted = decision_.emitted();
    if (decision_.settings().scheduling.run_ahead) round(Turn::kAhead, free);
    rebalance(decision_);
    // What runs ahead and what was revoked changes which class has a shot done soonest: a free slot that got no
    // task may get one now.
    if (decision_.emitted() != emitted) round(Turn::kAny, free);
  }
  decision_.emit(record::Dispatched{});
}

void Dispatcher::round(Turn turn, const std::vector<Place>& places) {
  const auto waiting = [&] { return turn == Turn::kAhead ? state_.queue.ahead() : state_.queue.ready(); };
  const bool prefetch = turn == Turn::kPrefetch;
  // Places that got nothing. One of another worker with the same offer, the same model loaded and no more memory
  // free gets nothing either. (Ahead of a slot more than the sum of its memory decides.)
  struct GotNothing {
    WorkerClassId worker_class;
    SlotKind kind;
    std::uint64_t taken;
    Digest model;
  };
  std::vector<GotNothing> got_nothing;
  const auto taken_of = [](const Worker& worker) {
    return policy::host_bytes_taken(worker.held_bytes, worker.offer.resources.slots);
  };
  const auto would_get_nothing = [&](const Worker& worker, SlotKind kind) {
    return std::any_of(got_nothing.begin(), got_nothing.end(), [&](const GotNothing& other) {
      return other.worker_class == worker.worker_class && other.kind == kind &&
             other.model == worker.model_loaded && other.taken <= taken_of(worker);
    });
  };
  for (bool given = true; given && waiting() > 0;) {
    given = false;
    for (const Place& place : places) {
      if (waiting() == 0) return;
      const Worker& worker = state_.workers[place.worker];
      if (prefetch && !policy::may_prefetch(state_.queue.ready(), slots(place.kind))) return;
      const bool room = prefetch ? state_.capacity.with_room(place.kind).contains(place.worker)
                                 : has_free_slot(worker, place.kind);
      const Placement result =
          room && !would_get_nothing(worker, place.kind) ? give_one(place, turn) : Placement::kNoneHere;
      if (result == Placement::kPlaced) {
        given = true;
        // Another task's turn: it may need what they have loaded, or begin in their class.
        got_nothing.clear();
      } else if (result == Placement::kNone && !prefetch) {
        got_nothing.push_back({worker.worker_class, place.kind, taken_of(worker), worker.model_loaded});
      }
    }
  }
}

std::vector<policy::ShowLoad> Dispatcher::show_loads(SlotKind kind) const {
  std::vector<policy::ShowLoad> loads;
  loads.reserve(state_.shows.size());
  for (const Show& show : state_.shows) {
    policy::ShowLoad load{show.slots[kind], show.ready > 0, show.weight, show.floor, show.pass};
    if (mutated(Mutation::kStarveShow))
      load = {load.leased, load.runnable, 1, 0, loads.size() == 1 ? 1e18 : 0};
    loads.push_back(load);
  }
  return loads;
}

// A reservation is made for a task that is due and found no free slot with its memory.
bool Dispatcher::may_reserve_in(Turn turn) { return turn != Turn::kPrefetch && turn != Turn::kAhead; }

// The weights that a slot changes to are decided when it is free.
bool Dispatcher::may_load_in(Turn turn, bool has_model) {
  return turn == Turn::kAny || turn == Turn::kAhead || (turn == Turn::kFresh && !has_model);
}

Dispatcher::Placement Dispatcher::give_one(const Place& place, Turn turn) {
  const WorkerId id = place.worker;
  const Worker& worker = state_.workers[id];
  std::vector<policy::ShowLoad> loads = show_loads(place.kind);
  if (turn == Turn::kAhead) {
    for (std::size_t i = 0; i < loads.size(); ++i) loads[i].runnable = true;
  }
  const std::vector<std::uint32_t> shows = policy::fair_order(loads, slots(place.kind));
  const Search search{shows, turn == Turn::kAhead};
  Found found = find(place, search);
  if (found.blocked && may_reserve_in(turn) && reserve(decision_, found.blocked->task)) {
    Found again = find(place, search);  // this worker may be the one that is kept free now
    again.only_here = again.only_here || found.only_here;
    found = std::move(again);
  }
  const Placement nothing = found.only_here ? Placement::kNoneHere : Placement::kNone;
  std::optional<Pick> pick = found.pick;
  if (!pick) return nothing;
  // A task that is fetched ahead finds the weights of the task before it.
  const Digest& model = turn == Turn::kPrefetch ? worker.model_given : worker.model_loaded;
  if (needs_other(model, state_.queue.scheduling_classes()[pick->scheduling_class].needs)) {
    pick = stay_or_switch(place, model, *pick, loads, search, turn);
    if (!pick) return nothing;
  } else if (turn == Turn::kNear &&
             nearer_elsewhere(state_, id, state_.task(pick->task),
                              state_.queue.scheduling_classes()[pick->scheduling_class].needs)) {
    return Placement::kNoneHere;
  }
  const bool in_turn = policy::below_floor(loads[pick->show.number()], slots(place.kind)) == 0;
  assign(decision_, id, pick->task, turn == Turn::kPrefetch, in_turn);
  return Placement::kPlaced;
}

// The task whose turn it is needs other weights than `model`, which the worker has.
std::optional<Dispatcher::Pick> Dispatcher::stay_or_switch(const Place& place, const Digest& model,
                                                           const Pick& due,
                                                           const std::vector<policy::ShowLoad>& loads,
                                                           const Search& search, Turn turn) {
  if (model != Digest{}) {
    const std::optional<Pick> pick = find(place, {search.shows, search.ahead, model}).pick;
    if (pick && may_stay(place.kind, *pick, due, loads)) return pick;
  }
  return may_load_in(turn, model != Digest{}) ? std::optional(due) : std::nullopt;
}

bool Dispatcher::may_stay(SlotKind kind, const Pick& pick, const Pick& due,
                          const std::vector<policy::ShowLoad>& loads) const {
  const Show& show = state_.shows[pick.show];
  const Show& due_show = state_.shows[due.show];
  const Digest& model = state_.queue.scheduling_classes()[due.scheduling_class].needs.model;
  const double seconds = std::max(1e-3, static_cast<double>(state_.task(pick.task).cost));
  policy::Passed passed;
  if (pick.show != due.show) {
    if (policy::below_floor(loads[pick.show.number()], slots(kind)) <
        policy::below_floor(loads[due.show.number()], slots(kind)))
      return false;
    passed = {show.pass - due_show.pass, 1 / show.weight, due_show.slots[kind], share_of(state_, due_show)};
  } else {
    const Flow& flow = state_.queue.flows()[pick.flow];
    const Flow& due_flow = state_.queue.flows()[due.flow];
    passed = {flow.pass - due_flow.pass, policy::virtual_seconds(flow.priority), due_flow.slots[kind],
              share_of(state_, due_show) * share_of(state_, due_flow)};
  }
  return policy::may_stay(passed, seconds, load_seconds(state_, model), slots(kind));
}

// The first task in order that the worker may take. A task that comes before it and would fit but for the
// memory that is taken now is noted: it may need a reservation.
Dispatcher::Found Dispatcher::find(const Place& place, const Search& search) {
  const Worker& worker = state_.workers[place.worker];
  Found found;
  for (const std::uint32_t number : search.shows) {
    const ShowId show(number);
    std::vector<FlowId> flows = state_.shows[show].flows;
    std::sort(flows.begin(), flows.end(), [&](FlowId a, FlowId b) {
      const double first = state_.queue.flows()[a].pass, second = state_.queue.flows()[b].pass;
      return first != second ? first < second : a < b;
    });
    for (const FlowId flow : flows) {
      std::optional<Pick> best, blocked;
      const Flow& row = state_.queue.flows()[flow];
      for (const SchedulingClassId index : search.ahead ? row.ahead : row.scheduling_classes) {
        const SchedulingClass& scheduling_class = state_.queue.scheduling_classes()[index];
        if (!scheduling_class.fits(worker.worker_class, place.kind) ||
            (search.only && needs_other(*search.only, scheduling_class.needs)))
          continue;
        const Blocker blocker = scheduler::blocker_of(state_, worker, scheduling_class);
        if (blocker != Blocker::kNone && blocker != Blocker::kBusyMemory) continue;
        Head head = head_of(place, index);
        found.only_here = found.only_here || head.only_here;
        if (!head.pick) continue;
        head.pick->show = show;
        head.pick->flow = flow;
        auto& kept = blocker == Blocker::kNone ? best : blocked;
        if (!kept || goes_before(*head.pick, *kept)) kept = head.pick;
      }
      if (blocked && !found.blocked && (!best || goes_before(*blocked, *best))) found.blocked = blocked;
      if (!best) continue;
      best->task = nearest_of(place.worker, *best);
      found.pick = best;
      return found;
    }
  }
  return found;
}

bool Dispatcher::goes_before(const Pick& a, const Pick& b) {
  if (a.critical != b.critical) return a.critical;
  if (!a.critical && a.lane != b.lane) return a.lane < b.lane;
  return a.path != b.path ? a.path > b.path : a.task < b.task;
}

// The first task of a scheduling class that this worker may take.
Dispatcher::Head Dispatcher::head_of(const Place& place, SchedulingClassId index) {
  const WorkerId id = place.worker;
  const SchedulingClass& scheduling_class = state_.queue.scheduling_classes()[index];
  Head found;
  const auto take_from = [&](const LaneKey& key, const Lane& lane) {
    const Head head = head_of(id, lane);
    found.only_here = found.only_here || head.only_here;
    if (!head.pick) return false;
    found.pick = head.pick;
    found.pick->scheduling_class = index;
    found.pick->lane = key;
    return true;
  };
  const auto first = scheduling_class.lanes.begin();
  const auto& [minus_path, longest] = *scheduling_class.by_path.begin();
  const bool critical =
      first->first.deadline_wall_ms == LaneKey::kNever &&
      policy::decides_the_end(static_cast<double>(-minus_path), state_.work.left_seconds(), slots(place.kind),
                              !scheduling_class.needs.numeric_class.empty());
  if (critical && take_from(longest, scheduling_class.lanes.at(longest))) {
    found.pick->critical = true;
    return found;
  }
  // A worker that is kept free for a wide task takes others only where that costs little: it looks at a few lanes.
  const bool reserved = reservation_of(state_, id) != nullptr;
  int looked = reserved ? kLookedReserved : kLooked;
  for (auto lane = first; lane != scheduling_class.lanes.end() && looked-- > 0; ++lane)
    if (take_from(lane->first, lane->second)) return found;
  found.only_here = found.only_here || reserved;
  return found;
}

// The first task of a lane that this worker may take.
Dispatcher::Head Dispatcher::head_of(WorkerId id, const Lane& lane) {
  Head found;
  for (const ReadyKey& key : lane) {
    const Blocker blocker = blocker_of(id, state_.task(key.task));
    found.only_here = found.only_here || is_of_this_worker(blocker);
    if (blocker != Blocker::kNone) continue;
    found.pick.emplace();
    found.pick->task = key.task;
    found.pick->path = key.path;
    break;
  }
  return found;
}

Blocker Dispatcher::blocker_of(WorkerId id, const Task& task) {
  static const ClassLoads none;
  const ClassLoads& class_loads =
      state_.shots[task.shot].numeric_class.empty() ? class_loads_for(task) : none;
  const Blocker blocker = scheduler::blocker_of(state_, state_.workers[id], task, class_loads);
  if (blocker != Blocker::kNone) return blocker;
  return leaves_reservation(state_, id, task, decision_.now().boot_ms) ? Blocker::kNone : Blocker::kReserved;
}

// Asked for many tasks of a scheduling class in a row, before anything is decided.
const ClassLoads& Dispatcher::class_loads_for(const Task& task) {
  if (loads_of_ != task.scheduling_class || loads_records_ != decision_.emitted()) {
    class_loads_ = class_loads_of(state_, task);
    loads_of_ = task.scheduling_class;
    loads_records_ = decision_.emitted();
  }
  return class_loads_;
}

// Of the lane's tasks with about the longest path the one that is nearest to its data.
TaskId Dispatcher::nearest_of(WorkerId id, const Pick& pick) {
  const Worker& worker = state_.workers[id];
  const Lane& lane = state_.queue.scheduling_classes()[pick.scheduling_class].lanes.at(pick.lane);
  std::vector<policy::Candidate> candidates;
  std::vector<TaskId> tasks;
  for (auto key = lane.find({pick.path, pick.task}); key != lane.end(); ++key) {
    if (tasks.size() == policy::kCompared || key->path < policy::kAsLong * pick.path) break;
    const Task& task = state_.task(key->task);
    if (blocker_of(id, task) != Blocker::kNone) continue;
    tasks.push_back(key->task);
    candidates.push_back(candidate_of(state_, worker, task));
    if (candidates.back().held_bytes == candidates.back().input_bytes) break;  // none can be nearer
  }
  return tasks[policy::nearest(candidates)];
}

}  // namespace rushes::scheduler
