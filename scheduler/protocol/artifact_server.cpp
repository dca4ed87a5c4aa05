// Scheduler side of artifact transfer.
#include <pthread.h>

#include "config/log.h"
#include "scheduler/protocol/codec.h"
#include "scheduler/protocol/connection_admission.h"
#include "scheduler/protocol/sockets.h"

namespace rushes::protocol {
namespace {

constexpr std::size_t kMaxFrame = kMaxChunkBytes + kMaxControlBytes;
constexpr Queue kQueue{64, 64};  // kChunksInFlight of data, and room for other requests
constexpr std::size_t kMaxUploads = 128;
constexpr std::size_t kMaxUploadsOfOne = 8;
constexpr std::chrono::seconds kIdleUpload{120};  // an upload whose worker vanished

// On a thread of ZeroMQ's.
void delete_bytes(void*, void* bytes) { delete static_cast<std::string*>(bytes); }

// A message that owns the bytes: nothing is copied.
zmq::message_t message_of(std::string bytes) {
  auto owner = std::make_unique<std::string>(std::move(bytes));
  zmq::message_t message(owner->data(), owner->size(), delete_bytes, owner.get());
  (void)owner.release();  // the message deletes it
  return message;
}

}  // namespace

struct ArtifactServer::Impl {
  using Clock = std::chrono::steady_clock;
  struct Upload {
    Digest digest{};
    std::uint64_t bytes = 0, received = 0;
    std::unique_ptr<ArtifactStore::Upload> sink;
    Clock::time_point last = Clock::now();
  };
  using UploadId = std::pair<std::string, std::uint64_t>;  // connection, the worker's number
  using Body = decltype(ArtifactReply::body);
  struct Answer {
    Body body;
    std::string payload = {};
  };

  Impl(ZapAuthenticator::Impl& authenticator_, zmq::socket_t socket_, ArtifactStore& store_,
       scheduler::RateLimit rate)
      : authenticator(authenticator_),
        socket(std::move(socket_)),
        store(store_),
        endpoint(bound_endpoint(socket)),
        admission(authenticator_, rate, "artifact") {}
  ~Impl() {
    stopping = true;
    stop.wake();
    if (thread.joinable()) thread.join();
  }

  void run();
  void receive();
  Result<Answer> handle(const std::string& id, const ArtifactRequest& request, std::string_view payload);
  void drop_idle();
  Result<Answer> answer(const std::string& id, const HaveRequest& have);
  Result<Answer> answer(const std::string& id, const PutRequest& put);
  Result<Answer> answer(const std::string& id, const ChunkRequest& chunk, std::string_view payload);
  Result<Answer> answer(const std::string& id, const CommitRequest& commit);
  Result<Answer> answer(const std::string& id, const GetRequest& get);
  void reply(const std::string& id, std::uint64_t request, Answer answer);

