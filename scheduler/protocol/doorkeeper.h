// Who of a server's connections is heard: not too often, and only while its key is in the allow-list.
//
// ZeroMQ cannot end a single connection of a ROUTER; one that is not admitted stays open and unheard.
//
// Thread contract: belongs to the thread of its socket.
#pragma once

#include <string>
#include <unordered_map>

#include "scheduler/protocol/sockets.h"
#include "scheduler/rate_limit.h"

namespace rushes::protocol {

class Doorkeeper {
 public:
  using Clock = scheduler::TokenBucket::Clock;
  enum class Admission { kHeard, kFloods, kWithdrawn };

  Doorkeeper(Gate::Impl& gate, scheduler::RateLimit rate, const char* what)
      : gate_(gate), rate_(rate), what_(what) {}

  // One message of the connection `id`; refusals are counted and logged here.
  Admission admit(const std::string& id, const Identity& identity);
  // Forgets connections that have been quiet: ZeroMQ does not say which are gone. Call now and then.
  void tidy();

 private:
  struct Visitor {
    scheduler::TokenBucket bucket;
    std::uint64_t generation;  // of the allow-list when its key was last looked up
    bool allowed;
  };
  Gate::Impl& gate_;
  const scheduler::RateLimit rate_;
  const char* what_;
  std::unordered_map<std::string, Visitor> visitors_;
  Clock::time_point tidied_ = Clock::now();
};

}  // namespace rushes::protocol
