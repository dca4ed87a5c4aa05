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
  each_since(sequence, limit, [&](const FarmEvent& event) { result.push_back(event); });
  return result;
}

void EventLog::restart_at(std::uint64_t last) {
  held_.clear();
  last_ = last;
}

}  // namespace rushes::scheduler
