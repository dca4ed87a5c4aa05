// The attempts of tasks as people see them: who tried, when, and how it ended.
//
// A task keeps its last kKeptFailures attempts that brought no result, the accepted one and the one that is held now;
// of older ones only the lines in the ledger are left.
//
// Thread contract: pure functions of the State, for the core thread; what they return are values.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "scheduler/core/state/state.h"

namespace rushes::scheduler::view {

struct AttemptInfo {
  std::uint32_t attempt = 0;
  std::string worker;
  std::string state;  // "succeeded", "leased", "running", or how it ended: "failed", "lease ran out", ...
  std::optional<FailKind> kind;                         // of one that brought no result
  std::int64_t started_wall_ms = 0, ended_wall_ms = 0;  // 0: it did not yet, or an older journal does not say
  std::optional<double> seconds;                        // from its start to its end, or to now
  std::string message;                                  // what it failed of, or what it does now
};
// Ascending.
std::vector<AttemptInfo> attempts(const State& state, const Task& task, Now now);

struct TaskAttempts {
  TaskId task;
  std::string shot, name;  // name: as TaskInfo's
  TaskState state = TaskState::kPending;
  std::vector<AttemptInfo> attempts;
};
std::optional<TaskAttempts> attempts_of(const State& state, TaskId task, Now now);
// Of the shot's tasks that were ever given to a worker: failed ones first, then those with attempts that brought no
// result, then the others; each by their numbers. None: there is no such shot.
std::optional<std::vector<TaskAttempts>> attempts_of(const State& state, std::string_view shot, Now now);

}  // namespace rushes::scheduler::view
