#include "scheduler/core/policy/fair_share.h"

#include <algorithm>

namespace rushes::scheduler::policy {

std::vector<std::uint32_t> fair_order(std::span<const ShowLoad> shows, std::uint32_t slots) {
  std::vector<std::uint32_t> order;
  for (std::uint32_t i = 0; i < shows.size(); ++i) {
    if (shows[i].runnable) order.push_back(i);
  }
  const auto missing = [&](const ShowLoad& show) {  // slots below the floor
    return std::max(0.0, show.floor * slots - show.leased);
  };
  std::stable_sort(order.begin(), order.end(), [&](std::uint32_t a, std::uint32_t b) {
    const double below_a = missing(shows[a]), below_b = missing(shows[b]);
    if (below_a != below_b) return below_a > below_b;
    return shows[a].leased / shows[a].weight < shows[b].leased / shows[b].weight;
  });
  return order;
}

}  // namespace rushes::scheduler::policy
