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
#include "scheduler/core/policy/price.h"
#include "scheduler/plan/stage_needs.h"
#include "scheduler/protocol/messages.h"

namespace rushes::scheduler {
namespace command {

// ---- to workers
struct ToWorker {
  std::string worker;  // its name in Hello
  protocol::SchedulerMessage message;
  std::string process = {};  // WorkerProcess::id of its Hello
};

// ---- to people
struct SubmittedShot {
  std::string shot;  // "show/shot"
  std::uint32_t takes = 0, tasks = 0, windows = 0, frames = 0;
  config::Rate fps;  // delivered
  std::vector<std::uint64_t> seeds;
  std::vector<StageNeeds> stages;         // of a dry run
  std::vector<std::string> remarks = {};  // what the model will not do as the prompt says
  policy::Price price = {};               // by what is learned now
  std::string archived = {};  // the name that the shot of this name got which it replaces; empty: none
};
struct Submitted {
  std::uint64_t batch = 0;  // 0 after a dry run
  std::vector<SubmittedShot> shots;
  bool repeated = false;  // the idempotency key was known
};
// A take whose artifacts leave, or would.
struct TakeCollected {
  std::string shot;  // "show/shot"
  std::uint32_t take = 0;
  std::string reason;                      // for people
  std::int64_t since_wall_ms = 0;          // from when its days count
  std::uint64_t artifacts = 0, bytes = 0;  // that nothing else needs
};
struct Collected {
  std::vector<TakeCollected> takes;
  std::uint64_t artifacts = 0, bytes = 0;                 // of all of them
  std::uint64_t later_artifacts = 0, later_bytes = 0;     // of these: made within upload_sweep_ms
  std::optional<event::CollectGarbage::Place> next = {};  // takes behind this one were not looked at
};
struct Done {
  std::string message;
};  // one line for people
// Answers the request. On an error: its kind decides the HTTP status.
struct Reply {
  RequestId request = 0;
  Result<std::variant<Submitted, Collected, Done>> result = Done{};
};

}  // namespace command

using Command = std::variant<command::ToWorker, command::Reply>;

// The message to a worker that the command is, if it is one of that kind.
template <class Message>
const Message* message_in(const Command& command) {
  const auto* to = std::get_if<command::ToWorker>(&command);
  return to != nullptr ? std::get_if<Message>(&to->message) : nullptr;
}

}  // namespace rushes::scheduler
