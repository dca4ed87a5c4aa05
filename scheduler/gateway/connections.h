// Connections of the HTTP server that wait for a request: one thread accepts and polls them all, and hands one over when
// the head of its request is complete. A client that is slow, says nothing or comes a thousand times holds no thread of
// those that serve requests.
//
// Bounded are the time, lines and bytes of a head, and how many connections wait, of one address and of all; beyond, the
// one that has waited longest is closed. A head that is too large or too slow is answered (414, 431, 408), as far as the
// socket takes the answer at once.
//
// Thread contract: wait_again() and drain() from any thread; `serve` is called on the polling thread and must not block.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "scheduler/gateway/request_head.h"

namespace rushes::scheduler {

// A request whose head has arrived. Who gets it owns the socket.
struct RequestHead {
  int socket = -1;
  std::string address;     // of the client, numeric
  std::string bytes;       // the head, and what came behind it
  std::size_t length = 0;  // of the head, its empty line included
};

class Connections {
 public:
  static constexpr std::chrono::seconds kIdle{10};  // until the first byte of a request
  static constexpr std::chrono::seconds kHead{5};   // from there to the end of the head
  static constexpr std::chrono::seconds kDrain{
      1};  // a refused client takes its answer before the connection ends
  static constexpr std::size_t kMaxDrained = 1u << 20;
  static constexpr std::size_t kMaxHeadLines = 65;
  static constexpr std::size_t kMaxHeadBytes = 32u << 10;
  static constexpr std::size_t kMaxWaiting = 256;
  static constexpr std::size_t kMaxOfAddress = 96;

  struct Counters {
    std::atomic<std::uint64_t> slow{0};  // heads that did not arrive in time
    std::atomic<std::uint64_t> oversized_heads{0};
    std::atomic<std::uint64_t> crowded{0};  // closed because others came
  };

  // `listener` listens; it is not closed here.
  Connections(int listener, std::function<void(RequestHead)> serve);
  ~Connections();
  Connections(const Connections&) = delete;
  Connections& operator=(const Connections&) = delete;

  // For the next request on the connection; `bytes` of it are here already.
  void wait_again(int socket, std::string address, std::string bytes);
  // Nothing more is sent on it; what the client still sends is thrown away for a moment.
  void drain(int socket, std::string address);
  void stop();  // closes all of them

  const Counters& counters() const { return counters_; }

 private:
  using Clock = std::chrono::steady_clock;
  struct Waiting {
    std::string address, bytes;
    std::size_t line = 0, lines = 0;  // where the unfinished line begins; finished ones
    bool drained = false;
    std::size_t thrown_away = 0;
    Clock::time_point since, until;
  };
  struct Given {
    int socket = -1;
    Waiting waiting;
  };
  enum class Head { kOpen, kComplete, kTooLarge };

  void run();
  void accept_some();
  void take_given();
  void add(int socket, Waiting waiting);
  void give(int socket, Waiting waiting);
  void make_room_for(const std::string& address);
  void read_some(int socket);
  void look_at(int socket);  // its bytes
  static Head scan(Waiting& waiting);
  void refuse(int socket, const HeadRefusal& refusal);
  void close_late();
  void close_one(int socket);

  const int listener_, poller_, wake_;
  const std::function<void(RequestHead)> serve_;
  Counters counters_;
  std::unordered_map<int, Waiting> waiting_;  // of the polling thread
  std::mutex mutex_;
  std::vector<Given> given_;  // guarded by mutex_
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

}  // namespace rushes::scheduler
