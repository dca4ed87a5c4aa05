#include "worker/agent/engine.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "worker/engine/process.h"

namespace rushes::worker {
namespace {

// Two of them would not fit into the default pipe while the engine is slow to read.
constexpr int kPipeBytes = 1 << 20;
constexpr int kSpare = 10;  // descriptors above those that the child is given

struct Pipe {
  int read = -1, write = -1;
  bool open() {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) return false;
    read = ends[0];
    write = ends[1];
    return true;
  }
};

void close_end(int& file) {
  if (file >= 0) ::close(file);
  file = -1;
}

// This process's environment with `ours` in place of variables of the same names; ends with null.
std::vector<char*> environment_with(std::vector<std::string>& ours) {
  const auto name = [](std::string_view text) { return text.substr(0, text.find('=') + 1); };
  std::vector<char*> all;
  for (char** variable = environ; *variable != nullptr; ++variable)
    if (std::none_of(ours.begin(), ours.end(),
                     [&](const std::string& own) { return name(own) == name(*variable); }))
      all.push_back(*variable);
  for (std::string& variable : ours) all.push_back(variable.data());
  all.push_back(nullptr);
  return all;
}

// Between fork and exec only async-signal-safe calls are allowed.
[[noreturn]] void become_engine(char* const* words, char* const* environment, int in, int out, int output,
                                pid_t agent) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != agent) ::_exit(0);  // it died before the line above
  ::setpgid(0, 0);
  for (const int ignored : {SIGTERM, SIGINT, SIGHUP}) ::signal(ignored, SIG_IGN);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  // First above the targets, so that no target is overwritten before it is copied.
  const int high_in = ::fcntl(in, F_DUPFD, kSpare), high_out = ::fcntl(out, F_DUPFD, kSpare),
            high_output = ::fcntl(output, F_DUPFD, kSpare), null = ::open("/dev/null", O_RDONLY);
  ::dup2(null, STDIN_FILENO);
  ::dup2(high_output, STDOUT_FILENO);
  ::dup2(high_output, STDERR_FILENO);
  ::dup2(high_in, kFromAgent);
  ::dup2(high_out, kToAgent);
  ::close_range(kToAgent + 1, ~0u, 0);
  ::execve(words[0], words, environment);
  ::_exit(127);
}

}  // namespace

Engine::~Engine() {
  if (running()) {
    ::kill(-process_, SIGKILL);
    ::kill(process_, SIGKILL);  // before setpgid() it is not yet a group
    while (::waitpid(process_, nullptr, 0) < 0 && errno == EINTR) continue;
  }
  close_all();
}

void Engine::close_all() {
  close_end(to_);
  close_end(from_);
  close_end(output_);
}

Status Engine::start() {
  close_all();
  Pipe to, from, output;
  const bool opened = to.open() && from.open() && output.open();
  std::vector<char*> words;
  for (std::string& word : command_.words) words.push_back(word.data());
  words.push_back(nullptr);
  std::vector<char*> environment = environment_with(command_.environment);
  const pid_t agent = ::getpid();
  const pid_t child = opened ? ::fork() : -1;
  if (child == 0) become_engine(words.data(), environment.data(), to.read, from.write, output.write, agent);
  const std::string cause = std::strerror(errno);
  close_end(to.read);
  close_end(from.write);
  close_end(output.write);
  to_ = to.write;
  from_ = from.read;
  output_ = output.read;
  if (child < 0) {
    close_all();
    return fail(ErrorKind::kExhausted, "cannot start an engine process: " + cause);
  }
  ::setpgid(child, child);  // here as well as in the child: the group exists for both, in any order
  process_ = child;
  ::fcntl(to_, F_SETPIPE_SZ, kPipeBytes);
  for (const int file : {to_, from_, output_}) ::fcntl(file, F_SETFL, O_NONBLOCK);
  frames_ = {};
  stopping_since_.reset();
  return {};
}

Status Engine::run(const AttemptId& id, const TaskSpec& spec) {
  log_.begin(command_.logs, id);
  const auto bytes = protocol::encode(protocol::ToEngine(protocol::EngineRun{id, spec}));
  if (!bytes) return tl::unexpected(bytes.error());
  const std::string framed = protocol::frame(*bytes);
  if (::write(to_, framed.data(), framed.size()) != static_cast<ssize_t>(framed.size()))
    return fail(ErrorKind::kInternal, "the engine does not take its task");
  return {};
}

Result<std::vector<protocol::FromEngine>> Engine::read_messages() {
  std::array<char, 65536> buffer;
  while (from_ >= 0) {
    const ssize_t got = ::read(from_, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got == 0) close_end(from_);
    if (got <= 0) break;
    frames_.append({buffer.data(), static_cast<std::size_t>(got)});
  }
  std::vector<protocol::FromEngine> messages;
  while (true) {
    auto bytes = frames_.next();
    if (!bytes) return tl::unexpected(bytes.error());
    if (!*bytes) return messages;
    auto message = protocol::decode_from_engine(**bytes);
    if (!message) return tl::unexpected(message.error());
    messages.push_back(std::move(*message));
  }
}

void Engine::read_output() {
  std::array<char, 65536> buffer;
  while (output_ >= 0) {
    const ssize_t got = ::read(output_, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got == 0) close_end(output_);
    if (got <= 0) return;
    log_.append({buffer.data(), static_cast<std::size_t>(got)});
  }
}

void Engine::cancel(const AttemptId& id, Time now) {
  if (!running() || stopping_since_) return;
  stopping_since_ = now;
  const auto bytes = protocol::encode(protocol::ToEngine(protocol::EngineCancel{id}));
  const std::string framed = protocol::frame(*bytes);
  // An engine that does not even read is met by the signals.
  [[maybe_unused]] const auto written = ::write(to_, framed.data(), framed.size());
}

void Engine::kill() {
  if (running()) ::kill(-process_, SIGKILL);
}

void Engine::tick(Time now) {
  if (stopping_since_ && now - *stopping_since_ >= command_.grace) kill();
}

std::optional<std::string> Engine::reap() {
  if (!running()) return std::nullopt;
  siginfo_t ended{};
  const int waited = ::waitid(P_PID, static_cast<id_t>(process_), &ended, WEXITED | WNOHANG | WNOWAIT);
  if (waited != 0 || ended.si_pid != process_) return std::nullopt;
  ::kill(-process_, SIGKILL);  // whatever it may have started, while its process group cannot be another's
  int status = 0;
  ::waitpid(process_, &status, 0);
  process_ = -1;
  stopping_since_.reset();
  if (WIFSIGNALED(status))
    return "signal " + std::to_string(WTERMSIG(status)) + " (" + ::strsignal(WTERMSIG(status)) + ")";
  return "exit code " + std::to_string(WEXITSTATUS(status));
}

}  // namespace rushes::worker
