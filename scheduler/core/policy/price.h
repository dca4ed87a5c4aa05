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
  kPartlyGuess,   // of several stages: some were never measured
  kGuess          // nothing was measured: an order of magnitude
};

constexpr const char* to_string(PriceBasis basis) {
  constexpr const char* kWords[] = {"measured", "other_devices", "partly_guess", "guess"};
  return kWords[static_cast<int>(basis)];
}

// Work of one stage: of all tasks together, and how many they are.
struct WorkSum {
  double work = 0, tasks = 0;
  void add(double of_task) {
    work += of_task;
    ++tasks;
  }
  WorkSum times(double count) const { return {work * count, tasks * count}; }
};

struct StagePrice {
  Stage stage = Stage::kEncode;
  std::uint32_t level = 0;  // 0: draft, 1: master
  PriceRange seconds;
  PriceBasis basis = PriceBasis::kMeasured;
};

struct Price {
  std::vector<StagePrice> stages;            // draft first
  PriceRange total;                          // of all stages
  PriceBasis basis = PriceBasis::kMeasured;  // basis_of(stages)
  PriceRange
      revisions;  // beyond the total: what critics may have rendered again; high: the shot's whole budget
};

// Of a sum of stages: the worst of theirs; a guess only where every stage is one.
inline PriceBasis basis_of(std::span<const StagePrice> stages) {
  PriceBasis worst = PriceBasis::kMeasured, best = PriceBasis::kGuess;
  for (const StagePrice& each : stages) {
    worst = std::max(worst, each.basis);
    best = std::min(best, each.basis);
  }
  if (stages.empty()) return PriceBasis::kMeasured;
  return worst == PriceBasis::kGuess && best != worst ? PriceBasis::kPartlyGuess : worst;
}

inline constexpr double kSpread = 2;  // mean deviations

// Of work that was measured in one or several classes of devices.
inline PriceRange price_of(const WorkSum& sum, std::span<const Estimate> classes) {
  if (classes.empty()) return {};
  PriceRange range{classes[0].seconds(sum.work, sum.tasks), 0, 0};
  for (const Estimate& each : classes) {
    const double seconds = each.seconds(sum.work, sum.tasks),
                 spread = kSpread * each.spread(sum.work, sum.tasks);
    range.low = std::min(range.low, std::max(0.0, seconds - spread));
    range.expected += seconds / static_cast<double>(classes.size());
    range.high = std::max(range.high, seconds + spread);
  }
  return range;
}

// Of work that was never measured, by a guess of the seconds of a unit.
inline PriceRange guessed_price(const WorkSum& sum, double guess) {
  return PriceRange{0, guess, 2 * guess}.times(sum.work);
}

}  // namespace rushes::scheduler::policy
