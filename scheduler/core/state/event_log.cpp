#include "scheduler/core/state/event_log.h"

#include <utility>

namespace rushes::scheduler {

void EventLog::append(FarmEvent event) {
  event.sequence = ++last_;
  held_.push_back(std::move(event));
  if (held_.size() > kHeld) held_.pop_front();
}

std::vector<FarmEvent> EventLog::since(std::uint64_t sequence, std::size_t limit) const {
  std::vector<FarmEvent> result;
  if (sequence >= last_) return result;
  const std::size_t skip = sequence + 1 > first() ? sequence + 1 - first() : 0;
  for (std::size_t i = skip; i < held_.size() && result.size() < limit; ++i) result.push_back(held_[i]);
  return result;
}

void EventLog::restart_at(std::uint64_t last) {
  held_.clear();
  last_ = last;
}

}  // namespace rushes::scheduler
