// The engine child: the other end of the pipes that worker/agent/engine.h holds.
//
// It takes one task after another and keeps what it has loaded between them. A reader thread listens for
// Cancel and for the end of the pipe: when the agent is gone the engine ends at once, whatever it is doing.
//
// Thread contract: serve() runs tasks on the calling thread.
#pragma once

#include <functional>
#include <string>

#include "config/result.h"
#include "scheduler/protocol/messages.h"

namespace rushes::worker {

constexpr int kFromAgent = 3;  // file descriptors of the engine child
constexpr int kToAgent = 4;

struct EngineHooks {
  std::function<void(double fraction, const std::string& words)> progress;
  std::function<bool()> cancelled;
};

// Exceptions become Failed{engine}, lack of memory Failed{memory}; a GPU's fault Failed{device}, after which the process
// ends.
using TaskFunction = std::function<Result<TaskResult>(const TaskSpec& spec, const EngineHooks&)>;

// Why the attempt failed with this error: what a stage calls invalid or corrupt lies in its task and in inputs whose
// digests were checked, and is the same on every host.
FailKind fail_kind(const Error& error);

// Announces `ready`, then runs tasks until the agent closes the pipe. Returns the exit code of the process.
int serve(const protocol::EngineReady& ready, const TaskFunction& run, int from_agent = kFromAgent,
          int to_agent = kToAgent);

}  // namespace rushes::worker
