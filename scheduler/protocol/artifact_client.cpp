// Worker side of artifact transfer: one request or a short run of chunks in flight at a time.
#include "scheduler/protocol/sockets.h"

namespace rushes::protocol {
namespace {

constexpr std::size_t kMaxFrame = kMaxChunkBytes + kMaxControlBytes;
constexpr Queue kQueue{64, 64};
constexpr std::chrono::seconds kOneKey{2};  // without a connection, until the scheduler's next key is tried
constexpr std::chrono::milliseconds kSlice{100};  // how soon a stop is noticed

std::string_view chars(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace

struct ArtifactClient::Impl {
  struct Reply {
    ArtifactReply header;
    zmq::message_t payload;
  };

  Status open() {
    hang_up();
    auto fresh = make_dealer(context, options, server_key, kMaxFrame, kQueue);
    if (!fresh) return tl::unexpected(fresh.error());
    socket = std::move(*fresh);
    monitor.emplace(context, *socket, ZMQ_EVENT_DISCONNECTED);
    return connect(*socket, options.endpoint);
  }

  void hang_up() {
    monitor.reset();
    socket.reset();
    unanswered = 0;
  }

  // Forgets whatever is in flight: the next call starts on a fresh connection.
  tl::unexpected<Error> give_up(ErrorKind kind, const std::string& message) {
    hang_up();
    return fail(kind, message);
  }

  // Whether a connection was lost since the last question.
  bool lost_connection() {
    bool lost = false;
    while (monitor->next()) lost = true;
    return lost;
  }

  // What was asked on a connection that is gone is never answered: a scheduler that was started again does
  // not know it, and ZeroMQ connects to it without a word.
  Status wait_for(short events, std::stop_token stop) {
    const auto until = std::chrono::steady_clock::now() + patience;
    auto next_key = std::chrono::steady_clock::now() + kOneKey;
    std::vector<zmq::pollitem_t> items{{socket->handle(), 0, events, 0},
                                       {monitor->socket().handle(), 0, ZMQ_POLLIN, 0}};
    for (wait(items, std::chrono::milliseconds(0)); (items[0].revents & events) == 0;
         wait(items, std::min(kSlice, patience))) {
      if (lost_connection() && unanswered > 0)
        return give_up(ErrorKind::kUnreachable, options.endpoint + ": the connection is lost");
      if (stop.stop_requested()) return give_up(ErrorKind::kUnreachable, "artifact transfer: stopped");
      if (std::chrono::steady_clock::now() >= until)
        return give_up(ErrorKind::kUnreachable,
                       options.endpoint + ": the scheduler's artifact endpoint does not answer");
      if (events == ZMQ_POLLOUT && options.server_public_keys.size() > 1 &&
          std::chrono::steady_clock::now() >= next_key) {
        ++server_key;
        if (auto opened = open(); !opened) return opened;
        items[0].socket = socket->handle();
        items[1].socket = monitor->socket().handle();
        next_key += kOneKey;
      }
    }
    return {};
  }

  Result<std::uint64_t> send(decltype(ArtifactRequest::body) body, std::stop_token stop,
                             const std::span<const std::byte>* payload = nullptr) {
    if (!socket)
      if (auto opened = open(); !opened) return tl::unexpected(opened.error());
    const std::uint64_t number = ++last_request;
    auto header = encode(ArtifactRequest{number, std::move(body)});
    if (!header) return tl::unexpected(header.error());
    if (auto ready = wait_for(ZMQ_POLLOUT, stop); !ready) return tl::unexpected(ready.error());
    if (unanswered++ == 0) lost_connection();  // one that was lost while nothing was asked does not matter
    try {
      const auto last = zmq::send_flags::dontwait;
      const bool sent =
          socket->send(zmq::buffer(*header), payload ? zmq::send_flags::sndmore | last : last) &&
          (!payload || socket->send(zmq::buffer(chars(*payload)), last));
      if (sent) return number;
    } catch (const zmq::error_t&) {  // the connection went away between the two: the same as not ready
    }
    return give_up(ErrorKind::kUnreachable, options.endpoint + ": the connection is lost");
  }

  Result<Reply> receive(std::stop_token stop) {
    if (auto ready = wait_for(ZMQ_POLLIN, stop); !ready) return tl::unexpected(ready.error());
    zmq::message_t header, payload;
    if (!socket->recv(header, zmq::recv_flags::dontwait))
      return give_up(ErrorKind::kUnreachable, options.endpoint + ": the connection is lost");
    --unanswered;
    if (header.more()) [[maybe_unused]]
      const auto got = socket->recv(payload);
    auto reply = decode_artifact_reply(view(header));
    if (!reply) return give_up(reply.error().kind, reply.error().message);
    if (payload.more() || payload.size() > kMaxChunkBytes)
      return give_up(ErrorKind::kInvalid, "artifact reply: expected at most one payload of 1 MiB");
    return Reply{std::move(*reply), std::move(payload)};
  }

  // The reply to `request`, of type Body; a refusal becomes its error.
  template <typename Body>
  Result<std::pair<Body, zmq::message_t>> expect(std::uint64_t request, std::stop_token stop) {
    auto reply = receive(stop);
    if (!reply) return tl::unexpected(reply.error());
    if (auto* refused = std::get_if<RefusedReply>(&reply->header.body))
      return give_up(refused->kind, refused->message);  // what is in flight behind it is void as well
    auto* body = std::get_if<Body>(&reply->header.body);
    if (reply->header.request != request || body == nullptr)
      return give_up(ErrorKind::kInvalid, "artifact transfer: the scheduler answered another question");
    return std::pair(std::move(*body), std::move(reply->payload));
  }

  ClientOptions options;
  std::chrono::milliseconds patience{0};
  zmq::context_t context{1};
  std::optional<zmq::socket_t> socket;
  std::size_t server_key = 0;      // see make_dealer()
  std::optional<Monitor> monitor;  // of the socket's connection
  int unanswered = 0;              // requests on it
  std::uint64_t last_request = 0, last_upload = 0;
};

ArtifactClient::ArtifactClient(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
ArtifactClient::~ArtifactClient() = default;

Result<std::unique_ptr<ArtifactClient>> ArtifactClient::open(ClientOptions options,
                                                             std::chrono::milliseconds patience) {
  auto impl = std::make_unique<Impl>();
  impl->options = std::move(options);
  impl->patience = patience;
  if (auto opened = impl->open(); !opened) return tl::unexpected(opened.error());
  return std::unique_ptr<ArtifactClient>(new ArtifactClient(std::move(impl)));
}

Result<std::vector<bool>> ArtifactClient::have(const std::vector<Digest>& digests, std::stop_token stop) {
  const auto request = impl_->send(HaveRequest{digests}, stop);
  if (!request) return tl::unexpected(request.error());
  auto reply = impl_->expect<HeldReply>(*request, stop);
  if (!reply) return tl::unexpected(reply.error());
  if (reply->first.held.size() != digests.size())
    return fail(ErrorKind::kInvalid, "artifact reply: expected one answer for each digest");
  return std::move(reply->first.held);
}

Status ArtifactClient::put(const Digest& digest, std::span<const std::byte> bytes, std::stop_token stop) {
  const std::uint64_t upload = ++impl_->last_upload;
  const auto asked = impl_->send(PutRequest{upload, digest, bytes.size()}, stop);
  if (!asked) return tl::unexpected(asked.error());
  auto first = impl_->receive(stop);
  if (!first) return tl::unexpected(first.error());
  if (std::holds_alternative<ReceiptReply>(first->header.body)) return {};
  if (const auto* refused = std::get_if<RefusedReply>(&first->header.body))
    return impl_->give_up(refused->kind, refused->message);

  std::deque<std::uint64_t> in_flight;
  const auto answered = [&]() -> Status {
    auto ready = impl_->expect<ReadyReply>(in_flight.front(), stop);
    if (!ready) return tl::unexpected(ready.error());
    in_flight.pop_front();
    return {};
  };
  for (std::uint64_t offset = 0; offset < bytes.size(); offset += kMaxChunkBytes) {
    if (in_flight.size() >= kChunksInFlight)
      if (auto ready = answered(); !ready) return ready;
    const auto piece = bytes.subspan(offset, std::min<std::uint64_t>(kMaxChunkBytes, bytes.size() - offset));
    const auto sent = impl_->send(ChunkRequest{upload, offset}, stop, &piece);
    if (!sent) return tl::unexpected(sent.error());
    in_flight.push_back(*sent);
  }
  while (!in_flight.empty())
    if (auto ready = answered(); !ready) return ready;
  const auto commit = impl_->send(CommitRequest{upload}, stop);
  if (!commit) return tl::unexpected(commit.error());
  const auto receipt = impl_->expect<ReceiptReply>(*commit, stop);
  if (!receipt) return tl::unexpected(receipt.error());
  if (receipt->first != ReceiptReply{digest, bytes.size()})
    return fail(ErrorKind::kInvalid, "artifact " + to_hex(digest) + ": the receipt names another artifact");
  return {};
}

Status ArtifactClient::get(const Digest& digest, const Sink& sink, std::stop_token stop) {
  struct Asked {
    std::uint64_t request, offset;
  };
  std::deque<Asked> in_flight;
  const auto ask = [&](std::uint64_t offset) -> Status {
    const auto request =
        impl_->send(GetRequest{digest, offset, static_cast<std::uint32_t>(kMaxChunkBytes)}, stop);
    if (!request) return tl::unexpected(request.error());
    in_flight.push_back({*request, offset});
    return {};
  };
  if (auto asked = ask(0); !asked) return asked;
  std::optional<std::uint64_t> total;
  std::uint64_t next = kMaxChunkBytes;
  while (!in_flight.empty()) {
    const Asked asked = in_flight.front();
    in_flight.pop_front();
    auto reply = impl_->expect<DataReply>(asked.request, stop);
    if (!reply) return tl::unexpected(reply.error());
    const auto& [data, payload] = *reply;
    if (!total) total = data.total;
    const std::uint64_t expected =
        std::min<std::uint64_t>(kMaxChunkBytes, *total - std::min(*total, asked.offset));
    if (data.total != *total || data.offset != asked.offset || payload.size() != expected)
      return impl_->give_up(ErrorKind::kInvalid, "artifact " + to_hex(digest) + ": expected " +
                                                     std::to_string(expected) + " bytes at " +
                                                     std::to_string(asked.offset) + ", found others");
    while (in_flight.size() < kChunksInFlight && next < *total) {
      if (auto more = ask(next); !more) return more;
      next += kMaxChunkBytes;
    }
    if (auto taken = sink(*total, std::as_bytes(std::span(payload.data<char>(), payload.size()))); !taken) {
      impl_->hang_up();
      return taken;
    }
  }
  return {};
}

}  // namespace rushes::protocol
