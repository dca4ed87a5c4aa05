// One simulated host: what it offers, what its slots do, what it holds on disk. Plain data, driven by
// run.cpp.
//
// Thread contract: one thread.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include "scheduler/core/event.h"

namespace rushes::simulation::farm {

inline constexpr int kNoModel = -1;

struct Attempt {
  enum class State { kFetching, kWaiting, kRunning, kStopping, kReporting };
  AttemptId ref;
  State state = State::kFetching;
  std::size_t slot = 0;
  std::int64_t began_ms = 0;  // when it began to run
  double ran_seconds = 0;     // once it reports
};

struct Slot {
  SlotKind kind = SlotKind::kCpu;
  bool busy = false;
  int model = kNoModel;  // loaded by its engine
  bool lost = false;     // it had one and its engine was killed: the next load is not the scheduler's choice
};

struct Host {
  std::string name;
  std::size_t group = 0;
  bool up = false;
  std::uint32_t life = 0;  // grows whenever it goes; what was planned for an earlier life is void
  std::vector<Slot> slots;
  std::vector<Attempt> attempts;  // in the order in which they were assigned
  // Outputs on its disk, by the task that made them; the oldest leave first.
  std::unordered_set<TaskId> held;
  std::deque<std::pair<TaskId, std::uint64_t>> order;
  std::uint64_t held_bytes = 0;

  void hold(TaskId task, std::uint64_t bytes, std::uint64_t most) {
    if (!held.insert(task).second) return;
    order.emplace_back(task, bytes);
    for (held_bytes += bytes; held_bytes > most; order.pop_front()) {
      held_bytes -= order.front().second;
      held.erase(order.front().first);
    }
  }
  Attempt* find(std::uint64_t lease) {
    for (Attempt& attempt : attempts)
      if (attempt.ref.lease == lease) return &attempt;
    return nullptr;
  }
};

}  // namespace rushes::simulation::farm
