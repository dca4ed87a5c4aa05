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
    request.ranges.clear();
    invites_ = request.get_header_value("Expect") == "100-continue";
    request.headers.erase("Expect");
    chunked_ = request.has_header("Transfer-Encoding");
    body_ = request.get_header_value<std::uint64_t>("Content-Length");
    // A client names any length; no request may have more.
    const std::uint64_t awaited = std::min(body_, kMaxArtifactBytes);
    until_ = Clock::now() + BoundedServer::kBody + std::chrono::seconds(awaited / BoundedServer::kBodyRate);
    begun_ = true;
  }
  // What follows is the beginning of the next request.
  bool whole() const { return begun_ && !failed_ && !chunked_ && taken_ == head_.length + body_; }
  std::string rest() const { return head_.bytes.substr(std::min(taken_, head_.bytes.size())); }

  ssize_t read(char* out, std::size_t size) override {
    if (failed_) return -1;
    if (taken_ < head_.bytes.size()) {
      // Of the body no byte of the next request is taken: rest() begins there.
      const std::size_t count = std::min(size, head_.bytes.size() - taken_);
      std::memcpy(out, head_.bytes.data() + taken_, count);
      taken_ += count;
      return static_cast<ssize_t>(count);
    }
    if (!begun_) return -1;  // the head was here as a whole: nothing of it is missing
    if (std::exchange(invites_, false) && write_all("HTTP/1.1 100 Continue\r\n\r\n") < 0) return -1;
    if (!wait_for_bytes()) return -1;
    const ssize_t got = ::recv(head_.socket, out, size, 0);
    if (got > 0) taken_ += static_cast<std::size_t>(got);
    if (got <= 0) failed_ = true;
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
  ssize_t write_all(std::string_view text) { return httplib::Stream::write(std::string(text)); }
  // In short pieces, so that a server that stops does not wait for its clients.
  bool wait_for_bytes() {
    while (!server_.stopping()) {
      const auto now = Clock::now();
      if (now >= until_) {
        ++server_.slow_bodies;
        break;
      }
      if (ready(head_.socket, POLLIN, std::min(until_, now + milliseconds(100)))) return true;
    }
    failed_ = true;
    return false;
  }

  const RequestHead& head_;
  BoundedServer& server_;
  Clock::time_point until_ = Clock::now() + BoundedServer::kBody;
  bool begun_ = false, failed_ = false, chunked_ = false, invites_ = false;
  std::uint64_t body_ = 0;  // bytes
  std::size_t taken_ = 0;   // of head and body
};

bool asks_for_health(const RequestHead& head) {
  return head.bytes.starts_with("GET /v1/health ") || head.bytes.starts_with("GET /v1/health?");
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
    ::close(head.socket);
    return;
  }
  ++queued_;
  auto& lane = asks_for_health(head) ? *health_ : *threads_;
  lane.enqueue([this, head = std::move(head)]() mutable {
    --queued_;
    serve(std::move(head));
  });
}

void BoundedServer::serve(RequestHead head) {
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
