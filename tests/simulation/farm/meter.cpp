#include "tests/simulation/farm/meter.h"

#include <algorithm>
#include <utility>

namespace rushes::simulation::farm {

Meter::Meter(std::vector<config::Show> shows, std::size_t groups, std::int64_t window_ms)
    : shows_(std::move(shows)),
      window_ms_(window_ms),
      running_(shows_.size()),
      group_slots_(groups),
      group_busy_(groups),
      group_running_(shows_.size(), std::vector<int>(groups)),
      fits_(shows_.size()),
      contested_(shows_.size()),
      below_since_(shows_.size(), -1),
      longest_below_(shows_.size()) {}

void Meter::advance(std::int64_t now_ms) {
  while (now_ < now_ms) {
    const auto index = static_cast<std::size_t>(now_ / window_ms_);
    if (index >= windows_.size())
      windows_.push_back({0, 0, 0, std::vector<double>(shows_.size()), std::vector<double>(shows_.size()),
                          std::vector<double>(shows_.size())});
    const std::int64_t until = std::min(now_ms, (now_ / window_ms_ + 1) * window_ms_);
    const auto passed = static_cast<double>(until - now_);
    Window& window = windows_[index];
    window.passed_ms += passed;
    window.offered += passed * slots_;
    for (std::size_t show = 0; show < shows_.size(); ++show) {
      window.busy += passed * running_[show];
      window.used[show] += passed * running_[show];
      if (!fits_[show].empty()) window.waiting_ms[show] += passed;
      if (contested_[show]) window.contested_ms[show] += passed;
    }
    now_ = until;
  }
}

void Meter::slots_changed(std::size_t group, int by) {
  slots_ += by;
  group_slots_[group] += by;
}

void Meter::run_began(std::size_t show, std::size_t group) {
  ++running_[show];
  ++group_running_[show][group];
  ++group_busy_[group];
}

void Meter::run_over(std::size_t show, std::size_t group) {
  --running_[show];
  --group_running_[show][group];
  --group_busy_[group];
}

int Meter::floor_of(std::size_t show) const { return static_cast<int>(shows_[show].floor * slots_ + 1e-9); }

void Meter::backlog(std::size_t show, std::vector<bool> fits) {
  fits_[show] = std::move(fits);
  contested_[show] = could_use(show, false);
}

// Whether what waits of the show fits a slot that is free or that another show has, which may have to be one
// above its floor. Slots that the show has itself are no shortage of it.
bool Meter::could_use(std::size_t show, bool only_above_floor) const {
  const std::vector<bool>& fits = fits_[show];
  for (std::size_t group = 0; group < fits.size(); ++group) {
    if (!fits[group]) continue;
    if (group_busy_[group] < group_slots_[group]) return true;
    for (std::size_t other = 0; other < shows_.size(); ++other) {
      if (other == show || group_running_[other][group] == 0) continue;
      if (!only_above_floor || running_[other] > floor_of(other)) return true;
    }
  }
  return false;
}

void Meter::check_floors() {
  for (std::size_t show = 0; show < shows_.size(); ++show) {
    if (running_[show] < floor_of(show) && could_use(show, true)) {
      if (below_since_[show] < 0) below_since_[show] = now_;
      longest_below_[show] = std::max(longest_below_[show], now_ - below_since_[show]);
    } else if (below_since_[show] >= 0) {
      longest_below_[show] = std::max(longest_below_[show], now_ - below_since_[show]);
      below_since_[show] = -1;
    }
  }
}

}  // namespace rushes::simulation::farm
