// When a disk is full, if what was written to it in the last hours goes on.
//
// The rate is the slope of a line through the free bytes of the last hours (least squares), so that a single large
// file, or its removal, says less than a trend.
//
// Thread contract: one thread at a time.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>

namespace rushes::scheduler {

class DiskForecast {
 public:
  static constexpr double kSpan = 6 * 3600;  // seconds that count
  static constexpr double kLeast = 30 * 60;  // seconds of which something must be known
  static constexpr double kApart = 60;       // seconds between two looks that count

  // `at`: seconds of a clock that never goes back.
  void see(double at, std::uint64_t free_bytes);

  // Seconds from the last look until nothing is free. Nothing: it is not known yet, or the disk does not fill.
  std::optional<double> seconds_until_full() const;

 private:
  struct Look {
    double at, free;
  };
  std::deque<Look> looks_;  // oldest first
};

}  // namespace rushes::scheduler
