// Token buckets: how often a client may do something.
//
// Thread contract: plain values; the owner of a bucket guards it.
#pragma once

#include <algorithm>
#include <chrono>

namespace rushes::scheduler {

// What may be kept up, and how much of it may be saved for a burst.
struct RateLimit {
  double per_second = 0;
  double burst = 0;
};

class TokenBucket {
 public:
  using Clock = std::chrono::steady_clock;
  TokenBucket(RateLimit limit, Clock::time_point now) : tokens_(limit.burst), filled_(now) {}

  bool take(RateLimit limit, Clock::time_point now) {
    tokens_ = level(limit, now);
    filled_ = now;
    if (tokens_ < 1) return false;
    tokens_ -= 1;
    return true;
  }
  // As good as a new one: it need not be remembered.
  bool full(RateLimit limit, Clock::time_point now) const { return level(limit, now) >= limit.burst; }

 private:
  double level(RateLimit limit, Clock::time_point now) const {
    const double seconds = std::chrono::duration<double>(now - filled_).count();
    return std::min(limit.burst, tokens_ + seconds * limit.per_second);
  }

  double tokens_;
  Clock::time_point filled_;
};

}  // namespace rushes::scheduler
