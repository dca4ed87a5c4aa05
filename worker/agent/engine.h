// One engine child as the agent sees it: started, spoken to over two pipes, its output captured, stopped,
// reaped.
//
// The child gets SIGKILL from the kernel when the agent dies (PR_SET_PDEATHSIG), and ends by itself when its
// pipe closes. It ignores SIGTERM, SIGINT and SIGHUP: what stops a host or a job sends them to every process, and the agent
// alone decides how its engines end. It leads a process group of its own, so that a Ctrl-C at the agent's terminal reaches only the
// agent, which then stops it in order; the group is killed as a whole.
//
// Thread contract: one thread, the one that lives as long as the process (the kernel ties PDEATHSIG to it).
#pragma once

#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "config/result.h"
#include "scheduler/protocol/framing.h"
#include "worker/agent/attempt_log.h"

namespace rushes::worker {

using Time = std::chrono::milliseconds;  // of CLOCK_BOOTTIME

struct EngineCommand {
  std::vector<std::string> words;             // program and arguments
  std::filesystem::path logs = {};            // folder of attempt logs
  Time grace{10'000};                         // from the request to stop until SIGKILL
  std::vector<std::string> environment = {};  // "NAME=value", in place of or beside this process's
};

class Engine {
 public:
  explicit Engine(EngineCommand command) : command_(std::move(command)) {}
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;
  ~Engine();  // SIGKILL and reap, if it runs

  // Error: kExhausted (no processes, no descriptors).
  Status start();
  bool running() const { return process_ > 0; }
  pid_t process() const { return process_; }

  // Descriptors for poll(); -1 while there is none.
  int messages() const { return from_; }
  int output() const { return output_; }

  // Begins the attempt's log and sends it. Error: the engine does not take it; stop it.
  Status run(const AttemptId& id, const TaskSpec& spec);
  // Reads what is there. Error: kInvalid, the engine speaks nonsense; stop it.
  Result<std::vector<protocol::FromEngine>> read_messages();
  void read_output();
  std::string log_tail() const { return log_.tail(); }
  void end_attempt() { log_.end(); }

  // Asks it to leave the attempt; tick() follows with SIGKILL while the request stands.
  void cancel(const AttemptId& id, Time now);
  void cancel_done() { stopping_since_.reset(); }
  void kill();  // SIGKILL
  void tick(Time now);
  // Reaps it if it has ended: "exit code 3", "signal 9 (Killed)". Nothing while it runs. What it wrote before
  // can still be read until the next start().
  std::optional<std::string> reap();

 private:
  void close_all();
  EngineCommand command_;
  pid_t process_ = -1;
  int to_ = -1, from_ = -1, output_ = -1;
  protocol::FrameReader frames_;
  AttemptLog log_;
  std::optional<Time> stopping_since_;
};

}  // namespace rushes::worker
