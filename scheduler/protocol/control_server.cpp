// Scheduler side of the control socket.
#include <spdlog/spdlog.h>

#include "scheduler/protocol/codec_parts.h"
#include "scheduler/protocol/sockets.h"

namespace rushes::protocol {
namespace {

constexpr std::size_t kMaxWorkers = 16'384;  // connections; limits.workers is the farm's own bound
constexpr std::size_t kMaxFrame =
    1u << 20;                       // ZeroMQ drops a connection above this; up to it we say what was wrong
constexpr int kQueueLength = 4096;  // messages to and from one worker

bool is_unnumbered(const SchedulerMessage& message) {
  const auto* ack = std::get_if<HeartbeatAck>(&message);
  const auto* welcome = std::get_if<Welcome>(&message);
  return (ack != nullptr && ack->sequence == 0) || (welcome != nullptr && welcome->sequence == 0);
}

}  // namespace

struct ControlServer::Impl {
  struct Route {
    std::string routing_id;  // ZeroMQ's name of the connection
    std::string key;
    std::uint64_t hello = 0, heartbeat = 0;  // last sequence received
  };
  struct Outgoing {
    std::string worker;
    std::string bytes;
    std::optional<SchedulerMessage> unnumbered;  // encoded when its sequence is known: see send()
    bool last = false;                           // Refused: the connection is forgotten after it
  };

  Impl(Gate::Impl& gate_, zmq::socket_t socket_, Handler handler_)
      : gate(gate_),
        socket(std::move(socket_)),
        handler(std::move(handler_)),
        endpoint(bound_endpoint(socket)) {}
  ~Impl() {
    stopping = true;
    outbox.wake();
    if (thread.joinable()) thread.join();
  }

  void run();
  void receive();
  void on_hello(const std::string& routing_id, const std::string& key, Hello hello);
  void refuse(const std::string& key, const std::string& why);
  void deliver(Outgoing outgoing);
  bool send_to(const std::string& routing_id, const SchedulerMessage& message);
  bool send_bytes(const std::string& routing_id, std::string_view bytes);
  void forget(const std::string& worker);

