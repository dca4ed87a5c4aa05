// How long an attempt takes: learned from accepted results, with its spread.
//
// An attempt takes mean * (work + offset) seconds: a part that grows with the work of the task (PlannedTask::work), and a
// fixed one for whatever every task does once, which is kept as the work that would take as long. Kept per stage,
// resolution level, model and numeric class (the device).
//
// Mean and mean deviation as TCP keeps them of round trips (RFC 6298, section 2): the first sample R gives
// mean R and deviation R/2; then deviation += (|mean - R| - deviation) / 4 and mean += (R - mean) * gain. The
// gain is not 1/8: of run times that spread by a quarter such a mean is wrong by a tenth, and classes of
// devices are weighed against each other by it. The nth sample counts n times (gain 2/(n + 1)) up to the
// 64th, all later ones like that. From the fourth on no sample counts for more than the mean and four
// deviations. One sample is the wall seconds of an attempt over its work + offset.
//
// The offset is from a straight line through the attempts' seconds per unit of work over 1 / work: its slope is the
// fixed part, its other end the seconds of a unit. The line weighs all attempts alike by their relative error; its slope
// is drawn towards none (ridge regression), by less the more attempts there were and the more their sizes differ, so that
// attempts of one size teach no fixed part. It is remembered longer than the mean (kSizes attempts), so that many long
// tasks do not make it forget the short ones, and its seconds are relative to the mean of their time: a device that
// becomes faster does so in both parts.
//
// Thread contract: plain values.
#pragma once

#include <cstdint>

namespace rushes::scheduler::policy {

// Of the attempts so far, each counted once: x is 1 / work, y the seconds per unit of work, over the mean.
struct SizeFit {
  std::uint32_t samples = 0;  // up to kSizes
  double x = 0, y = 0;        // means
  double xx = 0, xy = 0;      // variance of x, covariance
  bool operator==(const SizeFit&) const = default;
};
inline constexpr std::uint32_t kSizes = 1024;

struct Estimate {
  double mean = 0, deviation = 0;  // seconds per unit of work, the offset's among them
  std::uint32_t samples = 0;       // up to kRemembered
  SizeFit sizes = {};

  double offset() const;  // units of work
  double seconds(double work, double tasks = 1) const { return mean * (work + offset() * tasks); }
  double spread(double work, double tasks = 1) const { return deviation * (work + offset() * tasks); }
  bool operator==(const Estimate&) const = default;
};
inline constexpr std::uint32_t kRemembered = 64, kFirst = 4;

// From an attempt of so much work, > 0. The seconds of one that also loaded weights say nothing about the fixed part of
// the others.
Estimate learned(Estimate before, double seconds, double work = 1, bool loaded = false);

// What one attempt is expected to take.
struct Expected {
  double seconds = 0, deviation = 0;
  bool measured = false;  // false: a guess from the planned work, good for an order only
  double late() const { return seconds + 4 * deviation; }  // K = 4, as RFC 6298 has it for the time-out
};

}  // namespace rushes::scheduler::policy
