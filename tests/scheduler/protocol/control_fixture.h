// Both ends of a control connection on loopback, for tests.
#pragma once

#include <gtest/gtest.h>

#include <stdexcept>

#include "tests/scheduler/protocol/farm_keys.h"

namespace rushes::protocol::test {

using Link = ControlClient::Link;
using Heard = std::pair<std::string, WorkerMessage>;
inline constexpr const char* kAnyPort = "tcp://127.0.0.1:*";

struct Server {
  explicit Server(const FarmKeys& keys, const std::string& endpoint = kAnyPort,
                  scheduler::RateLimit rate = ControlServer::kRate)
      : authenticator(*ZapAuthenticator::open(keys.scheduler.secret_key, keys.folder / "workers")) {
    auto started = ControlServer::start(
        *authenticator, endpoint,
        [this](const Peer& from, WorkerMessage message) {
          heard.put({from.worker, std::move(message)});
        },
        [this](const std::string& worker) { withdrawn.put(worker); }, rate);
    if (!started) throw std::runtime_error(started.error().message);
    control = std::move(*started);
  }
  Inbox<Heard> heard;
  Inbox<std::string> withdrawn;
  std::unique_ptr<ZapAuthenticator> authenticator;
  std::unique_ptr<ControlServer> control;
};

struct Client {
  explicit Client(const ClientOptions& options) {
    client = *ControlClient::start(
        options, [this](SchedulerMessage message) { heard.put(std::move(message)); },
        [this](Link link, const std::string& text) {
          links.put({link, text});
        });
  }
  bool connected() {
    while (const auto link = links.next())
      if (link->first == Link::kConnected) return true;
    return false;
  }
  Inbox<SchedulerMessage> heard;
  Inbox<std::pair<Link, std::string>> links;
  std::unique_ptr<ControlClient> client;
};

inline Hello hello(const std::string& name, std::uint64_t sequence = 1) {
  Hello message;
  message.name = name;
  message.offer.build = "test";
  message.sequence = sequence;
  return message;
}

// Waits until the counter reaches `least`: what other threads count.
inline bool reaches(const std::atomic<std::uint64_t>& counter, std::uint64_t least) {
  for (int i = 0; i < 1000 && counter < least; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  return counter >= least;
}

}  // namespace rushes::protocol::test
