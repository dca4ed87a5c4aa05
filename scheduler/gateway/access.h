// Who may do what: bearer tokens with roles and limits, how often, and how much at once.
//
// A token may be limited to a show, or to one shot of it, and may end at a time (config/tokens.h).
// The token file is looked at again while requests come in, at most once a second: a new token is let in and
// one that was taken out is refused without a restart. A file that cannot be read leaves the tokens as they
// were and is named in one line.
//
// Thread contract: one Access serves all HTTP threads; every call locks for a moment.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/result.h"
#include "config/tokens.h"
#include "scheduler/rate_limit.h"

namespace rushes::scheduler {

// What was refused, since the start: plain numbers that metrics read.
struct AccessCounters {
  std::atomic<std::uint64_t> unknown_tokens{0};  // none, or one that is not known
  std::atomic<std::uint64_t> roles{0};           // a token whose role does not suffice
  std::atomic<std::uint64_t> rate_limited{0};    // of a token, or of an address without one
};

// Who asks: what the handlers know of a request's token.
struct Caller {
  std::string name;
  config::Role role = config::Role::kViewer;
  std::string show, shot;       // limits; shot: "show/shot". Empty: none
  std::shared_ptr<void> place;  // among the requests of the token that are served at once; free when it goes

  bool limited() const { return !show.empty() || !shot.empty(); }
  std::string limit() const { return shot.empty() ? "show " + show : "shot " + shot; }
  // May it see this shot ("show/shot", "show/shot@1" of an archived one)?
  bool sees(std::string_view shot_key) const;
};

class Access {
 public:
  static constexpr RateLimit kRequests{50,
                                       200};    // of one token: a client that loops cannot starve the others
  static constexpr RateLimit kRefusals{1, 20};  // of one address without a known token: guessing gets slow
  static constexpr int kMaxAtOnce = 24;         // requests of one token: slow ones hold a part of the threads

  enum class Refusal { kNone, kUnknown, kRole, kTooMany };
  struct Decision {
    Refusal refusal = Refusal::kNone;
    Caller caller;        // when it is not refused
    std::string message;  // one line, when refused
  };

  explicit Access(std::vector<config::Token> tokens, RateLimit requests = kRequests,
                  RateLimit refusals = kRefusals);
  // Watches the file that the tokens came from. Before the first check().
  void watch(std::filesystem::path file);

  // `authorization` is the header's value, "Bearer TOKEN"; `peer` the client's address.
  Decision check(std::string_view authorization, std::string_view peer, config::Role needed);
  const AccessCounters& counters() const { return counters_; }

 private:
  using Buckets = std::map<std::string, TokenBucket, std::less<>>;
  Decision decide(std::string_view authorization, std::string_view peer, config::Role needed);
  Decision unknown(std::string_view peer, std::string message);
  std::shared_ptr<void> place_for(const std::string& name);  // null: the token has as many as it may
  bool take(Buckets& buckets, std::string_view key, RateLimit limit);
  std::optional<config::Token> find(std::string_view secret);
  void refresh();

  const RateLimit requests_, refusals_;
  AccessCounters counters_;
  std::filesystem::path file_;  // empty: not watched
  std::mutex mutex_;
  std::vector<config::Token> tokens_;  // guarded by mutex_, as all below
  std::string text_;                   // of the file, as last read
  TokenBucket::Clock::time_point looked_{};
  Buckets by_token_, by_peer_;
  std::map<std::string, int> at_once_;  // requests that are served, by token
};

}  // namespace rushes::scheduler
