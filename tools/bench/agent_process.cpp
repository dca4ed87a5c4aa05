#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <utility>
#include <vector>

#include "tools/bench/agents.h"

extern char** environ;

namespace rushes::bench {

std::int64_t monotonic_ns() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

Result<AgentProcess> AgentProcess::start(const AgentOptions& options) {
  std::vector<std::string> words{"rushes-bench", "agents",
                                 "--farm",       options.endpoint,
                                 "--keys",       options.keys.string(),
                                 "--models",     options.models.string(),
                                 "--first",      std::to_string(options.first),
                                 "--workers",    std::to_string(options.workers),
                                 "--slots",      std::to_string(options.slots),
                                 "--prefetch",   std::to_string(options.prefetch)};
  if (options.stamps) words.push_back("--stamps");
  if (options.hold) words.push_back("--hold");
  std::vector<char*> argv;
  argv.reserve(words.size() + 1);
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  int in[2], out[2];
  if (pipe2(in, O_CLOEXEC) != 0) return fail(ErrorKind::kExhausted, "agents: no pipe");
  if (pipe2(out, O_CLOEXEC) != 0) {
    close(in[0]), close(in[1]);
    return fail(ErrorKind::kExhausted, "agents: no pipe");
  }
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, in[0], STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
  pid_t pid = 0;
  const int failed = posix_spawn(&pid, "/proc/self/exe", &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  close(in[0]);
  close(out[1]);
  AgentProcess process(failed == 0 ? pid : 0, in[1], out[0]);
  if (failed != 0) return fail(ErrorKind::kExhausted, "agents: the process cannot be started");
  return process;
}

AgentProcess::AgentProcess(AgentProcess&& other) noexcept
    : pid_(std::exchange(other.pid_, 0)),
      in_(std::exchange(other.in_, -1)),
      out_(std::exchange(other.out_, -1)),
      buffer_(std::move(other.buffer_)) {}

AgentProcess::~AgentProcess() {
  close_input();
  if (pid_ != 0) {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  if (out_ >= 0) close(out_);
}

void AgentProcess::close_input() {
  if (in_ >= 0) close(std::exchange(in_, -1));
}

void AgentProcess::go() {
  if (write(in_, "\n", 1) != 1) close_input();  // it died: whoever waits for its work will say so
}

Result<std::string> AgentProcess::next_line(std::chrono::milliseconds patience) {
  for (;;) {
    if (const auto end = buffer_.find('\n'); end != buffer_.npos) {
      std::string line = buffer_.substr(0, end);
      buffer_.erase(0, end + 1);
      return line;
    }
    pollfd ready{out_, POLLIN, 0};
    if (poll(&ready, 1, static_cast<int>(patience.count())) <= 0)
      return fail(ErrorKind::kUnreachable,
                  "agents: no word within " + std::to_string(patience.count()) + " ms");
    char bytes[4096];
    const ssize_t got = read(out_, bytes, sizeof bytes);
    if (got <= 0) return fail(ErrorKind::kUnreachable, "agents: the process ended");
    buffer_.append(bytes, static_cast<std::size_t>(got));
  }
}

Result<std::int64_t> AgentProcess::next_stamp(std::chrono::milliseconds patience) {
  const auto line = next_line(patience);
  if (!line) return tl::unexpected(line.error());
  return std::strtoll(line->c_str(), nullptr, 10);
}

Result<nlohmann::json> AgentProcess::finish() {
  close_input();
  for (;;) {
    const auto line = next_line(std::chrono::seconds(10));
    if (!line) return tl::unexpected(line.error());
    if (!line->starts_with('{')) continue;  // a stamp that nobody asked for
    waitpid(std::exchange(pid_, 0), nullptr, 0);
    return nlohmann::json::parse(*line);
  }
}

}  // namespace rushes::bench
