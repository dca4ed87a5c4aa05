// When waiting tasks will start, about.
//
// From the estimates and from what stands before a task: the first slot that becomes free among the workers
// that fit, then the tasks of its flow that go first, at the part of the farm that its show and flow get.
// What is planned later (revisions, upgrades) is not known and not counted.
//
// Thread contract: reads the State, on the core thread; one Forecast per answer.
#pragma once

#include <optional>
#include <unordered_map>

#include "scheduler/core/state/state.h"

namespace rushes::scheduler {

class Forecast {
 public:
  Forecast(const State& state, Now now) : state_(state), now_(now) {}
  // Seconds until the task starts; none: it runs, it is over, or something must happen first that cannot be
  // foreseen (a person, a worker that fits).
  std::optional<double> starts_in(const Task& task);

 private:
  std::optional<double> ends_in(const Task& task);
  std::optional<double> needs_in(const Task& task);  // until all that it needs is there
  double attempt_ends_in(const Task& task) const;
  std::optional<double> slot_in(const Task& task) const;
  std::uint32_t slots_for(const Task& task) const;  // of the farm
  double tasks_before(const Task& task) const;
  double part_of_farm(const Task& task) const;

  const State& state_;
  const Now now_;
  std::unordered_map<TaskId, std::optional<double>> known_;  // needs_in()
};

}  // namespace rushes::scheduler
