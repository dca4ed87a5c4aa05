#include "tests/simulation/farm/meter.h"

#include <algorithm>
#include <utility>

namespace rushes::simulation::farm {

Meter::Meter(std::vector<config::Show> shows, std::int64_t window_ms)
    : shows_(std::move(shows)),
      window_ms_(window_ms),
      running_(shows_.size()),
      backlogged_(shows_.size()),
      below_since_(shows_.size(), -1),
      longest_below_(shows_.size()) {}

void Meter::advance(std::int64_t now_ms) {
  while (now_ < now_ms) {
    const auto index = static_cast<std::size_t>(now_ / window_ms_);
    if (index >= windows_.size())
      windows_.push_back({0, 0, 0, std::vector<double>(shows_.size()), std::vector<double>(shows_.size())});
    const std::int64_t until = std::min(now_ms, (now_ / window_ms_ + 1) * window_ms_);
    const auto passed = static_cast<double>(until - now_);
    Window& window = windows_[index];
    window.passed_ms += passed;
    window.offered += passed * slots_;
    for (std::size_t show = 0; show < shows_.size(); ++show) {
      window.busy += passed * running_[show];
      window.used[show] += passed * running_[show];
      if (backlogged_[show]) window.backlogged_ms[show] += passed;
    }
    now_ = until;
  }
}

void Meter::backlog(std::size_t show, std::uint64_t ready) { backlogged_[show] = ready > 0; }

void Meter::check_floors() {
  for (std::size_t show = 0; show < shows_.size(); ++show) {
    const int floor = static_cast<int>(shows_[show].floor * slots_ + 1e-9);
    if (backlogged_[show] && running_[show] < floor) {
      if (below_since_[show] < 0) below_since_[show] = now_;
      longest_below_[show] = std::max(longest_below_[show], now_ - below_since_[show]);
    } else if (below_since_[show] >= 0) {
      longest_below_[show] = std::max(longest_below_[show], now_ - below_since_[show]);
      below_since_[show] = -1;
    }
  }
}

}  // namespace rushes::simulation::farm
