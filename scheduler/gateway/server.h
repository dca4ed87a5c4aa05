// cpp-httplib's server behind Connections: a thread serves one request that has arrived, and never waits for a client to
// send a head. Without that, or without the bounds below, one client that sends a byte every few seconds holds a thread
// before anybody has asked for its token.
//
// GET /v1/health has threads of its own: it is answered whatever the others do. A body is read only when a handler asks
// for it; what was not read is thrown away behind the answer, for a moment, and the connection ends.
//
// Thread contract: start() once, after the server is bound; finish() ends all threads; the counters from any thread.
#pragma once

#include <httplib.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>

#include "scheduler/gateway/connections.h"

namespace rushes::scheduler {

class BoundedServer : public httplib::Server {
 public:
  static constexpr int kThreads = 64;       // requests that are served at once
  static constexpr int kHealthThreads = 2;  // of them beside the others
  static constexpr int kMaxQueued = 128;    // requests that wait for a thread; further ones are refused: 503
  static constexpr int kBacklog = 256;      // connections that the system accepts ahead
  static constexpr std::chrono::seconds kBody{20};  // to the end of the body, and a second more for each
  static constexpr std::uint64_t kBodyRate = 512u << 10;  // bytes of it
  static constexpr std::chrono::seconds kWrite{30};       // until a reader takes the next bytes of an answer

  ~BoundedServer() override { finish(); }
  void start();
  void finish();

  // Refused so far.
  std::uint64_t slow() const;  // requests that did not arrive in time
  std::uint64_t oversized_heads() const;
  std::uint64_t crowded() const;  // connections closed because there were too many
  std::atomic<std::uint64_t> slow_bodies{0};
  bool stopping() const { return svr_sock_ == INVALID_SOCKET; }

 private:
  void queue(RequestHead head);
  void serve(RequestHead head);
  void refuse(const RequestHead& head, const HeadRefusal& refusal);

  std::unique_ptr<Connections> connections_;
  std::unique_ptr<httplib::ThreadPool> threads_, health_;
  std::atomic<int> queued_{0};
  std::atomic<std::uint64_t> overrun_{0};
};

}  // namespace rushes::scheduler
