// The messages of wire.capnp as plain values: what both ends of the wire, the core and the agent use.
//
// Texts are valid UTF-8 without control characters except newline and tab. Every bound of wire.capnp and
// records.capnp holds for what decode() returns; whether the numbers make sense is for the reader who uses them.
//
// Thread contract: plain values.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "storage/records/words.h"

namespace rushes::protocol {

struct Progress {
  AttemptId id;
  float fraction = 0;  // 0..1
  std::string text;
  double compute_seconds = 0;  // >= 0
  bool operator==(const Progress&) const = default;
};

// ---- worker to scheduler

struct Hello {
  std::string name;
  WorkerOffer offer;               // 1..64 slots of a kind, prefetch 0..16
  std::vector<AttemptId> running;  // held and going on, unacknowledged results included
  std::uint32_t outbox = 0;
  std::uint64_t sequence = 0;
  WorkerProcess process = {};
  bool leaving = false;  // as in Heartbeat
  bool operator==(const Hello&) const = default;
};

struct Heartbeat {
  std::uint64_t sequence = 0;
  std::vector<Progress> attempts;
  std::vector<Digest> cached;
  bool leaving = false;              // it takes nothing new, finishes what runs, and says Bye
  std::vector<DeviceState> devices;  // the GPUs of its slots, in the order of the slots; at most kMaxDevices
  bool operator==(const Heartbeat&) const = default;
};

struct Started {
  AttemptId id;
  bool operator==(const Started&) const = default;
};

struct Completed {
  AttemptId id;
  TaskResult result;
  std::string log_tail;
  bool operator==(const Completed&) const = default;
};

struct Failed {
  AttemptId id;
  FailKind kind = FailKind::kEngine;
  std::string message, exit_cause, log_tail;
  bool operator==(const Failed&) const = default;
};

struct Stopped {
  AttemptId id;
  bool operator==(const Stopped&) const = default;
};

struct Bye {
  bool operator==(const Bye&) const = default;
};

using WorkerMessage = std::variant<Hello, Heartbeat, Started, Completed, Failed, Stopped, Bye>;

// ---- scheduler to worker

struct Welcome {
  std::uint64_t worker_id = 0, epoch = 0;
  std::uint32_t heartbeat_ms = 2000, lease_ms = 15000;
  std::vector<AttemptId> stop;    // of Hello's running; all others are renewed
  std::uint64_t sequence = 0;     // of the Hello that it answers
  std::uint64_t first_lease = 0;  // an Assign of an older one is void: Hello did not name it
  bool operator==(const Welcome&) const = default;
};

struct Refused {
  std::string reason;
  bool operator==(const Refused&) const = default;
};

struct HeartbeatAck {
  std::uint64_t sequence = 0;  // of the Heartbeat that it answers; renews every attempt named there
  bool operator==(const HeartbeatAck&) const = default;
};

// An artifact: its address and its size.
struct ArtifactRef {
  Digest digest{};
  std::uint64_t bytes = 0;
  bool operator==(const ArtifactRef&) const = default;
};
// Of the inputs of a task, or of the outputs of a result.
template <class List>
std::vector<ArtifactRef> refs_of(const List& artifacts) {
  std::vector<ArtifactRef> refs;
  for (const auto& artifact : artifacts) refs.push_back({artifact.digest, artifact.bytes});
  return refs;
}

// A task description that this build cannot read: the attempt fails.
struct Unreadable {
  std::string why;
  bool operator==(const Unreadable&) const = default;
};

struct Assign {
  AttemptId id;
  std::uint32_t lease_ms = 15000;
  std::uint32_t no_progress_ms = 0;  // 0: the worker's default
  // The reference: of the artifact that holds a description (encode_task()) which is too large for a message.
  std::variant<TaskSpec, ArtifactRef, Unreadable> task;
  bool operator==(const Assign&) const = default;
};

struct Accepted {  // acknowledgements are matched by task and attempt; their lease may be 0
  AttemptId id;
  bool operator==(const Accepted&) const = default;
};

struct RefusedResult {
  AttemptId id;
  std::string reason;
  bool operator==(const RefusedResult&) const = default;
};

struct FailedAck {
  AttemptId id;
  bool operator==(const FailedAck&) const = default;
};

struct Revoke {
  AttemptId id;
  std::string reason;
  bool operator==(const Revoke&) const = default;
};

struct Greet {
  bool operator==(const Greet&) const = default;
};

// Another process has this worker's name.
struct NameTaken {
  std::string reason;
  std::uint32_t limit_ms = 15000;  // the silence after which that process counts as lost
  bool operator==(const NameTaken&) const = default;
};

using SchedulerMessage = std::variant<Welcome, Refused, HeartbeatAck, Assign, Accepted, RefusedResult,
                                      FailedAck, Revoke, Greet, NameTaken>;

// ---- artifact transfer

struct HaveRequest {
  std::vector<Digest> digests;
  bool operator==(const HaveRequest&) const = default;
};
struct PutRequest {
  std::uint64_t upload = 0;
  Digest digest{};
  std::uint64_t bytes = 0;
  bool operator==(const PutRequest&) const = default;
};
struct ChunkRequest {  // followed by a payload frame
  std::uint64_t upload = 0, offset = 0;
  bool operator==(const ChunkRequest&) const = default;
};
struct CommitRequest {
  std::uint64_t upload = 0;
  bool operator==(const CommitRequest&) const = default;
};
struct GetRequest {
  Digest digest{};
  std::uint64_t offset = 0;
  std::uint32_t length = 0;  // at most kMaxChunkBytes
  bool operator==(const GetRequest&) const = default;
};
struct ArtifactRequest {
  std::uint64_t request = 0;
  std::variant<HaveRequest, PutRequest, ChunkRequest, CommitRequest, GetRequest> body;
  bool operator==(const ArtifactRequest&) const = default;
};

struct HeldReply {
  std::vector<bool> held;
  bool operator==(const HeldReply&) const = default;
};
struct ReadyReply {
  bool operator==(const ReadyReply&) const = default;
};
struct ReceiptReply {
  Digest digest{};
  std::uint64_t bytes = 0;
  bool operator==(const ReceiptReply&) const = default;
};
struct DataReply {  // followed by a payload frame
  std::uint64_t offset = 0, total = 0;
  bool operator==(const DataReply&) const = default;
};
struct RefusedReply {
  ErrorKind kind = ErrorKind::kInternal;
  std::string message;
  bool operator==(const RefusedReply&) const = default;
};
struct ArtifactReply {
  std::uint64_t request = 0;
  std::variant<HeldReply, ReadyReply, ReceiptReply, DataReply, RefusedReply> body;
  bool operator==(const ArtifactReply&) const = default;
};

// ---- engine pipe

struct EngineRun {
  AttemptId id;
  TaskSpec spec;
  bool operator==(const EngineRun&) const = default;
};
struct EngineCancel {
  AttemptId id;
  bool operator==(const EngineCancel&) const = default;
};
using ToEngine = std::variant<EngineRun, EngineCancel>;

inline constexpr std::size_t kMaxEngineNotes = 32;
struct EngineReady {
  std::string numeric_class, build;
  std::vector<std::string> notes = {};  // lines for people, at most kMaxEngineNotes
  bool operator==(const EngineReady&) const = default;
};
struct EngineDone {
  AttemptId id;
  TaskResult result;
  bool operator==(const EngineDone&) const = default;
};
struct EngineFailed {
  AttemptId id;
  FailKind kind = FailKind::kEngine;
  std::string message;
  bool operator==(const EngineFailed&) const = default;
};
using FromEngine = std::variant<EngineReady, Progress, EngineDone, EngineFailed>;

}  // namespace rushes::protocol
