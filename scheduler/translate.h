// Wire messages become core events; core commands become wire messages.
//
// Thread contract: pure functions; call from any thread.
#pragma once

#include <optional>
#include <string>
#include <utility>

#include "config/result.h"
#include "scheduler/core/command.h"
#include "scheduler/core/event.h"
#include "scheduler/protocol/messages.h"

namespace rushes::scheduler {

// What a worker said: the event, and the log of the attempt it is about (empty: none).
struct FromWorker {
  Event event;
  std::string log;
};

// The message was bounded by protocol::decode_from_worker(). Error: a result that cannot be read.
Result<FromWorker> to_event(const std::string& worker, protocol::WorkerMessage message);

// The worker that a command is for and its message; nothing for a Reply, which goes to people.
std::optional<std::pair<std::string, protocol::SchedulerMessage>> to_message(const Command& command);

}  // namespace rushes::scheduler
