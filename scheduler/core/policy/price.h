// What work costs before it is done: device seconds, low, expected and high.
//
// low and high lie two mean deviations to each side of the mean: nine of ten values, were they normal. Ranges of
// several tasks add up as they are, as if all tasks of a shot were off the same way, because a shot that is unlike
// those measured is so in all its tasks. A shot may go to any class of devices of the farm: where several were
// measured the range spans all of them, and what is expected is the mean of theirs.
//
// Thread contract: pure functions and plain values.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "config/stage.h"
#include "scheduler/core/policy/estimate.h"

namespace rushes::scheduler::policy {

struct PriceRange {
  double low = 0, expected = 0, high = 0;  // seconds
  PriceRange& operator+=(const PriceRange& more) {
    low += more.low;
    expected += more.expected;
    high += more.high;
    return *this;
  }
  PriceRange times(double count) const { return {low * count, expected * count, high * count}; }
};

// What a price rests on, the best first.
enum class PriceBasis : std::uint8_t {
  kMeasured,      // results of this model on devices that the farm has
  kOtherDevices,  // results of this model on other devices
  kGuess          // nothing was measured: an order of magnitude
};

constexpr const char* to_string(PriceBasis basis) {
  constexpr const char* kWords[] = {"measured", "other_devices", "guess"};
  return kWords[static_cast<int>(basis)];
}

struct StagePrice {
  Stage stage = Stage::kEncode;
  std::uint32_t level = 0;  // 0: draft, 1: master
  PriceRange seconds;
  PriceBasis basis = PriceBasis::kMeasured;
};

struct Price {
  std::vector<StagePrice> stages;            // draft first
  PriceRange total;                          // of all stages
  PriceBasis basis = PriceBasis::kMeasured;  // the worst of theirs
  PriceRange
      revisions;  // beyond the total: what critics may have rendered again; high: the shot's whole budget
};

inline constexpr double kSpread = 2;  // mean deviations

// Of one unit of work, measured in one or several classes of devices.
inline PriceRange price_of_unit(std::span<const Estimate> classes) {
  if (classes.empty()) return {};
  PriceRange range{classes[0].mean, 0, 0};
  for (const Estimate& each : classes) {
    range.low = std::min(range.low, std::max(0.0, each.mean - kSpread * each.deviation));
    range.expected += each.mean / static_cast<double>(classes.size());
    range.high = std::max(range.high, each.mean + kSpread * each.deviation);
  }
  return range;
}

// Of a unit that was never measured.
inline PriceRange guess_of_unit(double guess) { return {0, guess, 2 * guess}; }

}  // namespace rushes::scheduler::policy
