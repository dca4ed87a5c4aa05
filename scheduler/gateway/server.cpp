#include "scheduler/gateway/server.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "config/limits.h"
#include "scheduler/gateway/chunks.h"
#include "scheduler/gateway/request_body.h"

namespace rushes::scheduler {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

bool ready(int socket, short events, Clock::time_point until) {
  const auto left = std::chrono::duration_cast<milliseconds>(until - Clock::now()).count();
  pollfd file{socket, events, 0};
  return ::poll(&file, 1, static_cast<int>(std::max<std::int64_t>(left, 0))) > 0;
}

// One request: its head is here, its body is read from the socket when somebody asks for it.
class RequestStream final : public httplib::Stream {
 public:
  RequestStream(const RequestHead& head, BoundedServer& server) : head_(head), server_(server) {}

  // The library has read the head. It would serve ranges that it never checks (handlers read the header themselves,
  // byte_range.h), and invite a body before anybody has asked for the token.
  void begin(httplib::Request& request) {
    request_ = &request;
    request.ranges.clear();
    invites_ = request.version != "HTTP/1.0" && request.has_header("Expect");
    request.headers.erase("Expect");
    chunked_ = request.has_header("Transfer-Encoding");
    // The library reads chunks loosely and without bounds: it gets their content, whose end is the end of the stream.
    request.headers.erase("Transfer-Encoding");
    if (chunked_) request.headers.emplace(kChunkedBody, "");
    body_ = request.get_header_value<std::uint64_t>("Content-Length");
    // A client names any length; no request may have more.
    const std::uint64_t awaited = std::min(body_, kMaxArtifactBytes);
    until_ = Clock::now() + BoundedServer::kBody + std::chrono::seconds(awaited / BoundedServer::kBodyRate);
  }
  // What follows is the beginning of the next request.
  bool whole() const {
    return request_ != nullptr && !failed_ && !chunked_ && taken_ == head_.length + body_;
  }
  std::string rest() const { return head_.bytes.substr(std::min(taken_, head_.bytes.size())); }

  ssize_t read(char* out, std::size_t size) override {
    if (!chunked_) return read_some(out, size);
    const ssize_t got =
        chunks_.read([this](char* bytes, std::size_t count) { return read_some(bytes, count); }, out, size);
    if (!chunks_.fault().empty()) note_fault("400 " + chunks_.fault());
    return got;
  }
  ssize_t write(const char* bytes, std::size_t size) override {
    while (is_writable()) {
      const ssize_t sent = ::send(head_.socket, bytes, size, MSG_NOSIGNAL);
      if (sent >= 0 || errno != EAGAIN) return sent;
    }
    return -1;
  }
  bool is_readable() const override {
    return taken_ < head_.bytes.size() || ready(head_.socket, POLLIN, until_);
  }
  bool is_writable() const override {
    return ready(head_.socket, POLLOUT, Clock::now() + BoundedServer::kWrite);
  }
  void get_remote_ip_and_port(std::string& ip, int& port) const override {
    ip = head_.address;
    port = 0;
  }
  void get_local_ip_and_port(std::string&, int&) const override {}
  // The library refuses numbers that select() cannot take; nothing here uses select().
  socket_t socket() const override { return 0; }

 private:
  ssize_t read_some(char* out, std::size_t size) {
    if (failed_) return -1;
    if (taken_ < head_.bytes.size()) {
      // Of the body no byte of the next request is taken: rest() begins there.
      const std::size_t count = std::min(size, head_.bytes.size() - taken_);
      std::memcpy(out, head_.bytes.data() + taken_, count);
      taken_ += count;
      return static_cast<ssize_t>(count);
    }
    if (request_ == nullptr) return -1;  // the head was here as a whole: nothing of it is missing
    if (std::exchange(invites_, false) && write_all("HTTP/1.1 100 Continue\r\n\r\n") < 0) return -1;
    if (!wait_for_bytes()) return -1;
    const ssize_t got = ::recv(head_.socket, out, size, 0);
    if (got > 0) taken_ += static_cast<std::size_t>(got);
    if (got <= 0) {
      failed_ = true;
      note_fault("400 the body ended early");
    }
    return got;
  }
  ssize_t write_all(std::string_view text) { return httplib::Stream::write(std::string(text)); }
  // In short pieces, so that a server that stops does not wait for its clients.
  bool wait_for_bytes() {
    while (!server_.stopping()) {
      const auto now = Clock::now();
      if (now >= until_) {
        ++server_.slow_bodies;
        note_fault("408 the body did not arrive in time");
        break;
      }
      if (ready(head_.socket, POLLIN, std::min(until_, now + milliseconds(100)))) return true;
    }
    failed_ = true;
    return false;
  }
  void note_fault(std::string fault) { request_->headers.emplace(kBodyFault, std::move(fault)); }

