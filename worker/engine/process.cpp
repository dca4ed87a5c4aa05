#include "worker/engine/process.h"

#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <deque>
#include <exception>
#include <mutex>
#include <new>
#include <thread>

#include "kernels/cuda/device_fault.h"
#include "scheduler/protocol/framing.h"

namespace rushes::worker {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::chrono::milliseconds kProgressEvery{100};

double cpu_seconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + 1e-6 * static_cast<double>(t.tv_usec);
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

// The agent's words, read by a thread of their own so that Cancel is heard during a task.
class Ear {
 public:
  explicit Ear(int file) : file_(file), thread_([this] { listen(); }) { thread_.detach(); }

  protocol::EngineRun next() {
    std::unique_lock lock(mutex_);
    arrived_.wait(lock, [this] { return !tasks_.empty(); });
    protocol::EngineRun task = std::move(tasks_.front());
    tasks_.pop_front();
    cancelled_ = false;
    running_ = task.id;
    return task;
  }
  bool cancelled() const { return cancelled_; }

 private:
  void listen() {
    protocol::FrameReader frames;
    char buffer[65536];
    while (true) {
      const ssize_t got = ::read(file_, buffer, sizeof buffer);
      if (got < 0 && errno == EINTR) continue;
      // Nobody is left to work for. _exit: the task in progress holds locks and threads of its own.
      if (got <= 0) ::_exit(0);
      frames.append({buffer, static_cast<std::size_t>(got)});
      while (true) {
        auto bytes = frames.next();
        if (!bytes) return give_up(bytes.error());
        if (!*bytes) break;
        auto message = protocol::decode_to_engine(**bytes);
        if (!message) return give_up(message.error());
        take(std::move(*message));
      }
    }
  }
  void take(protocol::ToEngine message) {
    const std::lock_guard lock(mutex_);
    if (auto* run = std::get_if<protocol::EngineRun>(&message))
      tasks_.push_back(std::move(*run));
    else if (std::get<protocol::EngineCancel>(message).id == running_)
      cancelled_ = true;
    arrived_.notify_one();
  }
  static void give_up(const Error& error) {
    std::fprintf(stderr, "engine: the agent's message cannot be read: %s\n", error.message.c_str());
    ::_exit(1);
  }

  int file_;
  std::mutex mutex_;
  std::condition_variable arrived_;
  std::deque<protocol::EngineRun> tasks_;
  AttemptId running_;
  std::atomic<bool> cancelled_{false};
  std::thread thread_;
};

class Mouth {
 public:
  explicit Mouth(int file) : file_(file) {}

  bool say(const protocol::FromEngine& message) {
    const auto bytes = protocol::encode(message);
    if (!bytes) {
      std::fprintf(stderr, "engine: %s\n", bytes.error().message.c_str());
      return false;
    }
    const std::string framed = protocol::frame(*bytes);
    for (std::size_t sent = 0; sent < framed.size();) {
      const ssize_t written = ::write(file_, framed.data() + sent, framed.size() - sent);
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) ::_exit(0);  // the agent is gone
      sent += static_cast<std::size_t>(written);
    }
    return true;
  }

 private:
  int file_;
};

protocol::FromEngine run_one(const protocol::EngineRun& task, const TaskFunction& run,
                             const EngineHooks& hooks) {
  try {
    auto result = run(task.spec, hooks);
    if (!result) return protocol::EngineFailed{task.id, fail_kind(result.error()), result.error().message};
    return protocol::EngineDone{task.id, std::move(*result)};
  } catch (const kernels::cuda::DeviceMemoryFault& fault) {
    return protocol::EngineFailed{task.id, FailKind::kMemory, fault.what()};
  } catch (const std::bad_alloc&) {
    return protocol::EngineFailed{task.id, FailKind::kMemory, "out of memory"};
  } catch (const kernels::cuda::DeviceFault& fault) {
    return protocol::EngineFailed{task.id, FailKind::kDevice, fault.what()};
  } catch (const std::exception& exception) {
    return protocol::EngineFailed{task.id, FailKind::kEngine, std::string("unexpected: ") + exception.what()};
  }
}

}  // namespace

FailKind fail_kind(const Error& error) {
  switch (error.kind) {
    case ErrorKind::kInvalid:
    case ErrorKind::kCorrupt:
      return FailKind::kRefused;
    case ErrorKind::kModel:
      return FailKind::kModel;
    default:
      return FailKind::kEngine;
  }
}

int serve(const protocol::EngineReady& ready, const TaskFunction& run, int from_agent, int to_agent) {
  Mouth mouth(to_agent);
  if (!mouth.say(ready)) return 1;
  // Lives as long as the process: its thread never ends before it.
  auto* const ear = new Ear(from_agent);
  while (true) {
    const protocol::EngineRun task = ear->next();
    const double before = cpu_seconds();
    Clock::time_point said{};
    EngineHooks hooks;
    hooks.cancelled = [&] { return ear->cancelled(); };
    hooks.progress = [&](double fraction, const std::string& words) {
      if (Clock::now() - said < kProgressEvery && fraction < 1) return;
      said = Clock::now();
      const double bounded = fraction >= 0 && fraction <= 1 ? fraction : 0;
      mouth.say(protocol::Progress{task.id, static_cast<float>(bounded), words, cpu_seconds() - before});
    };
    const protocol::FromEngine answer = run_one(task, run, hooks);
    // A result over the bound of a message is a failure of this task, not of the engine.
    if (!mouth.say(answer))
      mouth.say(protocol::EngineFailed{task.id, FailKind::kEngine,
                                       "the task's result does not fit into a message"});
    // A GPU that failed answers nothing more to this process; the next one may find it well.
    const auto* failed = std::get_if<protocol::EngineFailed>(&answer);
    if (failed != nullptr && failed->kind == FailKind::kDevice) {
      std::fprintf(stderr, "engine: %s\n", failed->message.c_str());
      ::_exit(static_cast<int>(ExitCode::kEnvironment));  // no destructor waits for that GPU
    }
  }
}

}  // namespace rushes::worker
