#include "scheduler/clock.h"

#include <sodium.h>
#include <time.h>

#include <random>

namespace rushes::scheduler {
namespace {

std::int64_t milliseconds(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return std::int64_t{now.tv_sec} * 1000 + now.tv_nsec / 1'000'000;
}

}  // namespace

Now real_now() { return {milliseconds(CLOCK_BOOTTIME), milliseconds(CLOCK_REALTIME)}; }

// Seeded by the operating system once a thread: the core asks for a number with every event, and it needs
// spread, not secrecy.
std::uint64_t real_random() {
  thread_local std::mt19937_64 numbers = [] {
    std::uint64_t seed = 0;
    randombytes_buf(&seed, sizeof seed);
    return std::mt19937_64(seed);
  }();
  return numbers();
}

}  // namespace rushes::scheduler
