// Worker side of the control socket.
#include <pthread.h>

#include <utility>

#include "config/log.h"
#include "scheduler/protocol/sockets.h"

namespace rushes::protocol {
namespace {

constexpr std::size_t kMaxFrame = 1u << 20;
constexpr Queue kQueue{1024, 1024};
constexpr int kWatched = kFailedHandshakes | ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_DISCONNECTED;

}  // namespace

struct ControlClient::Impl {
  Impl(ClientOptions options_, Handler handler_, LinkHandler on_link_)
      : options(std::move(options_)), handler(std::move(handler_)), on_link(std::move(on_link_)) {}
  ~Impl() {
    stopping = true;
    outbox.wake();
    if (thread.joinable()) thread.join();
  }
  Status open();
  void run();
  void receive();
  void watch();
  void send(const std::string& bytes);

  ClientOptions options;
  Handler handler;
  LinkHandler on_link;
  zmq::context_t context{1};
  std::optional<zmq::socket_t> socket;
  std::optional<Monitor> monitor;
  std::size_t server_key = 0;  // see make_dealer()
  bool try_next_key = false;
  Mailbox<std::string> outbox;
  std::atomic<bool> stopping{false};
  std::thread thread;
};

Status ControlClient::Impl::open() {
  monitor.reset();
  socket.reset();
  auto fresh = make_dealer(context, options, server_key, kMaxFrame, kQueue);
  if (!fresh) return tl::unexpected(fresh.error());
  socket = std::move(*fresh);
  monitor.emplace(context, *socket, kWatched);
  return connect(*socket, options.endpoint);
}

void ControlClient::Impl::run() {
  pthread_setname_np(pthread_self(), "control");
  std::vector<zmq::pollitem_t> items{{socket->handle(), 0, ZMQ_POLLIN, 0},
                                     {nullptr, outbox.descriptor(), ZMQ_POLLIN, 0},
                                     {monitor->socket().handle(), 0, ZMQ_POLLIN, 0}};
  while (!stopping) {
    wait(items, std::chrono::seconds(60));
    if (items[2].revents != 0) watch();
    if (std::exchange(try_next_key, false)) {
      ++server_key;
      if (auto opened = open(); !opened) {  // the same options opened once before
        log::error("control socket: {}", opened.error().message);
        return;
      }
      items[0].socket = socket->handle();
      items[2].socket = monitor->socket().handle();
      items[0].revents = 0;
    }
    if (items[1].revents != 0)
      for (const std::string& bytes : outbox.take()) send(bytes);
    if (items[0].revents != 0) receive();
  }
  for (const std::string& bytes : outbox.take()) send(bytes);
  socket->set(zmq::sockopt::linger, 500);  // the last words: Stopped and Bye
  socket->close();
}

void ControlClient::Impl::send(const std::string& bytes) {
  try {
    // Without a connection this fails at once, which is what we want: see endpoint.h.
    [[maybe_unused]] const auto sent = socket->send(zmq::buffer(bytes), zmq::send_flags::dontwait);
  } catch (const zmq::error_t& error) {
    log::error("control socket: {}", error.what());
  }
}

void ControlClient::Impl::receive() {
  zmq::message_t payload;
  while (socket->recv(payload, zmq::recv_flags::dontwait)) {
    auto message = decode_to_worker(view(payload));
    if (message)
      handler(std::move(*message));
    else
      log::warn("message refused: {}", message.error().message);
  }
}

void ControlClient::Impl::watch() {
  while (const auto event = monitor->next()) {
    switch (event->kind) {
      case ZMQ_EVENT_HANDSHAKE_SUCCEEDED:
        on_link(Link::kConnected, options.endpoint);
        break;
      case ZMQ_EVENT_DISCONNECTED:
        on_link(Link::kLost, options.endpoint + ": the connection is lost");
        break;
      case ZMQ_EVENT_HANDSHAKE_FAILED_AUTH:
        on_link(Link::kDenied,
                options.endpoint + ": the scheduler does not know this worker's key; put its public key " +
                    options.keys.public_key + " into the scheduler's folder keys/workers as NAME.pub");
        break;
      default:
        try_next_key = options.server_public_keys.size() > 1;
        on_link(Link::kLost,
                options.endpoint + ": no CURVE handshake; is scheduler_public_key this scheduler's key?");
    }
  }
}

ControlClient::ControlClient(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
ControlClient::~ControlClient() = default;

Result<std::unique_ptr<ControlClient>> ControlClient::start(ClientOptions options, Handler handler,
                                                            LinkHandler on_link) {
  auto impl = std::make_unique<Impl>(std::move(options), std::move(handler), std::move(on_link));
  if (auto opened = impl->open(); !opened) return tl::unexpected(opened.error());
  impl->thread = std::thread([raw = impl.get()] { raw->run(); });
  return std::unique_ptr<ControlClient>(new ControlClient(std::move(impl)));
}

Status ControlClient::send(const WorkerMessage& message) {
  auto bytes = encode(message);
  if (!bytes) return tl::unexpected(bytes.error());
  impl_->outbox.put(std::move(*bytes));
  return {};
}

}  // namespace rushes::protocol
