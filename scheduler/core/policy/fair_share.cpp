#include "scheduler/core/policy/fair_share.h"

#include <algorithm>

namespace rushes::scheduler::policy {

double below_floor(const ShowLoad& show, std::uint32_t slots) {
  return std::max(0.0, show.floor * slots - show.leased);
}

std::vector<std::uint32_t> fair_order(std::span<const ShowLoad> shows, std::uint32_t slots) {
  std::vector<std::uint32_t> order;
  for (std::uint32_t i = 0; i < shows.size(); ++i) {
    if (shows[i].runnable) order.push_back(i);
  }
  std::sort(order.begin(), order.end(), [&](std::uint32_t a, std::uint32_t b) {
    const double below_a = below_floor(shows[a], slots), below_b = below_floor(shows[b], slots);
    if (below_a != below_b) return below_a > below_b;
    if (shows[a].pass != shows[b].pass) return shows[a].pass < shows[b].pass;
    return a < b;
  });
  return order;
}

}  // namespace rushes::scheduler::policy
