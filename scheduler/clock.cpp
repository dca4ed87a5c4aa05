#include "scheduler/clock.h"

#include <sodium.h>
#include <time.h>

namespace rushes::scheduler {
namespace {

std::int64_t milliseconds(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return std::int64_t{now.tv_sec} * 1000 + now.tv_nsec / 1'000'000;
}

}  // namespace

Now real_now() { return {milliseconds(CLOCK_BOOTTIME), milliseconds(CLOCK_REALTIME)}; }

std::uint64_t real_random() {
  std::uint64_t value = 0;
  randombytes_buf(&value, sizeof value);
  return value;
}

}  // namespace rushes::scheduler
