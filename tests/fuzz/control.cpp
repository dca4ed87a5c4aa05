#include "scheduler/protocol/codec.h"
#include "tests/fuzz/targets.h"

namespace rushes::fuzz {
namespace {

// What was read can be written, and reads the same.
template <typename Message, typename Decode>
void both_ways(const Result<Message>& read, Decode decode) {
  if (!read)
    return require(!read.error().message.empty() && read.error().message.find('\n') == std::string::npos,
                   "a refusal is one line");
  const auto bytes = protocol::encode(*read);
  require(bytes.has_value(), "what was read can be written");
  const auto again = decode(*bytes);
  require(again.has_value() && *again == *read, "what was written reads the same");
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
