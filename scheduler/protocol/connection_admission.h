// Which connections of a server are served: not too often, and only while their key is in the allow-list.
//
// ZeroMQ cannot end a single connection of a ROUTER; the messages of one that is not admitted are dropped.
//
// Thread contract: belongs to the thread of its socket.
#pragma once

#include <string>
#include <unordered_map>

#include "scheduler/protocol/sockets.h"
#include "scheduler/rate_limit.h"

namespace rushes::protocol {

class ConnectionAdmission {
 public:
  using Clock = scheduler::TokenBucket::Clock;
  enum class Admission { kAdmitted, kFloods, kWithdrawn };

  ConnectionAdmission(ZapAuthenticator::Impl& authenticator, scheduler::RateLimit rate, const char* what)
      : authenticator_(authenticator), rate_(rate), what_(what) {}

  // One message of the connection `id`; refusals are counted and logged here.
  Admission admit(const std::string& id, const Identity& identity);
  // Forgets connections that have been quiet: ZeroMQ does not say which are gone. Call now and then.
  void tidy();

 private:
  struct Connection {
    scheduler::TokenBucket bucket;
    std::uint64_t generation;  // of the allow-list when its key was last looked up
    bool allowed;
  };
  ZapAuthenticator::Impl& authenticator_;
  const scheduler::RateLimit rate_;
  const char* what_;
  std::unordered_map<std::string, Connection> connections_;
  Clock::time_point tidied_ = Clock::now();
};

}  // namespace rushes::protocol