  ZapAuthenticator::Impl& authenticator;
  zmq::socket_t socket;
  ArtifactStore& store;
  std::string endpoint;
  ConnectionAdmission admission;
  std::map<UploadId, Upload> uploads;
  Mailbox<int> stop;
  std::atomic<bool> stopping{false};
  std::thread thread;
};

void ArtifactServer::Impl::run() {
  pthread_setname_np(pthread_self(), "artifacts");
  Monitor monitor(authenticator.context, socket, kFailedHandshakes);
  std::vector<zmq::pollitem_t> items{{socket.handle(), 0, ZMQ_POLLIN, 0},
                                     {nullptr, stop.descriptor(), ZMQ_POLLIN, 0},
                                     {monitor.socket().handle(), 0, ZMQ_POLLIN, 0}};
  while (!stopping) {
    wait(items, std::chrono::seconds(30));
    if (items[0].revents != 0) receive();
    if (items[2].revents != 0) watch_handshakes(monitor, authenticator);
    drop_idle();
    admission.tidy();
  }
  uploads.clear();
  socket.close();
}

void ArtifactServer::Impl::drop_idle() {
  const auto now = Clock::now();
  std::erase_if(uploads, [&](const auto& entry) { return now - entry.second.last > kIdleUpload; });
}

void ArtifactServer::Impl::receive() {
  zmq::message_t routing, header, payload;
  for (int i = 0; i < 64; ++i) {
    if (!socket.recv(routing, zmq::recv_flags::dontwait)) return;
    if (!routing.more() || !socket.recv(header)) continue;
    const Identity identity = identity_of(header);
    payload.rebuild();
    bool too_many = false;
    if (header.more()) {
      [[maybe_unused]] const auto got = socket.recv(payload);
      for (zmq::message_t rest; payload.more() && socket.recv(rest);) {
        too_many = true;
        if (!rest.more()) break;
      }
    }
    const std::string id = routing.to_string();
    const auto verdict = admission.admit(id, identity);
    if (verdict == ConnectionAdmission::Admission::kWithdrawn) {
      const auto first = uploads.lower_bound({id, 0});
      auto last = first;
      while (last != uploads.end() && last->first.first == id) ++last;
      uploads.erase(first, last);
      continue;
    }
    auto request = decode_artifact_request(view(header));
    if (verdict == ConnectionAdmission::Admission::kFloods) {
      reply(id, request ? request->request : 0,
            {RefusedReply{ErrorKind::kExhausted, "too many requests; ask again in a while"}});
      continue;
    }
    if (request && (too_many || payload.size() > kMaxChunkBytes))
      request = fail(ErrorKind::kExhausted, "artifact request: expected at most one payload of 1 MiB");
    if (!request) {
      const Error& error = request.error();
      ++(error.kind == ErrorKind::kExhausted ? authenticator.counters.oversized
                                             : authenticator.counters.malformed);
      authenticator.log.warn("artifacts of " + identity.name,
                             "worker key " + identity.name + ": " + error.message);
      reply(id, 0, {RefusedReply{error.kind, error.message}});
      continue;
    }
    auto answered = handle(id, *request, view(payload));
    if (!answered) answered = Answer{RefusedReply{answered.error().kind, answered.error().message}};
    reply(id, request->request, std::move(*answered));
  }
}

Result<ArtifactServer::Impl::Answer> ArtifactServer::Impl::handle(const std::string& id,
                                                                  const ArtifactRequest& request,
                                                                  std::string_view payload) {
  return std::visit(
      [&](const auto& body) {
        if constexpr (std::is_same_v<decltype(body), const ChunkRequest&>)
          return answer(id, body, payload);
        else
          return answer(id, body);
      },
      request.body);
}

Result<ArtifactServer::Impl::Answer> ArtifactServer::Impl::answer(const std::string&,
                                                                  const HaveRequest& have) {
  HeldReply held;
  for (const Digest& digest : have.digests) held.held.push_back(store.renew(digest).has_value());
  return Answer{std::move(held)};
}

Result<ArtifactServer::Impl::Answer> ArtifactServer::Impl::answer(const std::string& id,
                                                                  const PutRequest& put) {
  if (const auto size = store.renew(put.digest); size && *size == put.bytes)
    return Answer{ReceiptReply{put.digest, put.bytes}};
  const auto first = uploads.lower_bound({id, 0});
  std::size_t of_one = 0;
  for (auto it = first; it != uploads.end() && it->first.first == id; ++it) ++of_one;
  if (of_one >= kMaxUploadsOfOne || uploads.size() >= kMaxUploads)
    return fail(ErrorKind::kExhausted, "too many uploads at once; try again");
  auto sink = store.begin(put.digest, put.bytes);
  if (!sink) return tl::unexpected(sink.error());
  Upload upload;
  upload.digest = put.digest;
  upload.bytes = put.bytes;
  upload.sink = std::move(*sink);
  if (!uploads.emplace(UploadId{id, put.upload}, std::move(upload)).second)
    return fail(ErrorKind::kInvalid, "this upload number is in use");
  return Answer{ReadyReply{}};
}

Result<ArtifactServer::Impl::Answer> ArtifactServer::Impl::answer(const std::string& id,
                                                                  const ChunkRequest& chunk,
                                                                  std::string_view payload) {
  const auto found = uploads.find({id, chunk.upload});
  if (found == uploads.end()) return fail(ErrorKind::kInvalid, "no such upload is open");
  Upload& upload = found->second;
  upload.last = Clock::now();
  Status stored;
  if (chunk.offset != upload.received || payload.empty() || payload.size() > upload.bytes - upload.received)
    stored = fail(ErrorKind::kInvalid, "artifact " + to_hex(upload.digest) + ": expected a chunk at offset " +
                                           std::to_string(upload.received) + ", found " +
                                           std::to_string(payload.size()) + " bytes at " +
                                           std::to_string(chunk.offset));
  else
    stored = upload.sink->append(payload);
  if (!stored) {
    uploads.erase(found);
    return tl::unexpected(stored.error());
  }
  upload.received += payload.size();
  return Answer{ReadyReply{}};
}

Result<ArtifactServer::Impl::Answer> ArtifactServer::Impl::answer(const std::string& id,
                                                                  const CommitRequest& commit) {
  const auto found = uploads.find({id, commit.upload});
  if (found == uploads.end()) return fail(ErrorKind::kInvalid, "no such upload is open");
  const Upload upload = std::move(found->second);
  uploads.erase(found);
  if (upload.received != upload.bytes)
    return fail(ErrorKind::kCorrupt, "artifact " + to_hex(upload.digest) + ": expected " +
                                         std::to_string(upload.bytes) + " bytes, found " +
                                         std::to_string(upload.received));
  if (auto stored = upload.sink->commit(); !stored) {
    log::warn("upload refused: {}", stored.error().message);
    return tl::unexpected(stored.error());
  }
  return Answer{ReceiptReply{upload.digest, upload.bytes}};
}

Result<ArtifactServer::Impl::Answer> ArtifactServer::Impl::answer(const std::string&, const GetRequest& get) {
  const auto total = store.size(get.digest);
  if (!total) return tl::unexpected(total.error());
  if (get.offset > *total) return fail(ErrorKind::kInvalid, "offset beyond the end of the artifact");
  auto bytes = store.read(get.digest, get.offset, get.length);
  if (!bytes) return tl::unexpected(bytes.error());
  return Answer{DataReply{get.offset, *total}, std::move(*bytes)};
}

void ArtifactServer::Impl::reply(const std::string& id, std::uint64_t request, Answer answer) {
  const bool has_payload = std::holds_alternative<DataReply>(answer.body);
  const auto header = encode(ArtifactReply{request, std::move(answer.body)});
  if (!header) return log::error("{}", header.error().message);
  try {
    const auto more = zmq::send_flags::sndmore | zmq::send_flags::dontwait;
    if (socket.send(zmq::buffer(id), more) &&
        socket.send(zmq::buffer(*header), has_payload ? more : zmq::send_flags::dontwait) &&
        (!has_payload || socket.send(message_of(std::move(answer.payload)), zmq::send_flags::dontwait)))
      return;
  } catch (const zmq::error_t& error) {
    if (error.num() != EHOSTUNREACH) log::error("artifact socket: {}", error.what());
  }
  ++authenticator.counters.undelivered;
}

ArtifactServer::ArtifactServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
ArtifactServer::~ArtifactServer() = default;
const std::string& ArtifactServer::endpoint() const { return impl_->endpoint; }

Result<std::unique_ptr<ArtifactServer>> ArtifactServer::start(ZapAuthenticator& authenticator,
                                                              const std::string& endpoint,
                                                              ArtifactStore& store,
                                                              scheduler::RateLimit rate) {
  auto socket = bind_router(authenticator.impl(), endpoint, kMaxFrame, kQueue);
  if (!socket) return tl::unexpected(socket.error());
  auto impl = std::make_unique<Impl>(authenticator.impl(), std::move(*socket), store, rate);
  impl->thread = std::thread([raw = impl.get()] { raw->run(); });
  return std::unique_ptr<ArtifactServer>(new ArtifactServer(std::move(impl)));
}

}  // namespace rushes::protocol
