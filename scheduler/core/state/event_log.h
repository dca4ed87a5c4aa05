// What happened on the farm, for people and watchers: an append-only list with sequence numbers.
//
// apply() appends to it, so a replay gives the same numbers. Only the newest entries are held in memory; a
// reader that fell behind is told so by `first()`.
//
// Thread contract: owned by the core thread, as part of the State.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "storage/records/words.h"

namespace rushes::scheduler {

struct FarmEvent {
  std::uint64_t sequence = 0;  // from 1, no gaps
  std::int64_t wall_ms = 0;
  std::string kind;  // "batch.submitted", "shot.state", "take.state", "task.leased", "task.succeeded", ...
  std::string shot;  // "show/shot", empty where it does not apply (as the ones below: 0 or empty)
  std::uint32_t take = 0;
  TaskId task;
  std::string worker;
  std::string text;  // one line for people
};

class EventLog {
 public:
  static constexpr std::size_t kHeld = 20'000;
  void append(FarmEvent event);                                     // sets the sequence number
  std::uint64_t last() const { return last_; }                      // 0: nothing happened yet
  std::uint64_t first() const { return last_ - held_.size() + 1; }  // oldest held
  // Events after `sequence`, at most `limit`.
  std::vector<FarmEvent> since(std::uint64_t sequence, std::size_t limit = 1000) const;
  // Calls `each` with the same events, where they lie.
  template <class Each>
  void each_since(std::uint64_t sequence, std::size_t limit, const Each& each) const {
    const std::size_t skip = sequence + 1 > first() ? sequence + 1 - first() : 0;
    for (std::size_t i = skip; i < held_.size() && limit-- > 0; ++i) each(held_[i]);
  }
  void restart_at(std::uint64_t last);  // after a snapshot: numbers go on behind `last`

 private:
  std::uint64_t last_ = 0;
  std::deque<FarmEvent> held_;
};

}  // namespace rushes::scheduler
