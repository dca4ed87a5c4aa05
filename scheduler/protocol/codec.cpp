#include "scheduler/protocol/codec.h"

#include <array>

#include "config/worker_name.h"
#include "scheduler/protocol/wire.capnp.h"
#include "storage/records/words_codec.h"

// One kind of a message: the union's member NAME as in getNAME(), the alternative TYPE of the variant `body`, and the
// part of it (of `held`) that the member carries. Ends fields() when the message is of this kind.
#define KIND(NAME, TYPE, MEMBER)                                                                        \
  do {                                                                                                  \
    if constexpr (Io::kReads) {                                                                         \
      static const std::uint16_t number = number_of(capnp::Schema::from<typename Io::Schema>(), #NAME); \
      if (static_cast<std::uint16_t>(io.message.which()) == number) {                                   \
        records::Of<Io, TYPE> held{};                                                                   \
        FIELD(NAME, MEMBER);                                                                            \
        body = std::move(held);                                                                         \
        return;                                                                                         \
      }                                                                                                 \
    } else if (const auto* alternative = std::get_if<TYPE>(&body)) {                                    \
      [[maybe_unused]] records::Of<Io, TYPE>& held = *alternative;                                      \
      FIELD(NAME, MEMBER);                                                                              \
      return;                                                                                           \
    }                                                                                                   \
  } while (false)

namespace rushes {

// ---- words of storage/records/ inside messages

RUSHES_CODEC(AttemptId, wire::AttemptId, id) {
  FIELD(Task, id.task);
  FIELD(Attempt, id.attempt);
  FIELD(Lease, id.lease);
}

RUSHES_CODEC(ModelOffer, wire::Model, model) {
  FIELD(Name, model.name);
  FIELD(Digest, model.digest);
}

RUSHES_CODEC(DeviceState, wire::Device, device) {
  FIELD(Name, device.name);
  FIELD(Capability, device.capability);
  FIELD(Driver, device.driver);
  FIELD(TotalBytes, device.total_bytes);
  FIELD(FreeBytes, device.free_bytes);
  FIELD(Celsius, device.celsius);
  FIELD(MemoryErrors, device.memory_errors);
  FIELD(Trouble, device.trouble);
}

RUSHES_CODEC(WorkerProcess, wire::Process, process) {
  FIELD(Id, process.id);
  FIELD(Lock, process.lock);
  FIELD(Host, process.host);
  FIELD(Pid, process.pid);
  FIELD(Remarks, process.remarks);
}

// A task and a result are bytes of their own inside a message: a reader that cannot read them can still say which
// attempt they are about, and a large description is an artifact of the same bytes.
static std::string data_of(const TaskSpec& spec) { return encode_task(spec); }
static std::string data_of(const TaskResult& result) { return encode_result(result); }

static std::string_view text_of(capnp::Data::Reader data) { return {data.asChars().begin(), data.size()}; }

template <class Record>
static void take(records::Reader& reader, Result<Record> found, Record& record) {
  if (found)
    record = std::move(*found);
  else
    reader.refuse(found.error().kind, std::move(found.error().message));
}
static void read(records::Reader& reader, capnp::Data::Reader in, TaskSpec& spec) {
  take(reader, decode_task(text_of(in)), spec);
}
static void read(records::Reader& reader, capnp::Data::Reader in, TaskResult& result) {
  take(reader, decode_result(text_of(in)), result);
}

}  // namespace rushes

namespace rushes::protocol {
namespace {

static_assert(kMaxAttempts == wire::MAX_ATTEMPTS && kMaxCachedDigests == wire::MAX_CACHED &&
              kMaxHaveDigests == wire::MAX_ASKED && kMaxStoredSpec == wire::MAX_STORED_SPEC &&
              kMaxChunkBytes == wire::MAX_CHUNK_BYTES && kMaxArtifactBytes == wire::MAX_ARTIFACT_BYTES);

std::uint16_t number_of(capnp::StructSchema schema, std::string_view getter) {
  return schema.getFieldByName(records::field_name(getter).c_str()).getProto().getDiscriminantValue();
}

template <class Io>
void refuse_unknown_kind(Io& io) {
  if constexpr (Io::kReads)
    io.reader.refuse(ErrorKind::kInvalid,
                     "unknown kind " + std::to_string(static_cast<unsigned>(io.message.which())));
}

template <class Io>
void version(Io& io) {
  records::Of<Io, std::uint16_t> version = wire::VERSION;
  FIELD(Version, version);
}

}  // namespace

// ---- parts of several messages

RUSHES_CODEC(Progress, wire::Progress, progress) {
  FIELD(Id, progress.id);
  FIELD(Fraction, progress.fraction);
  FIELD(Text, progress.text);
  FIELD(ComputeSeconds, progress.compute_seconds);
  io.require(progress.fraction >= 0 && progress.fraction <= 1, "progress fraction: expected 0..1");
  io.require(progress.compute_seconds >= 0 && progress.compute_seconds < 1e9,
             "compute seconds: expected 0..1e9");
}

// ---- control, from a worker

// Schedulers before kTellsSlotsByKind read the plain offer, workers before it write no other.
RUSHES_CODEC(Hello, wire::Hello, hello) {
  auto& offer = hello.offer;
  records::Of<Io, PlainOffer> plain = plain_offer(offer.resources);
  records::Of<Io, Resources> resources =
      offer.protocol_version >= kTellsSlotsByKind ? offer.resources : Resources{};
  records::Of<Io, bool> stored_specs = offer.protocol_version >= kTakesStoredSpecs;
  FIELD(Name, hello.name);
  if constexpr (Io::kReads) io.require(config::is_worker_name(hello.name), "name: is no name of a worker");
  FIELD(Build, offer.build);
  FIELD(Slots, plain.slots);
  FIELD(MemoryBytes, plain.memory_bytes);
  FIELD(NumericClasses, offer.numeric_classes);
  FIELD(Models, offer.models);
  FIELD(Prefetch, offer.prefetch);
  FIELD(RunningAttempts, hello.running);
  FIELD(Outbox, hello.outbox);
  FIELD(Sequence, hello.sequence);
  FIELD(StoredSpecs, stored_specs);
  FIELD(CpuSlots, resources.slots[SlotKind::kCpu]);
  FIELD(GpuSlots, resources.slots[SlotKind::kGpu]);
  FIELD(HostBytes, resources.host_bytes);
  FIELD(DeviceBytes, resources.device_bytes);
  FIELD(Leaving, hello.leaving);
  if constexpr (Io::kReads) {
    if (io.message.hasProcess()) FIELD(Process, hello.process);
    const bool by_kind = total(resources.slots) > 0;
    offer.protocol_version = !hello.process.id.empty() ? kNamesItsProcess
                             : by_kind                 ? kTellsSlotsByKind
                             : stored_specs            ? kTakesStoredSpecs
                                                       : 1;
    offer.resources = by_kind ? resources : resources_of(plain, offer.numeric_classes);
  } else if (!hello.process.id.empty()) {
    FIELD(Process, hello.process);
  }
}

RUSHES_CODEC(Heartbeat, wire::Heartbeat, beat) {
  FIELD(Sequence, beat.sequence);
  FIELD(Attempts, beat.attempts);
  FIELD(Cached, beat.cached);
  FIELD(Leaving, beat.leaving);
  FIELD(Devices, beat.devices);
}

RUSHES_CODEC(Completed, wire::Completed, completed) {
  FIELD(Id, completed.id);
  if constexpr (!Io::kReads) FIELD(Result, completed.result);  // decode_from_worker() reads it
  FIELD(LogTail, completed.log_tail);
}

RUSHES_CODEC(Failed, wire::Failed, failed) {
  FIELD(Id, failed.id);
  FIELD(Kind, failed.kind);
  FIELD(Message, failed.message);
  FIELD(ExitCause, failed.exit_cause);
  FIELD(LogTail, failed.log_tail);
}

RUSHES_CODEC(WorkerMessage, wire::FromWorker, body) {
  version(io);
  KIND(Hello, Hello, held);
  KIND(Heartbeat, Heartbeat, held);
  KIND(Started, Started, held.id);
  KIND(Completed, Completed, held);
  KIND(Failed, Failed, held);
  KIND(Stopped, Stopped, held.id);
  KIND(Bye, Bye, held);
  refuse_unknown_kind(io);
}

// ---- control, to a worker

RUSHES_CODEC(Welcome, wire::Welcome, welcome) {
  FIELD(WorkerId, welcome.worker_id);
  FIELD(Epoch, welcome.epoch);
  FIELD(HeartbeatMs, welcome.heartbeat_ms);
  FIELD(LeaseMs, welcome.lease_ms);
  FIELD(Stop, welcome.stop);
  FIELD(Sequence, welcome.sequence);
  FIELD(FirstLease, welcome.first_lease);
}

RUSHES_CODEC(HeartbeatAck, wire::HeartbeatAck, ack) { FIELD(Sequence, ack.sequence); }

RUSHES_CODEC(ArtifactRef, wire::Assign, stored) {
  FIELD(SpecDigest, stored.digest);
  FIELD(SpecBytes, stored.bytes);
}

RUSHES_CODEC(Assign, wire::Assign, assign) {
  FIELD(Id, assign.id);
  FIELD(LeaseMs, assign.lease_ms);
  FIELD(NoProgressMs, assign.no_progress_ms);
  if constexpr (!Io::kReads) {
    if (const auto* stored = std::get_if<ArtifactRef>(&assign.task))
      fields(io, *stored);
    else
      FIELD(Spec, std::get<TaskSpec>(assign.task));
  } else if (io.message.hasSpecDigest()) {
    io.require(io.message.getSpec().size() == 0, "task: both here and in an artifact");
    fields(io, assign.task.template emplace<ArtifactRef>());
  } else if (auto spec = decode_task(text_of(io.message.getSpec()))) {
    assign.task = std::move(*spec);
  } else {
    assign.task = Unreadable{std::move(spec.error().message)};
  }
}

RUSHES_CODEC(RefusedResult, wire::RefusedResult, refused) {
  FIELD(Id, refused.id);
  FIELD(Reason, refused.reason);
}

RUSHES_CODEC(Revoke, wire::Revoke, revoke) {
  FIELD(Id, revoke.id);
  FIELD(Reason, revoke.reason);
}

RUSHES_CODEC(NameTaken, wire::NameTaken, taken) {
  FIELD(Reason, taken.reason);
  FIELD(LimitMs, taken.limit_ms);
}

RUSHES_CODEC(SchedulerMessage, wire::ToWorker, body) {
  version(io);
  KIND(Welcome, Welcome, held);
  KIND(Refused, Refused, held.reason);
  KIND(HeartbeatAck, HeartbeatAck, held);
  KIND(Assign, Assign, held);
  KIND(Accepted, Accepted, held.id);
  KIND(RefusedResult, RefusedResult, held);
  KIND(FailedAck, FailedAck, held.id);
  KIND(Revoke, Revoke, held);
  KIND(Greet, Greet, held);
  KIND(NameTaken, NameTaken, held);
  refuse_unknown_kind(io);
}

// ---- artifact transfer

RUSHES_CODEC(PutRequest, wire::Put, put) {
  FIELD(Upload, put.upload);
  FIELD(Digest, put.digest);
  FIELD(Bytes, put.bytes);
}

RUSHES_CODEC(ChunkRequest, wire::Chunk, chunk) {
  FIELD(Upload, chunk.upload);
  FIELD(Offset, chunk.offset);
}

RUSHES_CODEC(GetRequest, wire::Get, get) {
  FIELD(Digest, get.digest);
  FIELD(Offset, get.offset);
  FIELD(Length, get.length);
}

RUSHES_CODEC(ArtifactRequest, wire::ArtifactRequest, request) {
  auto& body = request.body;
  version(io);
  FIELD(Request, request.request);
  KIND(Have, HaveRequest, held.digests);
  KIND(Put, PutRequest, held);
  KIND(Chunk, ChunkRequest, held);
  KIND(Commit, CommitRequest, held.upload);
  KIND(Get, GetRequest, held);
  refuse_unknown_kind(io);
}

RUSHES_CODEC(ReceiptReply, wire::Receipt, receipt) {
  FIELD(Digest, receipt.digest);
  FIELD(Bytes, receipt.bytes);
}

RUSHES_CODEC(DataReply, wire::Piece, piece) {
  FIELD(Offset, piece.offset);
  FIELD(Total, piece.total);
}

RUSHES_CODEC(RefusedReply, wire::Refusal, refusal) {
  // By wire::RefusalKind. Any other kind is internal, also one that a newer scheduler knows.
  static constexpr std::array kKinds{ErrorKind::kInvalid, ErrorKind::kNotFound, ErrorKind::kExhausted,
                                     ErrorKind::kCorrupt, ErrorKind::kInternal};
  if constexpr (Io::kReads) {
    const auto kind = static_cast<std::size_t>(io.message.getKind());
    refusal.kind = kind < kKinds.size() ? kKinds[kind] : ErrorKind::kInternal;
  } else {
    std::size_t kind = 0;
    while (kind + 1 < kKinds.size() && kKinds[kind] != refusal.kind) ++kind;
    io.message.setKind(static_cast<wire::RefusalKind>(kind));
  }
  FIELD(Message, refusal.message);
}

RUSHES_CODEC(ArtifactReply, wire::ArtifactReply, reply) {
  auto& body = reply.body;
  version(io);
  FIELD(Request, reply.request);
  KIND(Held, HeldReply, held.held);
  KIND(Ready, ReadyReply, held);
  KIND(Receipt, ReceiptReply, held);
  KIND(Data, DataReply, held);
  KIND(Refused, RefusedReply, held);
  refuse_unknown_kind(io);
}

// ---- engine pipe

RUSHES_CODEC(EngineRun, wire::Run, run) {
  FIELD(Id, run.id);
  FIELD(Spec, run.spec);
}

RUSHES_CODEC(ToEngine, wire::ToEngine, body) {
  KIND(Run, EngineRun, held);
  KIND(Cancel, EngineCancel, held.id);
  refuse_unknown_kind(io);
}

RUSHES_CODEC(EngineReady, wire::EngineReady, ready) {
  FIELD(NumericClass, ready.numeric_class);
  FIELD(Build, ready.build);
  FIELD(Notes, ready.notes);
}

RUSHES_CODEC(EngineDone, wire::EngineDone, done) {
  FIELD(Id, done.id);
  FIELD(Result, done.result);
}

RUSHES_CODEC(EngineFailed, wire::EngineFailed, failed) {
  FIELD(Id, failed.id);
  FIELD(Kind, failed.kind);
  FIELD(Message, failed.message);
}

RUSHES_CODEC(FromEngine, wire::FromEngine, body) {
  KIND(Ready, EngineReady, held);
  KIND(Progress, Progress, held);
  KIND(Done, EngineDone, held);
  KIND(Failed, EngineFailed, held);
  refuse_unknown_kind(io);
}

// ---- whole messages

namespace {

using records::Source;

template <class Root, class Message>
Result<std::string> encode_within(std::size_t most, const char* what, const Message& message) {
  auto bytes = records::encode<Root, std::string>(Source::kWire, message);
  if (bytes.size() > most)
    return fail(ErrorKind::kExhausted, std::string(what) + ": at most " + std::to_string(most) +
                                           " bytes fit into one message, found " +
                                           std::to_string(bytes.size()));
  return bytes;
}

}  // namespace

Result<std::string> encode(const WorkerMessage& message) {
  return encode_within<wire::FromWorker>(kMaxControlBytes, "message to the scheduler", message);
}
Result<std::string> encode(const SchedulerMessage& message) {
  if (const auto* assign = std::get_if<Assign>(&message))
    if (const auto* unreadable = std::get_if<Unreadable>(&assign->task))
      return fail(ErrorKind::kInvalid, "message to a worker: " + unreadable->why);
  return encode_within<wire::ToWorker>(kMaxControlBytes, "message to a worker", message);
}
Result<std::string> encode(const ArtifactRequest& request) {
  return encode_within<wire::ArtifactRequest>(kMaxControlBytes, "artifact request", request);
}
Result<std::string> encode(const ArtifactReply& reply) {
  return encode_within<wire::ArtifactReply>(kMaxControlBytes, "artifact reply", reply);
}
Result<std::string> encode(const ToEngine& message) {
  return encode_within<wire::ToEngine>(kMaxPipeBytes, "message to an engine", message);
}
Result<std::string> encode(const FromEngine& message) {
  return encode_within<wire::FromEngine>(kMaxPipeBytes, "message of an engine", message);
}

Result<WorkerMessage> decode_from_worker(std::string_view bytes) {
  const auto body = [](records::Reader& reader, wire::FromWorker::Reader root) {
    WorkerMessage message;
    read(reader, root, message);
    auto* completed = std::get_if<Completed>(&message);
    if (completed == nullptr || !reader.ok()) return message;
    if (auto result = decode_result(text_of(root.getCompleted().getResult())))
      completed->result = std::move(*result);
    else
      message = Failed{completed->id, FailKind::kArtifact, std::move(result.error().message), "",
                       std::move(completed->log_tail)};
    return message;
  };
  return records::open<wire::FromWorker, WorkerMessage>(Source::kWire, records::octets(bytes),
                                                        kMaxControlBytes, "message from a worker", body);
}
Result<SchedulerMessage> decode_to_worker(std::string_view bytes) {
  return records::decode<wire::ToWorker, SchedulerMessage>(Source::kWire, records::octets(bytes),
                                                           kMaxControlBytes, "message from the scheduler");
}
Result<ArtifactRequest> decode_artifact_request(std::string_view bytes) {
  return records::decode<wire::ArtifactRequest, ArtifactRequest>(Source::kWire, records::octets(bytes),
                                                                 kMaxControlBytes, "artifact request");
}
Result<ArtifactReply> decode_artifact_reply(std::string_view bytes) {
  return records::decode<wire::ArtifactReply, ArtifactReply>(Source::kWire, records::octets(bytes),
                                                             kMaxControlBytes, "artifact reply");
}
Result<ToEngine> decode_to_engine(std::string_view bytes) {
  return records::decode<wire::ToEngine, ToEngine>(Source::kWire, records::octets(bytes), kMaxPipeBytes,
                                                   "message to an engine");
}
Result<FromEngine> decode_from_engine(std::string_view bytes) {
  return records::decode<wire::FromEngine, FromEngine>(Source::kWire, records::octets(bytes), kMaxPipeBytes,
                                                       "message of an engine");
}

}  // namespace rushes::protocol
