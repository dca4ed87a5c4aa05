// How much rendering critics still ask for: expected, of takes that are not judged yet.
//
// A take that has findings is rendered again, window by window, as often as its budget allows. How often that
// happens is learned from all versions that were judged; before that, kPrior of them are taken for revised.
// Without this the last shots of a batch begin too late, and a deadline looks safer than it is.
//
// Thread contract: pure functions.
#pragma once

#include <cmath>
#include <cstdint>

namespace rushes::scheduler::policy {

inline constexpr double kPrior = 0.25, kPriorVersions = 8;

// The share of versions that are rendered again.
inline double revised_share(std::uint64_t judged, std::uint64_t revised) {
  return (static_cast<double>(revised) + kPrior * kPriorVersions) /
         (static_cast<double>(judged) + kPriorVersions);
}

// Rounds that one take still goes through, of at most so many.
inline double expected_rounds(double share, std::uint32_t most) {
  constexpr double kNothing = 1e-12;  // what follows adds up to nothing
  double rounds = 0, next = share;
  for (std::uint32_t r = 1; r <= most && next > kNothing; ++r, next *= share) rounds += next;
  return rounds;
}

// Rounds until the last of several takes is through: all are judged before one is chosen.
inline double expected_rounds_of_all(double share, std::uint32_t most, std::uint32_t takes) {
  double rounds = 0;
  for (std::uint32_t r = 1; r <= most; ++r) rounds += 1 - std::pow(1 - std::pow(share, r), takes);
  return rounds;
}

}  // namespace rushes::scheduler::policy
