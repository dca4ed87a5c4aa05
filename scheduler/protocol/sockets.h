// What all endpoints share: socket options, the connection monitor, and the server's authenticator.
//
// Thread contract: a Monitor belongs to the thread of its socket.
#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>
#include <zmq.hpp>

#include "scheduler/protocol/allow_list.h"
#include "scheduler/protocol/endpoint.h"
#include "scheduler/protocol/mailbox.h"

namespace rushes::protocol {

// At most one line a minute for each subject, so that connections with unknown keys cannot fill the disk.
class QuietLog {
 public:
  void warn(const std::string& subject, const std::string& line);

 private:
  std::mutex mutex_;
  std::map<std::string, std::chrono::steady_clock::time_point> last_;
};

struct ZapAuthenticator::Impl {
  explicit Impl(std::string secret_key, const AllowList& list)
      : secret(std::move(secret_key)), watched(list), allowed(list) {}
  ~Impl();
  void run();  // thread
  struct KeyCheck {
    std::vector<zmq::message_t> frames;  // of RFC 27, behind the address of the asking connection
    std::string key;
  };
  void receive_zap();
  void answer(KeyCheck& check, const std::optional<std::string>& name);
  bool may_look() const;
  void refresh();
  bool may_use(std::string_view key_name, std::string_view worker);
  bool admits(const struct Identity& identity);

  zmq::context_t context{1};
  std::string secret;
  AllowList watched;                   // the thread's: read from the disk without the lock
  std::vector<KeyCheck> unknown_keys;  // that wait for the next look at the list
  std::chrono::steady_clock::time_point looked{};
  std::chrono::steady_clock::duration look_took{};
  std::mutex mutex;  // of `allowed`
  AllowList allowed;
  std::atomic<std::uint64_t> generation{0};  // of `allowed`: grows with every change
  Counters counters;
  QuietLog log;
  std::optional<zmq::socket_t> zap;
  Mailbox<int> stop;
  std::atomic<bool> stopping{false};
  std::thread thread;
};

// Events of one socket's connections (zmq_socket_monitor).
class Monitor {
 public:
  struct Event {
    int kind = 0;  // ZMQ_EVENT_*
    int value = 0;
    std::string address;
  };
  Monitor(zmq::context_t& context, zmq::socket_t& socket, int events);
  std::optional<Event> next();  // without waiting
  zmq::socket_t& socket() { return pair_; }

 private:
  zmq::socket_t pair_;
};

// Messages of one connection that may wait. `in` times the largest message is the memory that one peer can
// take.
struct Queue {
  int in, out;
};

// The ROUTER of a server: CURVE server, bound. Error: kExhausted (port in use), kInvalid (endpoint).
Result<zmq::socket_t> bind_router(ZapAuthenticator::Impl& authenticator, const std::string& endpoint,
                                  std::size_t max_message, Queue queue);
// The DEALER of a worker: CURVE client, not yet connected (a monitor comes first). `server_key` counts
// through the keys that the scheduler may have. Error: kInvalid.
Result<zmq::socket_t> make_dealer(zmq::context_t& context, const ClientOptions& options,
                                  std::size_t server_key, std::size_t max_message, Queue queue);
Status connect(zmq::socket_t& socket, const std::string& endpoint);
std::string bound_endpoint(zmq::socket_t& socket);

// Drains the monitor of a server: handshakes that failed before a key was known are counted and logged.
void watch_handshakes(Monitor& monitor, ZapAuthenticator::Impl& authenticator);
constexpr int kFailedHandshakes = ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL | ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL |
                                  ZMQ_EVENT_HANDSHAKE_FAILED_AUTH;

// Whose message it is: the key that the connection was made with, and the name that it had in the allow-list
// then. ZAP's User-Id says both; empty without one.
struct Identity {
  std::string name, key;
};
Identity identity_of(zmq::message_t& message);
std::string address_of(zmq::message_t& message);  // of its sender: "10.0.0.7"; empty: unknown

inline std::string_view view(const zmq::message_t& message) {
  return {static_cast<const char*>(message.data()), message.size()};
}

// Waits for any of `items`; a signal counts as nothing happened.
void wait(std::vector<zmq::pollitem_t>& items, std::chrono::milliseconds timeout);

}  // namespace rushes::protocol
