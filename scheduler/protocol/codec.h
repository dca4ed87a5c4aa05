// Wire bytes <-> messages, with limits on both sides.
//
// encode_*() refuses to make what decode_*() would refuse to read. decode_*() treats its bytes as hostile:
// total size, words visited, nesting, list sizes, text lengths and encoding, digest lengths, number ranges,
// unknown message kinds and versions. Its errors are kInvalid (malformed, unknown) or kExhausted (over a
// bound), one line.
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
#include "storage/records/text.h"

namespace rushes::protocol {

constexpr std::uint16_t kProtocolVersion = 1;
constexpr std::uint16_t kOldestProtocolVersion = 1;  // the previous one is served for one release

constexpr std::size_t kMaxInlineSpec =
    kMaxInlineDescriptionBytes;                               // a larger task description is an artifact
constexpr std::size_t kMaxStoredSpec = kMaxDescriptionBytes;  // such an artifact
constexpr std::size_t kMaxPipeBytes = kMaxStoredSpec + 1024;  // a task or result with its envelope
constexpr std::size_t kMaxChunkBytes = 1u << 20;
constexpr std::size_t kChunksInFlight = 8;  // unanswered chunks or gets of one transfer
constexpr int kMaxNesting = 12;

constexpr std::size_t kMaxLogBytes = 8u << 10;
constexpr unsigned kMaxAttempts = 256;  // running attempts of one worker
constexpr unsigned kMaxModels = 64;
constexpr unsigned kMaxNumericClasses = 16;
constexpr unsigned kMaxCachedDigests = 512;
constexpr unsigned kMaxHaveDigests = 1024;
constexpr std::uint32_t kMaxSlots = 64;
constexpr std::uint32_t kMaxPrefetch = 16;

// Inside records.TaskSpec and records.TaskResult.
constexpr unsigned kMaxRecordList = kMaxTaskInputs;
constexpr std::size_t kMaxRecordText = 8u << 10;

// One frame each. Error: kExhausted names the part that is too large.
Result<std::string> encode(const WorkerMessage& message);
Result<std::string> encode(const SchedulerMessage& message);
Result<std::string> encode(const ArtifactRequest& request);
Result<std::string> encode(const ArtifactReply& reply);
Result<std::string> encode(const ToEngine& message);
Result<std::string> encode(const FromEngine& message);

Result<WorkerMessage> decode_from_worker(std::string_view bytes);
Result<SchedulerMessage> decode_to_worker(std::string_view bytes);
Result<ArtifactRequest> decode_artifact_request(std::string_view bytes);
Result<ArtifactReply> decode_artifact_reply(std::string_view bytes);
Result<ToEngine> decode_to_engine(std::string_view bytes);
Result<FromEngine> decode_from_engine(std::string_view bytes);

// Walks a flat records.TaskSpec or records.TaskResult under the bounds above.
Status check_task_spec(std::string_view bytes);
Status check_task_result(std::string_view bytes);

// What a TaskSpec says that its attempt reads, and whether it computes tensors: for prefetch, and the slot's kind.
struct SpecNeeds {
  std::vector<ArtifactRef> inputs;
  bool tensors = true;
};
Result<SpecNeeds> needs_of(std::string_view task_spec);
// What a TaskResult says that it made: for upload.
Result<std::vector<ArtifactRef>> outputs_of(std::string_view task_result);

}  // namespace rushes::protocol
