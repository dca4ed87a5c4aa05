// Random numbers of one actor of the simulation: the same seed and stream always give the same row.
//
// Every actor rolls its own dice, so that removing one fault changes as little of a run as possible.
//
// Thread contract: plain value.
#pragma once

#include <cstdint>

namespace rushes::simulation {

// splitmix64: also a good hash of one number.
inline std::uint64_t mix(std::uint64_t x) {
  x += 0x9e3779b97f4a7c15ull;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
  return x ^ (x >> 31);
}

class Dice {
 public:
  Dice(std::uint64_t seed, std::uint64_t stream) : state_(mix(seed) ^ mix(~stream)) {}
  std::uint64_t roll() { return mix(state_ += 0x9e3779b97f4a7c15ull); }
  std::uint64_t below(std::uint64_t count) { return roll() % count; }
  std::int64_t between(std::int64_t first, std::int64_t last) {
    return first + static_cast<std::int64_t>(below(static_cast<std::uint64_t>(last - first + 1)));
  }
  bool chance(std::int64_t percent) { return static_cast<std::int64_t>(below(100)) < percent; }

 private:
  std::uint64_t state_;
};

}  // namespace rushes::simulation
