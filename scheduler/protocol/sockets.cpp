#include "scheduler/protocol/sockets.h"

#include "config/log.h"

namespace rushes::protocol {
namespace {

constexpr std::size_t kMaxSubjects = 1024;

void common_options(zmq::socket_t& socket, std::size_t max_message, Queue queue) {
  socket.set(zmq::sockopt::linger, 0);
  socket.set(zmq::sockopt::maxmsgsize, static_cast<std::int64_t>(max_message));
  socket.set(zmq::sockopt::sndhwm, queue.out);
  socket.set(zmq::sockopt::rcvhwm, queue.in);
  socket.set(zmq::sockopt::handshake_ivl, 5000);
}

std::atomic<unsigned> monitor_number{0};

}  // namespace

void QuietLog::warn(const std::string& subject, const std::string& line) {
  const auto now = std::chrono::steady_clock::now();
  {
    const std::lock_guard lock(mutex_);
    if (last_.size() > kMaxSubjects) last_.clear();
    const auto [found, fresh] = last_.try_emplace(subject, now);
    if (!fresh && now - found->second < std::chrono::minutes(1)) return;
    found->second = now;
  }
  log::warn("{}", line);
}

Monitor::Monitor(zmq::context_t& context, zmq::socket_t& socket, int events) : pair_(context, ZMQ_PAIR) {
  const std::string address = "inproc://monitor-" + std::to_string(monitor_number++);
  if (zmq_socket_monitor(socket.handle(), address.c_str(), events) != 0) throw zmq::error_t();
  pair_.set(zmq::sockopt::linger, 0);
  pair_.connect(address);
}

std::optional<Monitor::Event> Monitor::next() {
  zmq::message_t header, address;
  if (!pair_.recv(header, zmq::recv_flags::dontwait)) return std::nullopt;
  if (!header.more() || !pair_.recv(address) || header.size() < 6) return std::nullopt;
  std::uint16_t kind = 0;
  std::int32_t value = 0;
  std::memcpy(&kind, header.data(), sizeof kind);
  std::memcpy(&value, static_cast<const char*>(header.data()) + sizeof kind, sizeof value);
  return Event{kind, value, address.to_string()};
}

Result<zmq::socket_t> bind_router(ZapAuthenticator::Impl& authenticator, const std::string& endpoint,
                                  std::size_t max_message, Queue queue) {
  try {
    zmq::socket_t socket(authenticator.context, ZMQ_ROUTER);
    common_options(socket, max_message, queue);
    // The kernel finds peers that vanished without a word. Not ZMTP's heartbeats: libzmq looks through the
    // timers of all connections whenever one of them speaks, which takes all of an I/O thread at some
    // thousands.
    socket.set(zmq::sockopt::tcp_keepalive, 1);
    socket.set(zmq::sockopt::tcp_keepalive_idle, 20);
    socket.set(zmq::sockopt::tcp_keepalive_intvl, 5);
    socket.set(zmq::sockopt::tcp_keepalive_cnt, 3);
    // A message to an unknown connection is an error, which is counted.
    socket.set(zmq::sockopt::router_mandatory, true);
    socket.set(zmq::sockopt::curve_server, true);
    socket.set(zmq::sockopt::curve_secretkey, authenticator.secret);
    socket.set(zmq::sockopt::zap_domain, "rushes");
    socket.bind(endpoint);
    return socket;
  } catch (const zmq::error_t& error) {
    switch (error.num()) {
      case EADDRINUSE:
        return fail(ErrorKind::kExhausted,
                    endpoint +
                        ": the port is in use; is another scheduler running? Stop it or "
                        "choose another port in farm.yaml");
      case EACCES:
      case EADDRNOTAVAIL:
      case ENODEV:
        return fail(ErrorKind::kExhausted, endpoint + ": cannot listen there: " + error.what());
      default:
        return fail(ErrorKind::kInvalid,
                    endpoint + ": expected an endpoint such as tcp://127.0.0.1:7401: " + error.what());
    }
  }
}

Result<zmq::socket_t> make_dealer(zmq::context_t& context, const ClientOptions& options,
                                  std::size_t server_key, std::size_t max_message, Queue queue) {
  if (options.server_public_keys.empty())
    return fail(ErrorKind::kInvalid, options.endpoint + ": expected the scheduler's public key");
  try {
    zmq::socket_t socket(context, ZMQ_DEALER);
    common_options(socket, max_message, queue);
    // ZMTP's pings find a scheduler that vanished without a word; without a TTL they cost it no timer.
    socket.set(zmq::sockopt::heartbeat_ivl, 2000);
    socket.set(zmq::sockopt::heartbeat_timeout, 8000);
    socket.set(zmq::sockopt::immediate, true);  // nothing is queued for a scheduler that is away
    socket.set(zmq::sockopt::reconnect_ivl, 100);
    socket.set(zmq::sockopt::reconnect_ivl_max, 500);  // a scheduler that is back gets its workers at once
    socket.set(zmq::sockopt::connect_timeout, 3000);
    socket.set(zmq::sockopt::curve_serverkey,
               options.server_public_keys[server_key % options.server_public_keys.size()]);
    socket.set(zmq::sockopt::curve_publickey, options.keys.public_key);
    socket.set(zmq::sockopt::curve_secretkey, options.keys.secret_key);
    return socket;
  } catch (const zmq::error_t& error) {
    return fail(ErrorKind::kInvalid,
                std::string("expected CURVE keys of 40 Z85 characters: ") + error.what());
  }
}

Status connect(zmq::socket_t& socket, const std::string& endpoint) {
  try {
    socket.connect(endpoint);
    return {};
  } catch (const zmq::error_t& error) {
    return fail(ErrorKind::kInvalid,
                endpoint + ": expected an endpoint such as tcp://HOST:7401: " + error.what());
  }
}

std::string bound_endpoint(zmq::socket_t& socket) { return socket.get(zmq::sockopt::last_endpoint); }

void watch_handshakes(Monitor& monitor, ZapAuthenticator::Impl& authenticator) {
  while (const auto event = monitor.next()) {
    if (event->kind == ZMQ_EVENT_HANDSHAKE_FAILED_AUTH) continue;  // counted by the ZAP handler, with the key
    if (event->kind == ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL &&
        event->value == ZMQ_PROTOCOL_ERROR_ZMTP_INVALID_SEQUENCE) {
      ++authenticator.counters.replayed;
      authenticator.log.warn("replay", "a connection was ended: an encrypted message came a second time (" +
                                           event->address + ")");
      continue;
    }
    ++authenticator.counters.refused_peers;
    authenticator.log.warn("handshake",
                           "a connection was refused: no CURVE handshake with this scheduler's key, or "
                           "bytes that its peer did not write (" +
                               event->address + ")");
  }
}

Identity identity_of(zmq::message_t& message) {
  try {
    const std::string_view user = message.gets("User-Id");
    const std::size_t space = user.find(' ');  // in no name and no key
    if (space == user.npos) return {};
    return {std::string(user.substr(0, space)), std::string(user.substr(space + 1))};
  } catch (const zmq::error_t&) {  // the property is missing
    return {};
  }
}

std::string address_of(zmq::message_t& message) {
  try {
    return message.gets("Peer-Address");
  } catch (const zmq::error_t&) {  // the property is missing
    return {};
  }
}

void wait(std::vector<zmq::pollitem_t>& items, std::chrono::milliseconds timeout) {
  for (auto& item : items) item.revents = 0;
  try {
    zmq::poll(items, timeout);
  } catch (const zmq::error_t& error) {
    if (error.num() != EINTR) throw;
    for (auto& item : items) item.revents = 0;
  }
}

}  // namespace rushes::protocol
