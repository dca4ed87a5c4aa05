// Scheduler side of the control socket.
#include <pthread.h>

#include "config/log.h"
#include "scheduler/protocol/codec.h"
#include "scheduler/protocol/connection_admission.h"
#include "scheduler/protocol/sockets.h"

namespace rushes::protocol {
namespace {

constexpr std::size_t kMaxWorkers = 16'384;  // connections; limits.workers is the farm's own bound
// ZeroMQ drops a connection above this; up to it we say what was wrong.
constexpr std::size_t kMaxFrame = 4 * kMaxControlBytes;
constexpr Queue kQueue{256, 4096};
constexpr std::chrono::milliseconds kLook{1000};  // how soon a withdrawn key is noticed

}  // namespace

struct ControlServer::Impl {
  struct Route {
    std::string routing_id;  // ZeroMQ's name of the connection
    Identity identity;
  };
  struct Outgoing {
    Peer to;
    std::string bytes;
    bool last = false;      // Refused, NameTaken: the connection is forgotten after it
    bool has_name = false;  // Welcome: other processes of its name have it no longer
  };

  Impl(ZapAuthenticator::Impl& authenticator_, zmq::socket_t socket_, Handler handler_,
       OnWithdrawn on_withdrawn_, scheduler::RateLimit rate)
      : authenticator(authenticator_),
        socket(std::move(socket_)),
        handler(std::move(handler_)),
        on_withdrawn(std::move(on_withdrawn_)),
        endpoint(bound_endpoint(socket)),
        admission(authenticator_, rate, "control") {}
  ~Impl() {
    stopping = true;
    outbox.wake();
    if (thread.joinable()) thread.join();
  }

  void run();
  void receive();
  void handle(const std::string& id, const Identity& identity, const std::string& address,
              std::string_view bytes);
  void on_hello(const std::string& routing_id, const Identity& identity, Hello hello);
  void refuse(const std::string& key, const std::string& why, std::atomic<std::uint64_t>& counter);
  void withdraw();
  void deliver(Outgoing outgoing);
  bool send_to(const std::string& routing_id, const SchedulerMessage& message);
  bool send_bytes(const std::string& routing_id, std::string_view bytes);
  void forget(const Peer& peer);
  void forget_others(const Peer& peer);  // of the same name

