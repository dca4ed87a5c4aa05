// Simulated worker agents in a process of their own, and the handle that a bench holds on it.
//
// The process is this program again (`rushes-bench agents`). Every worker of it is a connection of its own
// (its own CURVE handshake and TCP stream) that says Hello, heartbeats, and answers each Assign at once with
// Started and Completed.
//
// Thread contract: an AgentProcess belongs to one thread.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "config/result.h"

namespace rushes::bench {

struct AgentOptions {
  std::string endpoint;              // the scheduler's control socket
  std::filesystem::path keys;        // worker.key, worker.pub, scheduler.pub
  std::filesystem::path models;      // holds the manifest of kModel
  int first = 0, workers = 1;        // numbers in their names, so that processes differ
  unsigned slots = 1, prefetch = 0;  // of each worker
  bool stamps = false;               // report the time of every Assign
  bool hold = false;                 // take assignments, and begin them at go()
};

std::int64_t monotonic_ns();  // the same clock in every process of this machine

class AgentProcess {
 public:
  static Result<AgentProcess> start(const AgentOptions& options);
  AgentProcess(AgentProcess&& other) noexcept;
  AgentProcess& operator=(AgentProcess&&) = delete;
  ~AgentProcess();  // ends the process

  // The time (monotonic_ns) of the next Assign that a worker received. Error: kUnreachable, none came.
  Result<std::int64_t> next_stamp(std::chrono::milliseconds patience);
  void go();
  // Ends the process; what its workers saw: assigned, accepted, refused, accept_ms (quantiles of Completed
  // sent to Accepted received).
  Result<nlohmann::json> finish();

 private:
  AgentProcess(pid_t pid, int in, int out) : pid_(pid), in_(in), out_(out) {}
  Result<std::string> next_line(std::chrono::milliseconds patience);
  void close_input();

  pid_t pid_;
  int in_, out_;  // its standard input and output
  std::string buffer_;
};

}  // namespace rushes::bench
