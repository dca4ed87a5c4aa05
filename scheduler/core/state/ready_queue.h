// Waiting tasks: flows, scheduling classes, lanes, and the virtual times that order them.
//
// show -> flow (priority, model) -> scheduling class (requirements) -> lane (a shot's tasks). A decision looks at
// the flows and scheduling classes of a few shows and at the first lanes, so its cost does not grow with the tasks
// that wait behind them.
//
// Thread contract: as State; only apply() calls functions that are not const.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "scheduler/core/policy/fit.h"
#include "scheduler/core/state/facts.h"
#include "storage/records/ids.h"

namespace rushes::scheduler {

// What a worker must offer to run a task, and what the farm must. Waiting tasks of one flow with the same
// requirements share a scheduling class.
struct Requirements : policy::Requirements {
  Stage stage = Stage::kEncode;
  LimitSetId limit_set{0};  // the limits that its shot names
  bool ahead = false;       // would run ahead of its checkpoint's verdict
  auto operator<=>(const Requirements&) const = default;
};

// The order inside a lane: the longest remaining path first, then the task number.
struct ReadyKey {
  float path = 0;
  TaskId task;
  bool operator<(const ReadyKey& other) const {
    return path != other.path ? path > other.path : task < other.task;
  }
};

// The order of lanes: shots whose deadline is in danger by their deadlines, then the older shot.
struct LaneKey {
  std::int64_t deadline_wall_ms = 0;  // of an urgent shot, else kNever
  ShotId shot;
  auto operator<=>(const LaneKey&) const = default;
  static constexpr std::int64_t kNever = std::int64_t{1} << 62;
};

// The kind of slot that a task takes on such workers; none: they never run it.
inline std::optional<SlotKind> kind_on(const WorkerOffer& offer, const Requirements& needs) {
  if (policy::fit(offer, needs) != policy::Fit::kFits) return std::nullopt;
  return policy::footprint(offer, needs).kind;
}

using Lane = std::set<ReadyKey>;  // a shot's tasks in one scheduling class, never empty

struct SchedulingClass {
  FlowId flow;
  Requirements needs;
  std::map<LaneKey, Lane> lanes;
  std::set<std::pair<float, LaneKey>> by_path;  // minus the path of each lane's first task
  PoolId pool;                                  // none: needs no model
  // Its index in Flow::scheduling_classes or Flow::ahead, while it has lanes.
  std::optional<std::uint32_t> place;
  // By worker class: the kind of slot that its tasks take there; none: those workers may never take them.
  std::vector<std::optional<SlotKind>> runs_in;
  bool fits(WorkerClassId worker_class) const { return runs_in[worker_class.number()].has_value(); }
  bool fits(WorkerClassId worker_class, SlotKind kind) const {
    return runs_in[worker_class.number()] == kind;
  }
};

// Shots of a show that share a priority and a model: served in the order of lanes, beside other flows by
// their rate.
struct Flow {
  ShowId show;
  std::uint32_t priority = 0;  // with the deadline's boost
  Digest model{};
  std::uint32_t shots = 0;  // shots with ready tasks
  SlotCounts slots;         // held by its tasks
  double pass = 0;          // virtual time
  // Scheduling classes with lanes: of tasks that are wanted now; of tasks that would run ahead.
  std::vector<SchedulingClassId> scheduling_classes, ahead;
};

class ReadyQueue {
 public:
  const IndexedBy<FlowId, Flow>& flows() const { return flows_; }
  const IndexedBy<SchedulingClassId, SchedulingClass>& scheduling_classes() const {
    return scheduling_classes_;
  }
  const std::vector<std::string>& limits_of(LimitSetId set) const { return limit_sets_[set]; }
  std::uint64_t ready() const { return ready_; }  // tasks in scheduling classes that would not run ahead
  std::uint64_t ahead() const { return ahead_; }  // tasks in scheduling classes that would run ahead
  double clock() const { return clock_; }         // the virtual time of shows

  LimitSetId limit_set_of(const std::vector<std::string>& limits);
  // The flow, and whether it is new.
  std::pair<FlowId, bool> flow_of(ShowId show, std::uint32_t priority, const Digest& model);
  SchedulingClassId find_scheduling_class(FlowId flow,
                                          const Requirements& needs) const;  // none: there is none
  SchedulingClassId add_scheduling_class(SchedulingClass scheduling_class);
  void add_worker_class(const WorkerOffer& offer);

  void insert(SchedulingClassId scheduling_class, const LaneKey& lane, const ReadyKey& task);
  void erase(SchedulingClassId scheduling_class, const LaneKey& lane, const ReadyKey& task);
  void count_ready(int by);
  void count_ahead(int by);
  // A shot of the flow has ready tasks, or has none any more. A flow that had nothing to do joins at the clock
  // of its show: what it did not use is not saved up.
  void add_shot(FlowId flow, double show_clock);
  void remove_shot(FlowId flow);

  void count_slot(FlowId flow, SlotKind kind, int by);
  void charge(FlowId flow, double virtual_seconds);
  void move_clock(double pass);  // forwards only

 private:
  std::vector<SchedulingClassId>& listed_with(const SchedulingClass& scheduling_class);
  void list(SchedulingClassId scheduling_class);
  void unlist(SchedulingClassId scheduling_class);

  IndexedBy<FlowId, Flow> flows_;
  std::map<std::tuple<ShowId, std::uint32_t, Digest>, FlowId> flow_index_;
  IndexedBy<SchedulingClassId, SchedulingClass> scheduling_classes_;
  std::map<std::pair<FlowId, Requirements>, SchedulingClassId> scheduling_class_index_;
  IndexedBy<LimitSetId, std::vector<std::string>> limit_sets_{{}};  // 0: none
  std::uint64_t ready_ = 0, ahead_ = 0;
  double clock_ = 0;
};

}  // namespace rushes::scheduler
