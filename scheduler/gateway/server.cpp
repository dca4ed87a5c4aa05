#include "scheduler/gateway/server.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>

namespace rushes::scheduler {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

bool ready(int socket, short events, Clock::time_point until) {
  const auto left = std::chrono::duration_cast<milliseconds>(until - Clock::now()).count();
  pollfd file{socket, events, 0};
  return ::poll(&file, 1, static_cast<int>(std::max<std::int64_t>(left, 0))) > 0;
}

using NameOf = int (*)(int, sockaddr*, socklen_t*);  // getpeername or getsockname
void address_of(int socket, NameOf name_of, std::string& ip, int& port) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  std::array<char, NI_MAXHOST> host{};
  std::array<char, NI_MAXSERV> service{};
  if (name_of(socket, reinterpret_cast<sockaddr*>(&address), &size) != 0 ||
      ::getnameinfo(reinterpret_cast<sockaddr*>(&address), size, host.data(), host.size(), service.data(),
                    service.size(), NI_NUMERICHOST | NI_NUMERICSERV) != 0)
    return;
  ip = host.data();
  port = std::atoi(service.data());
}

// The library serves ranges that it never checks; handlers read the header themselves (byte_range.h).
void forget_ranges(httplib::Request& request) { request.ranges.clear(); }

// One connection: reads end with an error when the request is late or its headers are too many.
class BoundedStream final : public httplib::Stream {
 public:
  BoundedStream(int socket, BoundedServer& server) : socket_(socket), server_(server) {}

  void begin_request() {
    in_headers_ = true;
    line_ = lines_ = bytes_ = 0;
    until_ = Clock::now() + BoundedServer::kHeaders;
  }
  bool has_bytes() const { return taken_ < filled_; }

  // What follows is not the beginning of a request: the connection has to end.
  bool failed() const { return failed_; }

  ssize_t read(char* out, std::size_t size) override {
    if (failed_) return -1;
    if (!has_bytes()) {
      if (!ready(socket_, POLLIN, until_)) return give_up(server_.slow);
      const ssize_t got = ::recv(socket_, buffer_.data(), buffer_.size(), 0);
      if (got <= 0) return got;
      taken_ = 0;
      filled_ = static_cast<std::size_t>(got);
    }
    const std::size_t count = std::min(size, filled_ - taken_);
    std::memcpy(out, buffer_.data() + taken_, count);
    taken_ += count;
    for (std::size_t i = 0; i < count && in_headers_; ++i) look_at(out[i]);
    if (in_headers_ &&
        (lines_ > BoundedServer::kMaxHeaderLines + 1u || bytes_ > BoundedServer::kMaxHeaderBytes))
      return give_up(server_.oversized_headers);
    return static_cast<ssize_t>(count);
  }
  ssize_t write(const char* bytes, std::size_t size) override {
    if (!is_writable()) return -1;
    return ::send(socket_, bytes, size, MSG_NOSIGNAL);
  }
  bool is_readable() const override { return has_bytes() || ready(socket_, POLLIN, until_); }
  bool is_writable() const override { return ready(socket_, POLLOUT, Clock::now() + BoundedServer::kWrite); }
  void get_remote_ip_and_port(std::string& ip, int& port) const override {
    address_of(socket_, ::getpeername, ip, port);
  }
  void get_local_ip_and_port(std::string& ip, int& port) const override {
    address_of(socket_, ::getsockname, ip, port);
  }
  socket_t socket() const override { return socket_; }

 private:
  ssize_t give_up(std::atomic<std::uint64_t>& counter) {
    ++counter;
    failed_ = true;
    return -1;
  }
  // The headers end with an empty line (RFC 9112, 2.1).
  void look_at(char c) {
    ++bytes_;
    if (c == '\r') return;
    if (c != '\n') {
      ++line_;
      return;
    }
    ++lines_;
    if (line_ == 0) {
      in_headers_ = false;
      until_ = Clock::now() + BoundedServer::kBody;
    }
    line_ = 0;
  }

  const int socket_;
  BoundedServer& server_;
  Clock::time_point until_{};
  bool in_headers_ = true, failed_ = false;
  std::size_t line_ = 0, lines_ = 0, bytes_ = 0;  // of the headers: of this line, and of all
  std::array<char, 4096> buffer_{};
  std::size_t taken_ = 0, filled_ = 0;
};

}  // namespace

bool BoundedServer::process_and_close_socket(socket_t socket) {
  BoundedStream stream(socket, *this);
  bool served = false;
  for (int left = kMaxRequests; left > 0; --left) {
    const auto until = Clock::now() + kIdle;
    bool asked = stream.has_bytes();
    // In short pieces, so that a server that stops does not wait for its idle clients.
    while (!asked && svr_sock_ != INVALID_SOCKET && Clock::now() < until)
      asked = ready(socket, POLLIN, std::min(until, Clock::now() + milliseconds(100)));
    if (!asked) break;
    stream.begin_request();
    bool closed = false;
    served = process_request(stream, left == 1, closed, forget_ranges);
    if (!served || closed || stream.failed()) break;
  }
  ::shutdown(socket, SHUT_RDWR);
  ::close(socket);
  return served;
}

}  // namespace rushes::scheduler