  const RequestHead& head_;
  BoundedServer& server_;
  httplib::Request* request_ = nullptr;  // once its head was read
  Clock::time_point until_ = Clock::now() + BoundedServer::kBody;
  bool failed_ = false, chunked_ = false, invites_ = false;
  ChunkReader chunks_;
  std::uint64_t body_ = 0;  // bytes
  std::size_t taken_ = 0;   // of head and body
};

bool asks_for_health(const RequestHead& head) {
  const std::string_view bytes = head.bytes;
  const std::size_t space = bytes.find(' ');
  if (bytes.substr(0, space) != "GET" && bytes.substr(0, space) != "HEAD") return false;
  const std::string_view target = bytes.substr(space + 1);
  return target.starts_with("/v1/health ") || target.starts_with("/v1/health?");
}

}  // namespace

void BoundedServer::start() {
  threads_ = std::make_unique<httplib::ThreadPool>(kThreads);
  health_ = std::make_unique<httplib::ThreadPool>(kHealthThreads);
  ::listen(svr_sock_, kBacklog);
  connections_ =
      std::make_unique<Connections>(svr_sock_, [this](RequestHead head) { queue(std::move(head)); });
}

void BoundedServer::finish() {
  const socket_t listener = svr_sock_.exchange(INVALID_SOCKET);
  if (connections_) connections_->stop();
  if (threads_) threads_->shutdown();
  if (health_) health_->shutdown();
  threads_.reset();
  health_.reset();
  if (listener != INVALID_SOCKET) ::close(listener);
}

std::uint64_t BoundedServer::slow() const {
  return slow_bodies + (connections_ ? connections_->counters().slow.load() : 0);
}
std::uint64_t BoundedServer::oversized_heads() const {
  return connections_ ? connections_->counters().oversized_heads.load() : 0;
}
std::uint64_t BoundedServer::crowded() const {
  return overrun_ + (connections_ ? connections_->counters().crowded.load() : 0);
}

void BoundedServer::queue(RequestHead head) {
  if (queued_ >= kMaxQueued) {
    ++overrun_;
    return refuse(head, {503, "too many requests wait already; send it again"});
  }
  ++queued_;
  auto& lane = asks_for_health(head) ? *health_ : *threads_;
  lane.enqueue([this, head = std::move(head)]() mutable {
    --queued_;
    serve(std::move(head));
  });
}

// Takes its socket. The answer fits into the socket's buffer, or the client has not read those before.
void BoundedServer::refuse(const RequestHead& head, const HeadRefusal& refusal) {
  const std::string answer = answer_of(refusal);
  [[maybe_unused]] const auto sent =
      ::send(head.socket, answer.data(), answer.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  connections_->drain(head.socket, head.address);
}

void BoundedServer::serve(RequestHead head) {
  if (const auto refusal = check_head(head.bytes, head.length)) return refuse(head, *refusal);
  RequestStream stream(head, *this);
  bool closed = false;
  const bool served =
      process_request(stream, false, closed, [&stream](httplib::Request& request) { stream.begin(request); });
  if (!served || (closed && stream.whole())) {
    ::shutdown(head.socket, SHUT_RDWR);
    ::close(head.socket);
  } else if (stream.whole()) {
    connections_->wait_again(head.socket, head.address, stream.rest());
  } else {
    connections_->drain(head.socket, head.address);
  }
}

}  // namespace rushes::scheduler
