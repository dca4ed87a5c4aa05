// Ready tasks meet workers with room.
//
// A worker with a free slot of a kind asks the shows in fair order, inside a show its flows in the order of their
// virtual time, inside a flow the scheduling classes that it may take now; the first lane of the best of them gives
// the task (core/state/ready_queue.h). A worker stays with the model that it has loaded while no show or flow falls far
// behind, and leaves a task to an idle worker that is better placed. The policies are in core/policy/; the
// Dispatcher says in which order they are asked.
//
// Cost per placement: shows + flows + scheduling classes + a few candidates, never all tasks.
//
// Thread contract: lives for one call of decide(), on its thread.
#pragma once

#include <optional>
#include <vector>

#include "scheduler/core/decide/decision.h"
#include "scheduler/core/dispatch/placement.h"
#include "scheduler/core/policy/fair_share.h"

namespace rushes::scheduler {

class Dispatcher {
 public:
  explicit Dispatcher(Decision& decision) : decision_(decision), state_(decision.state()) {}

  // Leases every ready task that a worker may take now, where something changed since the last dispatch.
  void run();

 private:
  // The places that are asked, in this order: those that have the model loaded and of these the one that
  // holds the inputs; all that have it loaded; those that have nothing loaded; any; any, to fetch ahead; any
  // with nothing else to do, for work ahead of a verdict.
  enum class Turn : std::uint8_t { kNear, kLoaded, kFresh, kAny, kPrefetch, kAhead };
  static bool may_reserve_in(Turn turn);
  static bool may_load_in(Turn turn, bool has_model);

  // A waiting task, and where it waits.
  struct Pick {
    TaskId task;
    SchedulingClassId scheduling_class;
    ShowId show;
    FlowId flow;
    LaneKey lane;
    float path = 0;
    bool critical = false;  // its path decides when everything ends
  };
  static bool goes_before(const Pick& a, const Pick& b);

  struct Search {
    const std::vector<std::uint32_t>& shows;  // in order
    bool ahead = false;                       // tasks ahead of a verdict
    std::optional<Digest> only = {};          // tasks that need no other weights than these
  };
  struct Found {
    std::optional<Pick> pick;
    std::optional<Pick> blocked;  // came before the pick; the worker's memory is taken now
    bool only_here = false;       // a task fits, and its blocker is of this worker alone
  };
  struct Head {
    std::optional<Pick> pick;
    bool only_here = false;  // as in Found
  };
  // The slots of one kind of a worker.
  struct Place {
    WorkerId worker;
    SlotKind kind = SlotKind::kCpu;
  };
  // The result of one search for a place. kNoneHere: no task fits, and the place of another worker of the class might
  // get one.
  enum class Placement : std::uint8_t { kPlaced, kNone, kNoneHere };

  void round(Turn turn, const std::vector<Place>& places);
  Placement give_one(const Place& place, Turn turn);
  Found find(const Place& place, const Search& search);
  Head head_of(const Place& place, SchedulingClassId scheduling_class);
  Head head_of(WorkerId worker, const Lane& lane);
  Blocker blocker_of(WorkerId worker, const Task& task);
  TaskId nearest_of(WorkerId worker, const Pick& pick);
  std::optional<Pick> stay_or_switch(const Place& place, const Digest& model, const Pick& due,
                                     const std::vector<policy::ShowLoad>& loads, const Search& search,
                                     Turn turn);
  bool may_stay(SlotKind kind, const Pick& pick, const Pick& due,
                const std::vector<policy::ShowLoad>& loads) const;
  std::vector<policy::ShowLoad> show_loads(SlotKind kind) const;
  std::uint32_t slots(SlotKind kind) const { return state_.capacity.slots()[kind]; }
  const ClassLoads& class_loads_for(const Task& task);

  Decision& decision_;
  const State& state_;
  // The last answer of class_loads_for(): for this scheduling class, when so many records had been emitted.
  ClassLoads class_loads_;
  SchedulingClassId loads_of_;
  std::size_t loads_records_ = 0;
};

}  // namespace rushes::scheduler
