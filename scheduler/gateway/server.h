// cpp-httplib's server with bounds that it does not have itself: how long a request may take to arrive, and
// how many header lines and bytes it may have. Without them one client that sends a byte every few seconds,
// or headers without end, holds a thread or the memory before anybody has asked for its token.
//
// A connection that goes beyond is refused and closed, counted.
//
// Thread contract: as httplib::Server; the counters from any thread.
#pragma once

#include <httplib.h>

#include <atomic>
#include <chrono>
#include <cstdint>

namespace rushes::scheduler {

class BoundedServer : public httplib::Server {
 public:
  static constexpr std::chrono::seconds kIdle{2};  // between requests: an idle client must not hold a thread
  static constexpr std::chrono::seconds kHeaders{5};  // from the first byte to the end of the headers
  static constexpr std::chrono::seconds kBody{30};    // from there to the end of the body
  static constexpr std::chrono::seconds kWrite{30};   // until a reader takes the next bytes of an answer
  static constexpr int kMaxHeaderLines = 64;
  static constexpr std::size_t kMaxHeaderBytes = 32u << 10;
  static constexpr int kMaxRequests = 100;  // of one connection

  std::atomic<std::uint64_t> slow{0};  // requests that did not arrive in time
  std::atomic<std::uint64_t> oversized_headers{0};

 private:
  bool process_and_close_socket(socket_t socket) override;
};

}  // namespace rushes::scheduler
