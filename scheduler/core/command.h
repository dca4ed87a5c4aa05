// What the farm does next: the outputs of decide() that leave the process.
//
// They leave only after the group commit that holds the records of the same decision. Losing one is safe:
// leases run out, workers repeat what was not acknowledged, people ask again.
//
// Thread contract: plain values, moved from the core thread to the thread that sends them.
#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "config/result.h"
#include "scheduler/core/event.h"
#include "scheduler/plan/stage_needs.h"

namespace rushes::scheduler {
namespace command {

// ---- to workers (`worker` is the name in Hello)
struct Welcome {
  std::string worker;
  std::uint32_t worker_id = 0;
  std::uint64_t epoch = 0;  // grows with every start of the scheduler
  std::uint32_t heartbeat_ms = 0, lease_ms = 0;
  std::vector<AttemptId> stop;    // of Hello.running: no longer wanted; stop them and report Stopped
  std::uint64_t first_lease = 0;  // leases below it are older than this answer
  std::uint64_t sequence = 0;     // of the Hello that it answers
};
struct Refused {
  std::string worker, reason;
};
struct HeartbeatAck {
  std::string worker;
  std::uint64_t sequence = 0;  // of the Heartbeat that it answers
};
struct Assign : AttemptId {
  std::string worker;
  std::uint32_t lease_ms = 0;
  std::uint32_t no_progress_ms = 0;  // the worker stops an attempt that shows no progress for so long
  std::string spec;                  // a flat TaskSpec message
};
struct Revoke : AttemptId {
  std::string worker, reason;
};
struct Accepted {
  std::string worker;
  TaskId task = 0;
  std::uint32_t attempt = 0;
};
struct RefusedResult {
  std::string worker;
  TaskId task = 0;
  std::uint32_t attempt = 0;
  std::string reason;
};
struct FailedAck {
  std::string worker;
  TaskId task = 0;
  std::uint32_t attempt = 0;
};
struct Drain {
  std::string worker;
};  // finish what you hold, take nothing new

// ---- to people
struct SubmittedShot {
  std::string shot;  // "show/shot"
  std::uint32_t takes = 0, tasks = 0, windows = 0, frames = 0;
  config::Rate fps;  // delivered
  std::vector<std::uint64_t> seeds;
  std::vector<StageNeeds> stages;  // of a dry run
};
struct Submitted {
  std::uint64_t batch = 0;  // 0 after a dry run
  std::vector<SubmittedShot> shots;
  bool repeated = false;  // the idempotency key was known
};
struct Done {
  std::string message;
};  // one line for people
// Answers the request. On an error: its kind decides the HTTP status.
struct Reply {
  RequestId request = 0;
  Result<std::variant<Submitted, Done>> result = Done{};
};

}  // namespace command

using Command = std::variant<command::Welcome, command::Refused, command::HeartbeatAck, command::Assign,
                             command::Revoke, command::Accepted, command::RefusedResult, command::FailedAck,
                             command::Drain, command::Reply>;

}  // namespace rushes::scheduler
