#include "scheduler/gateway/connections.h"

#include <fcntl.h>
#include <netdb.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "scheduler/gateway/request_head.h"

namespace rushes::scheduler {
namespace {

constexpr int kEvents = 64;               // taken at a time
constexpr int kLookMs = 100;              // between looks at the deadlines
constexpr std::size_t kPiece = 16 << 10;  // read at a time

void watch(int poller, int file) {
  epoll_event event{};
  event.events = EPOLLIN | EPOLLRDHUP;
  event.data.fd = file;
  ::epoll_ctl(poller, EPOLL_CTL_ADD, file, &event);
}

std::string text_of(const sockaddr_storage& address, socklen_t size) {
  std::array<char, NI_MAXHOST> host{};
  const bool known = ::getnameinfo(reinterpret_cast<const sockaddr*>(&address), size, host.data(),
                                   host.size(), nullptr, 0, NI_NUMERICHOST) == 0;
  return known ? host.data() : "";
}

void end(int socket) {
  ::shutdown(socket, SHUT_RDWR);
  ::close(socket);
}

}  // namespace

Connections::Connections(int listener, std::function<void(RequestHead)> serve)
    : listener_(listener),
      poller_(::epoll_create1(EPOLL_CLOEXEC)),
      wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      serve_(std::move(serve)) {
  ::fcntl(listener_, F_SETFL, ::fcntl(listener_, F_GETFL) | O_NONBLOCK);
  watch(poller_, listener_);
  watch(poller_, wake_);
  thread_ = std::thread([this] { run(); });
}

Connections::~Connections() {
  stop();
  ::close(wake_);
  ::close(poller_);
}

void Connections::stop() {
  stopping_ = true;
  if (thread_.joinable()) thread_.join();
  const std::lock_guard lock(mutex_);
  for (const Given& given : given_) end(given.socket);
  given_.clear();
}

void Connections::wait_again(int socket, std::string address, std::string bytes) {
  Waiting waiting;
  waiting.address = std::move(address);
  waiting.bytes = std::move(bytes);
  give(socket, std::move(waiting));
}

void Connections::drain(int socket, std::string address) {
  ::shutdown(socket, SHUT_WR);
  Waiting waiting;
  waiting.address = std::move(address);
  waiting.drained = true;
  give(socket, std::move(waiting));
}

void Connections::give(int socket, Waiting waiting) {
  const std::lock_guard lock(mutex_);
  if (stopping_) return end(socket);
  given_.push_back({socket, std::move(waiting)});
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(wake_, &one, sizeof one);
}

void Connections::run() {
  std::array<epoll_event, kEvents> events{};
  auto looked = Clock::now();
  while (!stopping_) {
    const int count = ::epoll_wait(poller_, events.data(), kEvents, kLookMs);
    for (int i = 0; i < count; ++i) {
      const int file = events[static_cast<std::size_t>(i)].data.fd;
      if (file == listener_)
        accept_some();
      else if (file == wake_)
        take_given();
      else if (waiting_.contains(file))
        read_some(file);
    }
    if (Clock::now() - looked < std::chrono::milliseconds(kLookMs)) continue;
    looked = Clock::now();
    close_late();
  }
  while (!waiting_.empty()) close_one(waiting_.begin()->first);
}

// An error of accept() belongs to the one that would have come, or to a full table of open files.
void Connections::accept_some() {
  for (int left = kEvents; left > 0; --left) {
    sockaddr_storage address{};
    socklen_t size = sizeof address;
    const int socket =
        ::accept4(listener_, reinterpret_cast<sockaddr*>(&address), &size, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (socket < 0 && (errno == EMFILE || errno == ENFILE))
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    if (socket < 0) return;
    Waiting waiting;
    waiting.address = text_of(address, size);
    add(socket, std::move(waiting));
  }
}

void Connections::take_given() {
  std::uint64_t ignored = 0;
  [[maybe_unused]] const auto taken = ::read(wake_, &ignored, sizeof ignored);
  std::vector<Given> given;
  {
    const std::lock_guard lock(mutex_);
    given.swap(given_);
  }
  for (Given& one : given) add(one.socket, std::move(one.waiting));
}

void Connections::add(int socket, Waiting waiting) {
  make_room_for(waiting.address);
  waiting.since = Clock::now();
  waiting.until = waiting.since + (waiting.drained ? kDrain : waiting.bytes.empty() ? kIdle : kHead);
  waiting_.insert_or_assign(socket, std::move(waiting));
  watch(poller_, socket);
  look_at(socket);
}

void Connections::make_room_for(const std::string& address) {
  const auto oldest_of = [this](const std::string* only) {
    int found = -1;
    for (const auto& [socket, waiting] : waiting_)
      if ((only == nullptr || waiting.address == *only) &&
          (found < 0 || waiting.since < waiting_.at(found).since))
        found = socket;
    return found;
  };
  const auto of_address = std::count_if(waiting_.begin(), waiting_.end(),
                                        [&](const auto& entry) { return entry.second.address == address; });
  int closed = -1;
  if (static_cast<std::size_t>(of_address) >= kMaxOfAddress)
    closed = oldest_of(&address);
  else if (waiting_.size() >= kMaxWaiting)
    closed = oldest_of(nullptr);
  if (closed < 0) return;
  ++counters_.crowded;
  close_one(closed);
}

void Connections::read_some(int socket) {
  Waiting& waiting = waiting_.at(socket);
  std::array<char, kPiece> piece;
  const ssize_t got = ::recv(socket, piece.data(), piece.size(), MSG_DONTWAIT);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got == 0 && !waiting.drained && !waiting.bytes.empty())
    return refuse(socket, {400, "the request's head ended early"});
  if (got <= 0) return close_one(socket);
  if (waiting.drained) {
    waiting.thrown_away += static_cast<std::size_t>(got);
    if (waiting.thrown_away > kMaxDrained) close_one(socket);
    return;
  }
  if (waiting.bytes.empty()) waiting.until = Clock::now() + kHead;
  waiting.bytes.append(piece.data(), static_cast<std::size_t>(got));
  look_at(socket);
}

void Connections::look_at(int socket) {
  Waiting& waiting = waiting_.at(socket);
  if (waiting.drained) return;
  switch (scan(waiting)) {
    case Head::kOpen:
      return;
    case Head::kTooLarge:
      ++counters_.oversized_heads;
      return waiting.bytes.find('\n') > kMaxHeadLine
                 ? refuse(socket, {414, "the request line is too long: at most " +
                                            std::to_string(kMaxHeadLine) + " bytes"})
                 : refuse(socket,
                          {431, "the headers are too long: at most " + std::to_string(kMaxHeadLines - 2) +
                                    " lines and " + std::to_string(kMaxHeadBytes) + " bytes"});
    case Head::kComplete:
      break;
  }
  RequestHead head{socket, std::move(waiting.address), std::move(waiting.bytes), waiting.line};
  ::epoll_ctl(poller_, EPOLL_CTL_DEL, socket, nullptr);
  waiting_.erase(socket);
  serve_(std::move(head));
}

// Of a head that is not complete. Whatever of the answer the socket does not take at once is lost: nobody waits for the
// client here.
void Connections::refuse(int socket, const HeadRefusal& refusal) {
  const std::string answer = answer_of(refusal);
  [[maybe_unused]] const auto sent =
      ::send(socket, answer.data(), answer.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  ::shutdown(socket, SHUT_WR);
  Waiting& waiting = waiting_.at(socket);
  waiting.bytes.clear();
  waiting.drained = true;
  waiting.until = Clock::now() + kDrain;
}

// The head ends with an empty line (RFC 9112, 2.1); the library knows one by CR LF.
Connections::Head Connections::scan(Waiting& waiting) {
  const std::string& bytes = waiting.bytes;
  for (std::size_t at; (at = bytes.find('\n', waiting.line)) != std::string::npos;) {
    const bool empty = at == waiting.line + 1 && bytes[waiting.line] == '\r';
    waiting.line = at + 1;
    if (++waiting.lines > kMaxHeadLines || waiting.line > kMaxHeadBytes) return Head::kTooLarge;
    if (empty) return Head::kComplete;
  }
  return bytes.size() > kMaxHeadBytes ? Head::kTooLarge : Head::kOpen;
}

void Connections::close_late() {
  const auto now = Clock::now();
  std::vector<int> late;
  for (const auto& [socket, waiting] : waiting_)
    if (now > waiting.until) late.push_back(socket);
  for (const int socket : late) {
    const Waiting& waiting = waiting_.at(socket);
    if (waiting.drained || waiting.bytes.empty()) {
      close_one(socket);
      continue;
    }
    ++counters_.slow;
    refuse(socket, {408, "the request's head did not arrive in time"});
  }
}

void Connections::close_one(int socket) {
  ::epoll_ctl(poller_, EPOLL_CTL_DEL, socket, nullptr);
  waiting_.erase(socket);
  end(socket);
}

}  // namespace rushes::scheduler
