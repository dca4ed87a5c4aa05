// When leases expire and when tasks that were held back are due.
//
// Thread contract: as State; only apply() calls functions that are not const.
#pragma once

#include <cassert>
#include <cstdint>
#include <set>
#include <utility>

#include "scheduler/core/state/facts.h"

namespace rushes::scheduler {

class LeaseClock {
 public:
  using Times = std::set<std::pair<std::int64_t, TaskId>>;  // times of CLOCK_BOOTTIME, ms
  const Times& expiries() const { return expiries_; }       // of every lease
  const Times& retries() const { return retries_; }         // of tasks that are held back
  std::int64_t ticked_ms() const { return ticked_ms_; }     // of the last tick; 0: there was none

  void add_lease(TaskId task, std::int64_t expires_ms) { expiries_.insert({expires_ms, task}); }
  void remove_lease(TaskId task, std::int64_t expires_ms) {
    [[maybe_unused]] const auto erased = expiries_.erase({expires_ms, task});
    assert(erased == 1);
  }
  void hold_back(TaskId task, std::int64_t until_ms) { retries_.insert({until_ms, task}); }
  void let_go(TaskId task, std::int64_t until_ms) {
    [[maybe_unused]] const auto erased = retries_.erase({until_ms, task});
    assert(erased == 1);
  }
  void tick(std::int64_t now_ms) { ticked_ms_ = now_ms; }

 private:
  Times expiries_, retries_;
  std::int64_t ticked_ms_ = 0;
};

}  // namespace rushes::scheduler