  ZapAuthenticator::Impl& authenticator;
  zmq::socket_t socket;
  Handler handler;
  OnWithdrawn on_withdrawn;
  std::string endpoint;
  ConnectionAdmission admission;
  std::uint64_t generation = 0;  // of the allow-list that `routes` were compared with
  std::map<Peer, Route> routes;
  std::map<std::string, Peer> peers;  // by routing id
  Mailbox<Outgoing> outbox;
  std::atomic<bool> stopping{false};
  std::thread thread;
};

void ControlServer::Impl::run() {
  pthread_setname_np(pthread_self(), "control");
  Monitor monitor(authenticator.context, socket, kFailedHandshakes);
  std::vector<zmq::pollitem_t> items{{socket.handle(), 0, ZMQ_POLLIN, 0},
                                     {nullptr, outbox.descriptor(), ZMQ_POLLIN, 0},
                                     {monitor.socket().handle(), 0, ZMQ_POLLIN, 0}};
  while (!stopping) {
    wait(items, kLook);
    withdraw();
    if (items[1].revents != 0)
      for (Outgoing& outgoing : outbox.take()) deliver(std::move(outgoing));
    if (items[0].revents != 0) receive();
    if (items[2].revents != 0) watch_handshakes(monitor, authenticator);
    admission.tidy();
  }
  for (Outgoing& outgoing : outbox.take()) deliver(std::move(outgoing));
  socket.close();
}

void ControlServer::Impl::refuse(const std::string& key, const std::string& why,
                                 std::atomic<std::uint64_t>& counter) {
  ++counter;
  authenticator.log.warn("message of " + key, "worker key " + key + ": message refused: " + why);
}

// Workers whose key left the allow-list are told, and then forgotten.
void ControlServer::Impl::withdraw() {
  const std::uint64_t now = authenticator.generation;
  if (now == generation) return;
  generation = now;
  std::vector<Peer> out;
  for (const auto& [peer, route] : routes)
    if (!authenticator.admits(route.identity)) out.push_back(peer);
  for (const Peer& peer : out) {
    ++authenticator.counters.withdrawn;
    log::warn("worker {}: its key is no longer in the allow-list; it is not served any more", peer.worker);
    send_to(routes[peer].routing_id, Refused{"its key is no longer in the scheduler's allow-list"});
    forget(peer);
    if (on_withdrawn) on_withdrawn(peer.worker);
  }
}

void ControlServer::Impl::receive() {
  zmq::message_t routing, payload;
  // A bounded number at a time, so that a flood cannot hold back what goes out.
  for (int i = 0; i < 256; ++i) {
    if (!socket.recv(routing, zmq::recv_flags::dontwait)) return;
    if (!routing.more() || !socket.recv(payload)) continue;
    const std::string id = routing.to_string();
    const Identity identity = identity_of(payload);
    const bool more = payload.more();
    for (zmq::message_t rest; more && socket.recv(rest) && rest.more();) continue;
    if (admission.admit(id, identity) != ConnectionAdmission::Admission::kAdmitted) continue;
    if (more)
      refuse(identity.name, "expected one frame, found more", authenticator.counters.malformed);
    else
      handle(id, identity, address_of(payload), view(payload));
  }
}

void ControlServer::Impl::handle(const std::string& id, const Identity& identity, const std::string& address,
                                 std::string_view bytes) {
  auto message = decode_from_worker(bytes);
  const auto known = peers.find(id);
  if (!message) {
    const Error& error = message.error();
    refuse(identity.name, error.message,
           error.kind == ErrorKind::kExhausted ? authenticator.counters.oversized
                                               : authenticator.counters.malformed);
    // It may be a worker of another version: without an answer its owner would never know.
    if (known == peers.end()) send_to(id, Refused{error.message});
  } else if (auto* hello = std::get_if<Hello>(&*message)) {
    if (!hello->process.id.empty()) hello->process.address = address;
    on_hello(id, identity, std::move(*hello));
  } else if (known == peers.end()) {
    ++authenticator.counters.ungreeted;
    send_to(id, Greet{});
  } else {
    const Peer from = known->second;
    if (std::holds_alternative<Bye>(*message)) forget(from);
    handler(from, std::move(*message));
  }
}

void ControlServer::Impl::on_hello(const std::string& routing_id, const Identity& identity, Hello hello) {
  const std::string& key = identity.name;
  std::string why;
  if (!authenticator.may_use(key, hello.name))
    why = "key " + key + " does not speak for a worker named " + hello.name + "; name it " + key + " or " +
          key + "-ANYTHING, or add its own key as " + hello.name + ".pub";
  const Peer peer{hello.name, hello.process.id};
  if (why.empty() && !routes.contains(peer) && routes.size() >= kMaxWorkers)
    why = "this scheduler serves at most " + std::to_string(kMaxWorkers) + " workers";
  if (!why.empty()) {
    refuse(key, why, authenticator.counters.misnamed);
    send_to(routing_id, Refused{why});
    return;
  }
  if (const auto named = peers.find(routing_id); named != peers.end() && named->second != peer)
    forget(named->second);  // one connection, one worker
  if (const auto before = routes.find(peer);
      before != routes.end() && before->second.routing_id != routing_id) {
    ++authenticator.counters.replaced;
    forget(peer);  // a new connection replaces the old one
  }
  peers[routing_id] = peer;
  routes[peer] = {routing_id, identity};
  handler(peer, std::move(hello));
}

void ControlServer::Impl::forget(const Peer& peer) {
  const auto found = routes.find(peer);
  if (found == routes.end()) return;
  peers.erase(found->second.routing_id);
  routes.erase(found);
}

void ControlServer::Impl::forget_others(const Peer& peer) {
  std::vector<Peer> others;
  for (auto route = routes.lower_bound({peer.worker, ""});
       route != routes.end() && route->first.worker == peer.worker; ++route)
    if (route->first != peer) others.push_back(route->first);
  for (const Peer& other : others) forget(other);
}

bool ControlServer::Impl::send_to(const std::string& routing_id, const SchedulerMessage& message) {
  const auto bytes = encode(message);
  if (!bytes) {
    log::error("{}", bytes.error().message);
    return false;
  }
  return send_bytes(routing_id, *bytes);
}

bool ControlServer::Impl::send_bytes(const std::string& routing_id, std::string_view bytes) {
  try {
    const auto flags = zmq::send_flags::sndmore | zmq::send_flags::dontwait;
    if (socket.send(zmq::buffer(routing_id), flags) &&
        socket.send(zmq::buffer(bytes), zmq::send_flags::dontwait))
      return true;
  } catch (const zmq::error_t& error) {
    if (error.num() != EHOSTUNREACH) log::error("control socket: {}", error.what());
  }
  ++authenticator.counters.undelivered;
  return false;
}

void ControlServer::Impl::deliver(Outgoing outgoing) {
  const auto found = routes.find(outgoing.to);
  if (found == routes.end()) {
    ++authenticator.counters.undelivered;
    return;
  }
  send_bytes(found->second.routing_id, outgoing.bytes);
  if (outgoing.has_name) forget_others(outgoing.to);
  if (outgoing.last) forget(outgoing.to);
}

ControlServer::ControlServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
ControlServer::~ControlServer() = default;
const std::string& ControlServer::endpoint() const { return impl_->endpoint; }

Result<std::unique_ptr<ControlServer>> ControlServer::start(ZapAuthenticator& authenticator,
                                                            const std::string& endpoint, Handler handler,
                                                            OnWithdrawn on_withdrawn,
                                                            scheduler::RateLimit rate) {
  auto socket = bind_router(authenticator.impl(), endpoint, kMaxFrame, kQueue);
  if (!socket) return tl::unexpected(socket.error());
  auto impl = std::make_unique<Impl>(authenticator.impl(), std::move(*socket), std::move(handler),
                                     std::move(on_withdrawn), rate);
  impl->thread = std::thread([raw = impl.get()] { raw->run(); });
  return std::unique_ptr<ControlServer>(new ControlServer(std::move(impl)));
}

Status ControlServer::send(const Peer& to, const SchedulerMessage& message) {
  auto bytes = encode(message);  // here, so that who sends learns what does not fit
  if (!bytes) return tl::unexpected(bytes.error());
  const bool last = std::holds_alternative<Refused>(message) || std::holds_alternative<NameTaken>(message);
  impl_->outbox.put({to, std::move(*bytes), last, std::holds_alternative<Welcome>(message)});
  return {};
}

}  // namespace rushes::protocol
