#include "scheduler/gateway/disk_forecast.h"

namespace rushes::scheduler {

void DiskForecast::see(double at, std::uint64_t free_bytes) {
  if (!looks_.empty() && at < looks_.back().at + kApart) return;
  looks_.push_back({at, static_cast<double>(free_bytes)});
  while (looks_.front().at < at - kSpan) looks_.pop_front();
}

std::optional<double> DiskForecast::seconds_until_full() const {
  if (looks_.empty() || looks_.back().at - looks_.front().at < kLeast) return std::nullopt;
  double mean_at = 0, mean_free = 0;
  const auto count = static_cast<double>(looks_.size());
  for (const Look& look : looks_) {
    mean_at += look.at / count;
    mean_free += look.free / count;
  }
  double together = 0, squares = 0;
  for (const Look& look : looks_) {
    together += (look.at - mean_at) * (look.free - mean_free);
    squares += (look.at - mean_at) * (look.at - mean_at);
  }
  const double bytes_per_second = -together / squares;
  // A disk that would take a lifetime is one that does not fill: the slope is noise.
  constexpr double kLifetime = 100 * 365.0 * 86'400;
  if (bytes_per_second <= 0 || looks_.back().free > bytes_per_second * kLifetime) return std::nullopt;
  return looks_.back().free / bytes_per_second;
}

}  // namespace rushes::scheduler
