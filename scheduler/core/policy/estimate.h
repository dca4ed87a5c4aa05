// How long an attempt takes: learned from accepted results, with its spread.
//
// Mean and mean deviation as TCP keeps them of round trips (RFC 6298, section 2): the first sample R gives
// mean R and deviation R/2; then deviation += (|mean - R| - deviation) / 4 and mean += (R - mean) * gain. The
// gain is not 1/8: of run times that spread by a quarter such a mean is wrong by a tenth, and classes of
// devices are weighed against each other by it. The nth sample counts n times (gain 2/(n + 1)) up to the
// 64th, all later ones like that. From the fourth on no sample counts for more than the mean and four
// deviations. One sample is the wall seconds of one unit of work (PlannedTask::work), kept per stage,
// resolution level, model and numeric class (the device).
//
// Thread contract: plain values.
#pragma once

#include <cstdint>

namespace rushes::scheduler::policy {

struct Estimate {
  double mean = 0, deviation = 0;  // seconds per unit of work
  std::uint32_t samples = 0;       // up to kRemembered
  bool operator==(const Estimate&) const = default;
};
inline constexpr std::uint32_t kRemembered = 64, kFirst = 4;

Estimate learned(Estimate before, double seconds_per_work);

// What one attempt is expected to take.
struct Expected {
  double seconds = 0, deviation = 0;
  bool measured = false;  // false: a guess from the planned work, good for an order only
  double late() const { return seconds + 4 * deviation; }  // K = 4, as RFC 6298 has it for the time-out
};

}  // namespace rushes::scheduler::policy
