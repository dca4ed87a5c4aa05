// How much is left to do: tasks by state, expected seconds, deadlines.
//
// Thread contract: as State; only apply() calls functions that are not const.
#pragma once

#include <algorithm>
#include <array>
#include <cassert>
#include <cstdint>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "scheduler/core/policy/price.h"
#include "scheduler/core/state/facts.h"
#include "storage/records/ids.h"

namespace rushes::scheduler {

using TaskCounts = std::array<std::uint32_t, kTaskStates>;

// The work of a take's first rendering and of its upgrade, by stage: what a shot that is not planned yet will
// be.
using StageWork = std::array<policy::WorkSum, kStages>;
struct TakeWork {
  StageWork all{}, path{};                // all tasks; those on the longest way from its start to its end
  StageWork revision{}, revision_path{};  // of one window
  StageWork upgrade{}, upgrade_path{};
};
struct TakeShape {
  Digest model{};
  std::uint32_t frames = 0, steps = 0, master_steps = 0, scale = 0;  // scale 0: no upgrade
  float guidance = 1;
  bool gate = false;
  auto operator<=>(const TakeShape&) const = default;
};

class Workload {
 public:
  using Deadlines = std::set<std::pair<std::int64_t, ShotId>>;
  const TaskCounts& counts() const { return counts_; }
  std::uint64_t unplanned() const { return unplanned_; }       // tasks of takes that are not planned yet
  double left_seconds() const { return left_seconds_; }        // expected, of all open tasks together
  const Deadlines& deadlines() const { return deadlines_; }    // of open shots, wall clock
  std::uint64_t judged() const { return judged_; }             // versions of takes
  std::uint64_t revised() const { return revised_; }           // versions that the farm rendered again
  ShotId next_to_refresh() const { return next_to_refresh_; }  // whose estimates are looked at next
  const TakeWork& take_work(TakeWorkId id) const { return take_works_[id]; }

  // null: no shot of this shape was on the farm.
  const TakeWork* find_take_work(const TakeShape& shape) const {
    const auto found = take_shapes_.find(shape);
    return found == take_shapes_.end() ? nullptr : &take_works_[found->second];
  }

  void add_task(TaskState state) { ++counts_[static_cast<std::size_t>(state)]; }
  void move_task(TaskState from, TaskState to) {
    assert(counts_[static_cast<std::size_t>(from)] > 0);
    --counts_[static_cast<std::size_t>(from)];
    ++counts_[static_cast<std::size_t>(to)];
  }
  void count_unplanned(std::uint64_t before, std::uint64_t after) {
    unplanned_ = unplanned_ - before + after;
  }
  void add_left(double seconds) { left_seconds_ = std::max(0.0, left_seconds_ + seconds); }
  void watch(std::int64_t deadline_wall_ms, ShotId shot) { deadlines_.insert({deadline_wall_ms, shot}); }
  void unwatch(std::int64_t deadline_wall_ms, ShotId shot) { deadlines_.erase({deadline_wall_ms, shot}); }
  void count_judged() { ++judged_; }
  void count_revised() { ++revised_; }
  void refresh_next(ShotId shot) { next_to_refresh_ = shot; }
  // The work of takes of this shape; `plan` makes it once for all shots of one shape.
  template <class Plan>
  TakeWorkId take_work_of(const TakeShape& shape, const Plan& plan) {
    const auto [found, is_new] = take_shapes_.try_emplace(shape, take_works_.next_id());
    if (is_new) take_works_.add(plan());
    return found->second;
  }

 private:
  TaskCounts counts_{};
  std::uint64_t unplanned_ = 0;
  double left_seconds_ = 0;
  Deadlines deadlines_;
  std::uint64_t judged_ = 0, revised_ = 0;
  ShotId next_to_refresh_{0};
  std::map<TakeShape, TakeWorkId> take_shapes_;
  IndexedBy<TakeWorkId, TakeWork> take_works_;
};

}  // namespace rushes::scheduler