  Gate::Impl& gate;
  zmq::socket_t socket;
  Handler handler;
  std::string endpoint;
  std::map<std::string, Route> routes;         // by worker
  std::map<std::string, std::string> workers;  // by routing id
  Mailbox<Outgoing> outbox;
  std::atomic<bool> stopping{false};
  std::thread thread;
};

void ControlServer::Impl::run() {
  Monitor monitor(gate.context, socket, kFailedHandshakes);
  std::vector<zmq::pollitem_t> items{{socket.handle(), 0, ZMQ_POLLIN, 0},
                                     {nullptr, outbox.descriptor(), ZMQ_POLLIN, 0},
                                     {monitor.socket().handle(), 0, ZMQ_POLLIN, 0}};
  while (!stopping) {
    wait(items, std::chrono::seconds(60));
    if (items[1].revents != 0)
      for (Outgoing& outgoing : outbox.take()) deliver(std::move(outgoing));
    if (items[0].revents != 0) receive();
    if (items[2].revents != 0) watch_handshakes(monitor, gate);
  }
  for (Outgoing& outgoing : outbox.take()) deliver(std::move(outgoing));
  socket.close();
}

void ControlServer::Impl::refuse(const std::string& key, const std::string& why) {
  ++gate.counters.refused_messages;
  gate.log.warn("message of " + key, "worker key " + key + ": message refused: " + why);
}

void ControlServer::Impl::receive() {
  zmq::message_t routing, payload;
  // A bounded number at a time, so that a flood cannot hold back what goes out.
  for (int i = 0; i < 256; ++i) {
    if (!socket.recv(routing, zmq::recv_flags::dontwait)) return;
    if (!routing.more() || !socket.recv(payload)) continue;
    const std::string id = routing.to_string(), key = key_name(payload);
    if (payload.more()) {
      zmq::message_t rest;
      while (socket.recv(rest) && rest.more()) continue;
      refuse(key, "expected one frame, found more");
      continue;
    }
    auto message = decode_from_worker(view(payload));
    const auto known = workers.find(id);
    if (!message) {
      refuse(key, message.error().message);
      // It may be a worker of another version: without an answer its owner would never know.
      if (known == workers.end()) send_to(id, Refused{message.error().message});
    } else if (auto* hello = std::get_if<Hello>(&*message)) {
      on_hello(id, key, std::move(*hello));
    } else if (known == workers.end()) {
      ++gate.counters.ungreeted;
      send_to(id, Greet{});
    } else {
      const std::string worker = known->second;
      if (const auto* beat = std::get_if<Heartbeat>(&*message)) routes[worker].heartbeat = beat->sequence;
      if (std::holds_alternative<Bye>(*message)) forget(worker);
      handler(worker, std::move(*message));
    }
  }
}

void ControlServer::Impl::on_hello(const std::string& routing_id, const std::string& key, Hello hello) {
  std::string why;
  if (!gate.may_use(key, hello.name))
    why = "key " + key + " does not speak for a worker named " + hello.name + "; name it " + key + " or " +
          key + "-ANYTHING, or add its own key as " + hello.name + ".pub";
  else if (!routes.contains(hello.name) && routes.size() >= kMaxWorkers)
    why = "this scheduler serves at most " + std::to_string(kMaxWorkers) + " workers";
  if (!why.empty()) {
    refuse(key, why);
    send_to(routing_id, Refused{why});
    return;
  }
  if (const auto named = workers.find(routing_id); named != workers.end() && named->second != hello.name)
    forget(named->second);  // one connection, one worker
  forget(hello.name);       // a new connection replaces the old one
  workers[routing_id] = hello.name;
  routes[hello.name] = {routing_id, key, hello.sequence, 0};
  const std::string worker = hello.name;
  handler(worker, std::move(hello));
}

void ControlServer::Impl::forget(const std::string& worker) {
  const auto found = routes.find(worker);
  if (found == routes.end()) return;
  workers.erase(found->second.routing_id);
  routes.erase(found);
}

bool ControlServer::Impl::send_to(const std::string& routing_id, const SchedulerMessage& message) {
  const auto bytes = encode(message);
  if (!bytes) {
    spdlog::error("{}", bytes.error().message);
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
    if (error.num() != EHOSTUNREACH) spdlog::error("control socket: {}", error.what());
  }
  ++gate.counters.undelivered;
  return false;
}

void ControlServer::Impl::deliver(Outgoing outgoing) {
  const auto found = routes.find(outgoing.worker);
  if (found == routes.end()) {
    ++gate.counters.undelivered;
    return;
  }
  const Route& route = found->second;
  if (outgoing.unnumbered) {
    if (auto* ack = std::get_if<HeartbeatAck>(&*outgoing.unnumbered)) ack->sequence = route.heartbeat;
    if (auto* welcome = std::get_if<Welcome>(&*outgoing.unnumbered)) welcome->sequence = route.hello;
    send_to(route.routing_id, *outgoing.unnumbered);
  } else {
    send_bytes(route.routing_id, outgoing.bytes);
  }
  if (outgoing.last) forget(outgoing.worker);
}

ControlServer::ControlServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
ControlServer::~ControlServer() = default;
const std::string& ControlServer::endpoint() const { return impl_->endpoint; }

Result<std::unique_ptr<ControlServer>> ControlServer::start(Gate& gate, const std::string& endpoint,
                                                            Handler handler) {
  auto socket = bind_router(gate.impl(), endpoint, kMaxFrame, kQueueLength);
  if (!socket) return tl::unexpected(socket.error());
  auto impl = std::make_unique<Impl>(gate.impl(), std::move(*socket), std::move(handler));
  impl->thread = std::thread([raw = impl.get()] { raw->run(); });
  return std::unique_ptr<ControlServer>(new ControlServer(std::move(impl)));
}

Status ControlServer::send(const std::string& worker, const SchedulerMessage& message) {
  auto bytes = encode(message);  // here, so that who sends learns what does not fit
  if (!bytes) return tl::unexpected(bytes.error());
  Impl::Outgoing outgoing{worker, {}, {}, std::holds_alternative<Refused>(message)};
  if (is_unnumbered(message))
    outgoing.unnumbered = message;
  else
    outgoing.bytes = std::move(*bytes);
  impl_->outbox.put(std::move(outgoing));
  return {};
}

}  // namespace rushes::protocol
