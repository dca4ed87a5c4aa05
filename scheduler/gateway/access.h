// Who may do what: bearer tokens with roles, and how often.
//
// Thread contract: one Access serves all HTTP threads; every call locks for a moment.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "config/farm.h"
#include "config/result.h"

namespace rushes::scheduler {

// Requests a second that one token may keep up, and how many it may save for a burst.
struct RateLimit {
  double per_second = 50;
  double burst = 200;
};

class Access {
 public:
  static constexpr RateLimit kRequests{50,
                                       200};    // of one token: a client that loops cannot starve the others
  static constexpr RateLimit kRefusals{1, 20};  // of one address without a known token: guessing gets slow

  enum class Refusal { kNone, kUnknown, kRole, kTooMany };
  struct Decision {
    Refusal refusal = Refusal::kNone;
    std::string name;     // of the token
    std::string message;  // one line, when refused
  };

  explicit Access(std::vector<config::Token> tokens, RateLimit requests = kRequests,
                  RateLimit refusals = kRefusals);

  // `authorization` is the header's value, "Bearer TOKEN"; `peer` the client's address.
  Decision check(std::string_view authorization, std::string_view peer, config::Role needed);

 private:
  struct Bucket {
    double tokens = 0;
    std::chrono::steady_clock::time_point filled;
  };
  bool take(std::map<std::string, Bucket, std::less<>>& buckets, std::string_view key, RateLimit limit);
  const config::Token* find(std::string_view secret) const;

  const std::vector<config::Token> tokens_;
  const RateLimit requests_, refusals_;
  std::mutex mutex_;
  std::map<std::string, Bucket, std::less<>> by_token_, by_peer_;  // guarded by mutex_
};

}  // namespace rushes::scheduler
