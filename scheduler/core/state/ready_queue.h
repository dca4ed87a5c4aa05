// Waiting tasks: flows, buckets, lanes, and the virtual times that order them.
//
// show -> flow (priority, model) -> bucket (requirements) -> lane (a shot's tasks). A decision looks at the
// flows and buckets of a few shows and at the first lanes, so its cost does not grow with what waits behind
// them.
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
// requirements share a bucket.
struct Requirements : policy::Requirements {
  Stage stage = Stage::kEncode;
  LimitSetId limit_set{0};  // the limits that its shot names
  bool ahead = false;       // would run ahead of its checkpoint's verdict
  auto operator<=>(const Requirements&) const = default;
};

// The order inside a lane: the longest remaining path first, then the task number.
struct ReadyKey {
  float path = 0;
  TaskId task = 0;
  bool operator<(const ReadyKey& other) const {
    return path != other.path ? path > other.path : task < other.task;
  }
};

// The order of lanes: shots whose deadline is in danger by their deadlines, then the older shot.
struct LaneKey {
  std::int64_t deadline_wall_ms = 0;  // of an urgent shot, else kNever
  ShotId shot = 0;
  auto operator<=>(const LaneKey&) const = default;
  static constexpr std::int64_t kNever = std::int64_t{1} << 62;
};

// The kind of slot that a task takes on such workers; none: they never run it.
inline std::optional<SlotKind> kind_on(const WorkerOffer& offer, const Requirements& needs) {
  if (policy::fit(offer, needs) != policy::Fit::kFits) return std::nullopt;
  return policy::footprint(offer, needs).kind;
}

using Lane = std::set<ReadyKey>;  // a shot's tasks in one bucket, never empty

struct Bucket {
  FlowId flow;
  Requirements needs;
  std::map<LaneKey, Lane> lanes;
  std::set<std::pair<float, LaneKey>> by_path;  // minus the path of each lane's first task
  PoolId pool;                                  // none: needs no model
  std::uint32_t place = kNoIndex;               // in Flow::buckets or Flow::ahead, while it has lanes
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
  ShowId show = kNoIndex;
  std::uint32_t priority = 0;  // with the deadline's boost
  Digest model{};
  std::uint32_t shots = 0;               // shots with ready tasks
  SlotCounts slots;                      // held by its tasks
  double pass = 0;                       // virtual time
  std::vector<BucketId> buckets, ahead;  // buckets with lanes; those of tasks that would run ahead
};

class ReadyQueue {
 public:
  const IndexedBy<FlowId, Flow>& flows() const { return flows_; }
  const IndexedBy<BucketId, Bucket>& buckets() const { return buckets_; }
  const std::vector<std::string>& limits_of(LimitSetId set) const { return limit_sets_[set]; }
  std::uint64_t ready() const { return ready_; }  // tasks in buckets that would not run ahead
  std::uint64_t ahead() const { return ahead_; }  // tasks in buckets that would run ahead
  double clock() const { return clock_; }         // the virtual time of shows

  LimitSetId limit_set_of(const std::vector<std::string>& limits);
  // The flow, and whether it is new.
  std::pair<FlowId, bool> flow_of(ShowId show, std::uint32_t priority, const Digest& model);
  BucketId find_bucket(FlowId flow, const Requirements& needs) const;  // none: there is none
  BucketId add_bucket(Bucket bucket);
  void add_worker_class(const WorkerOffer& offer);

  void insert(BucketId bucket, const LaneKey& lane, const ReadyKey& task);
  void erase(BucketId bucket, const LaneKey& lane, const ReadyKey& task);
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
  std::vector<BucketId>& listed_with(const Bucket& bucket);
  void list(BucketId bucket);
  void unlist(BucketId bucket);

  IndexedBy<FlowId, Flow> flows_;
  std::map<std::tuple<ShowId, std::uint32_t, Digest>, FlowId> flow_index_;
  IndexedBy<BucketId, Bucket> buckets_;
  std::map<std::pair<FlowId, Requirements>, BucketId> bucket_index_;
  IndexedBy<LimitSetId, std::vector<std::string>> limit_sets_{{}};  // 0: none
  std::uint64_t ready_ = 0, ahead_ = 0;
  double clock_ = 0;
};

}  // namespace rushes::scheduler
