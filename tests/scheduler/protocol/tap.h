// A wire tap for tests: sits between a client and a server on loopback, passes everything on, and can play
// the client's last bytes to the server again or change the next ones.
//
// Thread contract: one thread of its own; the public functions from any thread.
#pragma once

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>

namespace rushes::protocol::test {

class Tap {
 public:
  explicit Tap(const std::string& server)
      : server_(static_cast<std::uint16_t>(std::stoi(server.substr(server.rfind(':') + 1)))),
        listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address = loopback(0);
    socklen_t size = sizeof address;
    if (::bind(listener_, reinterpret_cast<sockaddr*>(&address), size) != 0 || ::listen(listener_, 4) != 0 ||
        ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) != 0)
      throw std::runtime_error("no port for the tap");
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { run(); });
  }
  ~Tap() {
    stopping_ = true;
    thread_.join();
    for (const int file : {listener_, client_, behind_})
      if (file >= 0) ::close(file);
  }
  std::string endpoint() const { return "tcp://127.0.0.1:" + std::to_string(port_); }
  // Sends the last bytes of the client to the server once more.
  void replay() { replay_ = true; }
  // Changes a bit of the next bytes that the client sends.
  void mutate() { mutate_ = true; }

 private:
  static sockaddr_in loopback(std::uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
  }
  static void put(int file, const std::string& bytes) {
    [[maybe_unused]] const auto sent = ::send(file, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  }
  static std::string take(int file) {
    std::array<char, 1 << 16> buffer{};
    const auto got = ::recv(file, buffer.data(), buffer.size(), 0);
    return {buffer.data(), got > 0 ? static_cast<std::size_t>(got) : 0};
  }
  void hang_up() {
    ::close(client_);
    ::close(behind_);
    client_ = behind_ = -1;
  }
  void answer() {
    client_ = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    behind_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const sockaddr_in address = loopback(server_);
    if (::connect(behind_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) hang_up();
    const int yes = 1;
    for (const int file : {client_, behind_}) ::setsockopt(file, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  }
  void run() {
    std::string last;
    while (!stopping_) {
      std::array<pollfd, 3> files{
          {{client_ < 0 ? listener_ : -1, POLLIN, 0}, {client_, POLLIN, 0}, {behind_, POLLIN, 0}}};
      ::poll(files.data(), files.size(), 10);
      if (client_ >= 0 && replay_.exchange(false)) put(behind_, last);
      if ((files[0].revents & POLLIN) != 0) answer();
      if (files[1].revents != 0) {
        last = take(client_);
        if (!last.empty() && mutate_.exchange(false)) last.back() = static_cast<char>(last.back() ^ 1);
        if (last.empty()) {
          hang_up();
          continue;
        }
        put(behind_, last);
      }
      if (files[2].revents != 0) {
        const std::string back = take(behind_);
        if (back.empty())
          hang_up();
        else
          put(client_, back);
      }
    }
  }

  const std::uint16_t server_;
  int listener_, client_ = -1, behind_ = -1;
  std::uint16_t port_ = 0;
  std::atomic<bool> stopping_{false}, replay_{false}, mutate_{false};
  std::thread thread_;
};

}  // namespace rushes::protocol::test
