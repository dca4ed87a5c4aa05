// Which of several tasks of equal standing a worker should take: the one whose inputs it holds.
//
// Thread contract: pure functions.
#pragma once

#include <cstdint>
#include <span>

namespace rushes::scheduler::policy {

struct Candidate {
  std::uint64_t held_bytes = 0;   // of its inputs, in the worker's cache
  std::uint64_t input_bytes = 0;  // of all its inputs
};

// How many candidates are compared; bounds the cost of one placement.
inline constexpr std::size_t kCompared = 8;
// Only those whose path is about as long as the first one's: what a fetch costs is less than what a longer
// batch does.
inline constexpr float kAsLong = 0.8f;

// Index of the one with the fewest bytes to fetch; of equal ones the first (the order of the queue). Not
// empty.
std::size_t nearest(std::span<const Candidate> candidates);

}  // namespace rushes::scheduler::policy
