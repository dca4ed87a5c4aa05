#include "scheduler/gateway/access.h"

#include <algorithm>

#include "config/digest.h"

namespace rushes::scheduler {
namespace {

constexpr std::size_t kMaxBuckets = 4096;  // addresses remembered; then a quarter is forgotten
constexpr std::size_t kMaxToken = 512;     // bytes

}  // namespace

Access::Access(std::vector<config::Token> tokens, RateLimit requests, RateLimit refusals)
    : tokens_(std::move(tokens)), requests_(requests), refusals_(refusals) {}

// Every token is compared, so that the time says nothing about which one nearly matched.
const config::Token* Access::find(std::string_view secret) const {
  const std::string digest = config::text_digest(secret);
  const config::Token* found = nullptr;
  for (const auto& token : tokens_)
    if (config::same_digest(token.digest, digest)) found = &token;
  return found;
}

Access::Decision Access::check(std::string_view authorization, std::string_view peer, config::Role needed) {
  constexpr std::string_view kScheme = "Bearer ";
  const config::Token* token = nullptr;
  if (authorization.starts_with(kScheme) && authorization.size() <= kScheme.size() + kMaxToken)
    token = find(authorization.substr(kScheme.size()));
  if (token == nullptr) {
    if (!take(by_peer_, peer, refusals_))
      return {Refusal::kTooMany, {}, "too many requests without a known token; wait a minute"};
    return {Refusal::kUnknown,
            {},
            authorization.empty() ? "a token is needed: send 'Authorization: Bearer TOKEN'"
                                  : "this token is not known"};
  }
  if (!take(by_token_, token->name, requests_))
    return {Refusal::kTooMany, token->name,
            "too many requests with the token of " + token->name + "; send fewer"};
  if (token->role < needed)
    return {Refusal::kRole, token->name,
            "this needs the role " + std::string(config::to_string(needed)) + ", the token of " +
                token->name + " has the role " + std::string(config::to_string(token->role))};
  return {Refusal::kNone, token->name, {}};
}

bool Access::take(std::map<std::string, Bucket, std::less<>>& buckets, std::string_view key,
                  RateLimit limit) {
  const auto now = std::chrono::steady_clock::now();
  std::lock_guard lock(mutex_);
  auto found = buckets.find(key);
  if (found == buckets.end()) {
    if (buckets.size() >= kMaxBuckets)
      buckets.erase(buckets.begin(), std::next(buckets.begin(), kMaxBuckets / 4));
    found = buckets.emplace(std::string(key), Bucket{limit.burst, now}).first;
  }
  Bucket& bucket = found->second;
  const double seconds = std::chrono::duration<double>(now - bucket.filled).count();
  bucket.tokens = std::min(limit.burst, bucket.tokens + seconds * limit.per_second);
  bucket.filled = now;
  if (bucket.tokens < 1) return false;
  bucket.tokens -= 1;
  return true;
}

}  // namespace rushes::scheduler
