#include "scheduler/protocol/codec.h"
#include "tests/fuzz/targets.h"

namespace rushes::fuzz {
namespace {

// An assignment whose task could not be read is for its worker alone.
bool unreadable(const auto&) { return false; }
bool unreadable(const protocol::SchedulerMessage& message) {
  const auto* assign = std::get_if<protocol::Assign>(&message);
  return assign != nullptr && std::holds_alternative<protocol::Unreadable>(assign->task);
}

// What was read can be written, and reads the same.
template <typename Message, typename Decode>
void both_ways(const Result<Message>& read, Decode decode) {
  if (!read)
    return require(!read.error().message.empty() && read.error().message.find('\n') == std::string::npos,
                   "a refusal is one line");
  const auto bytes = protocol::encode(*read);
  if (!bytes) return require(unreadable(*read), "what was read can be written");
  const auto again = decode(*bytes);
  require(again.has_value(), "what was written can be read");
  // Not the values: numbers that are no numbers differ from themselves.
  require(*protocol::encode(*again) == *bytes, "what was written reads the same");
}

}  // namespace

void control(std::string_view bytes) {
  both_ways(protocol::decode_from_worker(bytes), protocol::decode_from_worker);
  both_ways(protocol::decode_to_worker(bytes), protocol::decode_to_worker);
}

void artifacts(std::string_view bytes) {
  both_ways(protocol::decode_artifact_request(bytes), protocol::decode_artifact_request);
  both_ways(protocol::decode_artifact_reply(bytes), protocol::decode_artifact_reply);
}

}  // namespace rushes::fuzz
