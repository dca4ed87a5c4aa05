#include "scheduler/gateway/access.h"

#include <algorithm>

#include "config/digest.h"
#include "config/instant.h"
#include "config/log.h"
#include "config/yaml.h"
#include "scheduler/gateway/request_head.h"

namespace rushes::scheduler {
namespace {

constexpr std::size_t kMaxBuckets = 4096;         // addresses remembered; then a quarter is forgotten
constexpr std::size_t kMaxToken = 512;            // bytes
constexpr std::chrono::milliseconds kLook{1000};  // at the token file

std::int64_t wall_ms() {
  using namespace std::chrono;
  return duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count();
}

Access::Decision refused(Access::Refusal refusal, std::string message) {
  return {refusal, {}, std::move(message)};
}

}  // namespace

bool Caller::sees(std::string_view shot_key) const {
  const auto now = shot_key.substr(0, shot_key.find('@'));
  if (!shot.empty()) return now == shot;
  return show.empty() || (now.size() > show.size() && now.starts_with(show) && now[show.size()] == '/');
}

Access::Access(std::vector<config::Token> tokens, RateLimit requests, RateLimit refusals)
    : requests_(requests), refusals_(refusals), tokens_(std::move(tokens)) {}

void Access::watch(std::filesystem::path file) {
  file_ = std::move(file);
  if (auto text = config::read_text(file_)) text_ = std::move(*text);
}

// With the lock. The file is small: its text says best whether it changed.
void Access::refresh() {
  const auto now = TokenBucket::Clock::now();
  if (file_.empty() || now - looked_ < kLook) return;
  looked_ = now;
  auto text = config::read_text(file_);
  const std::string content = text ? *text : text.error().message;
  if (content == text_) return;
  text_ = content;
  auto tokens = text ? config::parse_tokens(*text, file_) : tl::unexpected<Error>(text.error());
  if (!tokens) {
    const std::string& why = tokens.error().message;
    log::warn("tokens: {}; the tokens stay as they were", why.substr(0, why.find('\n')));
    return;
  }
  tokens_ = std::move(*tokens);
  log::info("tokens: {} of {} are in force", tokens_.size(), file_.string());
}

// Every token is compared, so that the time says nothing about which one nearly matched.
std::optional<config::Token> Access::find(std::string_view secret) {
  const std::string digest = config::text_digest(secret);
  const std::lock_guard lock(mutex_);
  refresh();
  const config::Token* found = nullptr;
  for (const auto& token : tokens_)
    if (config::same_digest(token.digest, digest)) found = &token;
  return found != nullptr ? std::optional(*found) : std::nullopt;
}

Access::Decision Access::check(std::string_view authorization, std::string_view peer, config::Role needed) {
  auto decision = decide(authorization, peer, needed);
  if (decision.refusal == Refusal::kUnknown) ++counters_.unknown_tokens;
  if (decision.refusal == Refusal::kRole) ++counters_.roles;
  if (decision.refusal == Refusal::kTooMany) ++counters_.rate_limited;
  return decision;
}

Access::Decision Access::unknown(std::string_view peer, std::string message) {
  if (take(by_peer_, peer, refusals_)) return refused(Refusal::kUnknown, std::move(message));
  return refused(Refusal::kTooMany, "too many requests without a known token; wait a minute");
}

Access::Decision Access::decide(std::string_view authorization, std::string_view peer, config::Role needed) {
  constexpr const char* kWanted = "send 'Authorization: Bearer TOKEN'";
  const std::string_view scheme = authorization.substr(0, authorization.find(' '));
  std::string_view secret = authorization.substr(scheme.size());
  secret.remove_prefix(std::min(secret.find_first_not_of(' '), secret.size()));
  if (scheme.empty()) return unknown(peer, std::string("a token is needed: ") + kWanted);
  if (!same_word(scheme, "Bearer"))
    return unknown(peer, std::string("a Bearer token is needed, and nothing else is taken: ") + kWanted);
  if (secret.empty()) return unknown(peer, std::string("a token is needed behind Bearer: ") + kWanted);
  const auto token = secret.size() <= kMaxToken ? find(secret) : std::nullopt;
  if (!token) return unknown(peer, "this token is not known");
  if (token->until && wall_ms() >= *token->until)
    return unknown(peer, "the token of " + token->name + " ended at " + config::instant_text(*token->until));
  if (!take(by_token_, token->name, requests_))
    return refused(Refusal::kTooMany, "too many requests with the token of " + token->name + "; send fewer");
  if (token->role < needed)
    return refused(Refusal::kRole, "this needs the role " + std::string(config::to_string(needed)) +
                                       ", the token of " + token->name + " has the role " +
                                       std::string(config::to_string(token->role)));
  auto place = place_for(token->name);
  if (!place)
    return refused(Refusal::kTooMany, "more than " + std::to_string(kMaxAtOnce) +
                                          " requests at once with the token of " + token->name +
                                          "; wait for their answers");
  return {Refusal::kNone, {token->name, token->role, token->show, token->shot, std::move(place)}, {}};
}

std::shared_ptr<void> Access::place_for(const std::string& name) {
  const std::lock_guard lock(mutex_);
  if (at_once_[name] >= kMaxAtOnce) return nullptr;
  ++at_once_[name];
  return {this, [name](Access* access) {
            const std::lock_guard freed(access->mutex_);
            if (--access->at_once_[name] == 0) access->at_once_.erase(name);
          }};
}

bool Access::take(Buckets& buckets, std::string_view key, RateLimit limit) {
  const auto now = TokenBucket::Clock::now();
  const std::lock_guard lock(mutex_);
  auto found = buckets.find(key);
  if (found == buckets.end()) {
    if (buckets.size() >= kMaxBuckets)
      std::erase_if(buckets, [&](const auto& entry) { return entry.second.full(limit, now); });
    if (buckets.size() >= kMaxBuckets)
      buckets.erase(buckets.begin(), std::next(buckets.begin(), kMaxBuckets / 4));
    found = buckets.emplace(std::string(key), TokenBucket(limit, now)).first;
  }
  return found->second.take(limit, now);
}

}  // namespace rushes::scheduler
