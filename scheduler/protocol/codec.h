// Wire bytes <-> messages, with limits on both sides.
//
// decode_*() treats its bytes as hostile: total size, words visited, nesting, list sizes, text lengths and
// encoding, digest lengths, number ranges, unknown message kinds and versions. The bounds stand beside the fields
// of wire.capnp. Its errors are kInvalid (malformed, unknown) or kExhausted (over a bound), one line.
//
// Thread contract: pure functions; call from any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "config/limits.h"
#include "config/result.h"
#include "scheduler/protocol/messages.h"

namespace rushes::protocol {

// What a sender has to keep to; wire.capnp has the other bounds.
constexpr std::size_t kMaxInlineSpec =
    kMaxInlineDescriptionBytes;                               // a larger task description is an artifact
constexpr std::size_t kMaxStoredSpec = kMaxDescriptionBytes;  // such an artifact
constexpr std::size_t kMaxPipeBytes = kMaxStoredSpec + 1024;  // a task or result with its envelope
constexpr std::size_t kMaxChunkBytes = 1u << 20;
constexpr std::size_t kChunksInFlight = 8;  // unanswered chunks or gets of one transfer
constexpr unsigned kMaxAttempts = 256;      // running attempts of one worker
constexpr unsigned kMaxCachedDigests = 512;
constexpr unsigned kMaxHaveDigests = 1024;

// One frame each; texts are cleaned and cut to their bounds. Error: kExhausted (the message is too large),
// kInvalid (an assignment whose task could not be read).
Result<std::string> encode(const WorkerMessage& message);
Result<std::string> encode(const SchedulerMessage& message);
Result<std::string> encode(const ArtifactRequest& request);
Result<std::string> encode(const ArtifactReply& reply);
Result<std::string> encode(const ToEngine& message);
Result<std::string> encode(const FromEngine& message);

// A Completed whose result cannot be read is read as a Failed of kind kArtifact: the attempt is over, and its worker
// needs an answer.
Result<WorkerMessage> decode_from_worker(std::string_view bytes);
Result<SchedulerMessage> decode_to_worker(std::string_view bytes);
Result<ArtifactRequest> decode_artifact_request(std::string_view bytes);
Result<ArtifactReply> decode_artifact_reply(std::string_view bytes);
Result<ToEngine> decode_to_engine(std::string_view bytes);
Result<FromEngine> decode_from_engine(std::string_view bytes);

}  // namespace rushes::protocol
