#include "scheduler/core/policy/estimate.h"

#include <algorithm>
#include <cmath>

namespace rushes::scheduler::policy {
namespace {

// What a slope of none weighs beside the attempts: as one whose size is off by half the mean.
constexpr double kNoSlope = 0.25;
constexpr double kMostFixed = 0.9;  // of a task of the mean size

// The part of a task of the mean size that is fixed.
double fixed_share(const SizeFit& sizes) {
  if (sizes.samples < 2 || !(sizes.xy > 0) || !(sizes.x > 0) || !(sizes.y > 0)) return 0;
  const double slope = sizes.xy / (sizes.xx + kNoSlope / sizes.samples * sizes.x * sizes.x);
  return std::clamp(slope * sizes.x / sizes.y, 0.0, kMostFixed);
}

// One attempt in many also loads weights, or meets a busy disk: it counts as late, not as a hundred others.
double bounded(const Estimate& before, double seconds_per_work) {
  if (before.samples < kFirst) return seconds_per_work;
  return std::min(seconds_per_work, before.mean + 4 * std::max(before.deviation, before.mean / 8));
}

// A task that is smaller than those before may show a fixed part that they hid: it counts up to what they took as a whole.
SizeFit fitted(const Estimate& before, double seconds, double work) {
  SizeFit now = before.sizes;
  if (before.samples > 0 && !(before.mean > 0)) return now;
  const double x = 1 / work;
  double y = seconds / work;
  if (before.samples >= kFirst && now.samples > 0) {
    const double usual = 1 + before.offset() * x;
    y = std::min(y, std::max(bounded(before, y / usual) * usual, before.mean * now.y / now.x * x));
  }
  y = before.samples > 0 ? y / before.mean : 1;
  now.samples = std::min(now.samples + 1, kSizes);
  const double gain = 1.0 / now.samples, dx = x - now.x, dy = y - now.y;
  now.x += dx * gain;
  now.y += dy * gain;
  now.xx = (1 - gain) * (now.xx + gain * dx * dx);
  now.xy = (1 - gain) * (now.xy + gain * dx * dy);
  return now;
}

}  // namespace

double Estimate::offset() const {
  const double share = fixed_share(sizes);
  return share > 0 ? share / (1 - share) / sizes.x : 0;
}

Estimate learned(Estimate before, double seconds, double work, bool loaded) {
  Estimate now = before;
  if (!loaded) now.sizes = fitted(before, seconds, work);
  if (before.samples == 0) {
    const double rate = seconds / (work + now.offset());
    now.mean = rate, now.deviation = rate / 2, now.samples = 1;
    return now;
  }
  // A task of the mean size takes as long as before, by however much of it is fixed.
  if (before.sizes.x > 0) {
    const double kept = (1 + before.offset() * before.sizes.x) / (1 + now.offset() * before.sizes.x);
    now.mean *= kept;
    now.deviation *= kept;
    now.sizes.y /= kept;
    now.sizes.xy /= kept;
  }
  const double rate = bounded(now, seconds / (work + now.offset()));
  now.samples = std::min(before.samples + 1, kRemembered);
  now.deviation += (std::abs(now.mean - rate) - now.deviation) / 4;
  now.mean += (rate - now.mean) * 2 / (now.samples + 1);
  return now;
}

}  // namespace rushes::scheduler::policy
