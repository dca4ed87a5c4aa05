// What a scheduler that knows everything would have done: a greedy list schedule of the very tasks that the
// run finished, with their run times, release times, hosts and placement rules, and bounds that no schedule
// can beat.
//
// The list schedule places the task with the longest way to an end first (critical path scheduling, Graham
// 1969 and Hu 1961), on a slot that has its model loaded where there is one, else on the fastest. Attempts
// take what first attempts took on the farm, stragglers as well. It never meets a failure, a fetch or a
// message's delay, and knows of every revision and upgrade when it is planned. A shot is bound to the numeric
// class that its first task runs in, as on the farm.
//
// Thread contract: pure functions.
#pragma once

#include <cstdint>
#include <limits>
#include <vector>

#include "tests/simulation/farm/run.h"

namespace rushes::simulation::farm {

inline constexpr double kNeverDue = std::numeric_limits<double>::infinity();

struct OfflineTask {
  double seconds = 0;    // on a host of speed 1
  double slowness = 1;   // of the first attempt, 1: no straggler
  int model = kNoModel;  // it computes no tensors
  std::uint32_t shot = 0;
  std::uint64_t host_bytes = 0, tensor_bytes = 0;
  double release = 0;  // seconds after the start
  double due = kNeverDue;
  std::vector<std::uint32_t> dependents;
  std::uint32_t missing = 0;
  double path = 0;  // longest way from its start to an end, at speed 1
};

// The tasks of the run that succeeded, in the order of their numbers.
std::vector<OfflineTask> offline_tasks(const FarmRun& run);

struct Bounds {
  // Seconds after the first release: until all slots that are on the farm then, busy all the time, have done
  // what was released from some moment on, for the moment that makes it latest.
  double by_work = 0;
  double by_critical_path = 0;  // on the fastest host
};
Bounds bounds_of(const Description& farm, const std::vector<OfflineTask>& tasks);

enum class Order {
  kLongestPath,   // only the path counts
  kKeepTheModel,  // a slot first does everything that there is for its model
  kEarliestDue,   // shots with a deadline before all others
};
struct OfflineSchedule {
  double finish = 0;  // seconds after the start
  std::vector<double> shot_finish;
  std::uint64_t loads = 0;
  std::size_t unplaced = 0;  // tasks that never fitted
};
OfflineSchedule schedule_offline(const Description& farm, std::vector<OfflineTask> tasks, Order order);

}  // namespace rushes::simulation::farm
