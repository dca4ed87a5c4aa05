#include "scheduler/core/journal/record_codec.h"

#include <cassert>

#include "scheduler/core/journal/row_codec.h"
#include "storage/limits.h"

namespace rushes::scheduler {

namespace record {

RUSHES_CODEC(BatchSubmitted, records::BatchSubmitted, r) {
  FIELD(Batch, r.batch);
  FIELD(Row, r.row);
}

RUSHES_CODEC(ShotPlanned, records::ShotPlanned, r) {
  FIELD(Shot, r.shot);
  FIELD(Batch, r.batch);
  FIELD(By, r.by);
  FIELD(Spec, r.spec);
  FIELD(Tasks, r.tasks);
  FIELD(WallMs, r.wall_ms);
  FIELD(DraftVersions, r.draft_versions);
  FIELD(MasterVersions, r.master_versions);
}

RUSHES_CODEC(ShotArchived, records::ShotArchived, r) {
  FIELD(Shot, r.shot);
  FIELD(Number, r.number);
  FIELD(By, r.by);
  FIELD(WallMs, r.wall_ms);
}

RUSHES_CODEC(VersionPlanned, records::VersionPlanned, r) {
  FIELD(Shot, r.shot);
  FIELD(Take, r.take);
  FIELD(Version, r.version);
  FIELD(Tasks, r.tasks);
}

RUSHES_CODEC(UpgradePlanned, records::UpgradePlanned, r) {
  FIELD(Shot, r.shot);
  FIELD(Take, r.take);
  FIELD(Graph, r.graph);
  FIELD(Recipe, r.recipe);
  FIELD(Tasks, r.tasks);
  FIELD(WallMs, r.wall_ms);
  if constexpr (Io::kReads) r.recipe_hash = hash_of(r.recipe);
}

RUSHES_CODEC(DeliveryPlanned, records::DeliveryPlanned, r) {
  FIELD(Shot, r.shot);
  FIELD(Take, r.take);
  FIELD(Tasks, r.tasks);
  FIELD(WallMs, r.wall_ms);
}

RUSHES_CODEC(TakeRecipe, records::TakeRecipe, r) {
  FIELD(Take, r.take);
  FIELD(Recipe, r.recipe);
  if constexpr (Io::kReads) r.hash = hash_of(r.recipe);
}

RUSHES_CODEC(ClassPinned, records::ClassPinned, r) {
  FIELD(Shot, r.shot);
  FIELD(NumericClass, r.numeric_class);
  FIELD(EngineBuild, r.engine_build);
  FIELD(Recipes, r.recipes);
}

RUSHES_CODEC(Leased, records::Leased, r) {
  FIELD(Ref, r.ref);
  FIELD(Worker, r.worker);
  FIELD(ExpiresMs, r.expires_ms);
  FIELD(WallMs, r.wall_ms);
}

RUSHES_CODEC(Started, records::Started, r) {
  FIELD(Ref, r.ref);
  FIELD(NowMs, r.now_ms);
  FIELD(WallMs, r.wall_ms);
  FIELD(Loads, r.loads);
  FIELD(CountedFromMs, r.counted_from_ms);
  if constexpr (Io::kReads)
    if (r.counted_from_ms == 0) r.counted_from_ms = r.now_ms;  // written by an older build
}

RUSHES_CODEC(ResultAccepted, records::ResultAccepted, r) {
  FIELD(Ref, r.ref);
  FIELD(Worker, r.worker);
  FIELD(Result, r.result);
  FIELD(WallMs, r.wall_ms);
}

RUSHES_CODEC(AttemptEnded, records::AttemptEnded, r) {
  FIELD(Ref, r.ref);
  FIELD(Worker, r.worker);
  FIELD(End, r.end);
  FIELD(Kind, r.kind);
  FIELD(Message, r.message);
  FIELD(ExitCause, r.exit_cause);
  FIELD(LogTail, r.log_tail);
  FIELD(Then, r.then);
  FIELD(RetryAtMs, r.retry_at_ms);
  FIELD(WallMs, r.wall_ms);
  FIELD(Blameless, r.blameless);
  FIELD(SlotSeconds, r.slot_seconds);
  io.require(is_duration(r.slot_seconds), "attempt: its time is no duration");
}

RUSHES_CODEC(RevokeAsked, records::RevokeAsked, r) {
  FIELD(Ref, r.ref);
  FIELD(Then, r.then);
  FIELD(Reason, r.reason);
  FIELD(Cause, r.cause);
  if constexpr (Io::kReads)
    r.cause = io.message.getStraggler() ? RevokeCause::kStraggler : cause_of(r.cause, r.reason);
  else
    io.message.setStraggler(r.cause == RevokeCause::kStraggler);  // for older builds
}

RUSHES_CODEC(TaskClosed, records::TaskClosed, r) {
  FIELD(Task, r.task);
  FIELD(State, r.state);
  FIELD(Reason, r.reason);
  FIELD(WallMs, r.wall_ms);
}

RUSHES_CODEC(TaskReopened, records::TaskReopened, r) {
  FIELD(Task, r.task);
  FIELD(Reason, r.reason);
  FIELD(WallMs, r.wall_ms);
}

RUSHES_CODEC(VersionJudged, records::VersionJudged, r) {
  FIELD(Shot, r.shot);
  FIELD(Take, r.take);
  FIELD(Number, r.number);
  FIELD(Verdict, r.verdict);
  FIELD(Score, r.score);
  FIELD(WallMs, r.wall_ms);
}

RUSHES_CODEC(VersionKept, records::VersionKept, r) {
  FIELD(Shot, r.shot);
  FIELD(Take, r.take);
  FIELD(Number, r.number);
  FIELD(WallMs, r.wall_ms);
  FIELD(By, r.by);
  FIELD(ByRetry, r.by_retry);
  FIELD(ByRestore, r.by_restore);
}

RUSHES_CODEC(TakeLeft, records::TakeLeft, r) {
  FIELD(Shot, r.shot);
  FIELD(Take, r.take);
  FIELD(Before, r.before);
  FIELD(Reason, r.reason);
  FIELD(Bytes, r.bytes);
  FIELD(WallMs, r.wall_ms);
  FIELD(By, r.by);
}

RUSHES_CODEC(TakeMoved, records::TakeMoved, r) {
  FIELD(Shot, r.shot);
  FIELD(Take, r.take);
  FIELD(State, r.state);
  FIELD(Reason, r.reason);
  FIELD(WallMs, r.wall_ms);
}

RUSHES_CODEC(ShotMoved, records::ShotMoved, r) {
  FIELD(Shot, r.shot);
  FIELD(State, r.state);
  FIELD(Reason, r.reason);
  FIELD(Task, r.task);
  FIELD(WallMs, r.wall_ms);
}

RUSHES_CODEC(TakesRanked, records::TakesRanked, r) {
  FIELD(Shot, r.shot);
  FIELD(Ranking, r.ranking);
  FIELD(WallMs, r.wall_ms);
}

RUSHES_CODEC(TakeApproved, records::TakeApproved, r) {
  FIELD(Shot, r.shot);
  FIELD(Take, r.take);
  FIELD(By, r.by);
  FIELD(WallMs, r.wall_ms);
}

RUSHES_CODEC(HoldChanged, records::HoldChanged, r) {
  FIELD(Shot, r.shot);
  FIELD(Requested, r.requested);
  FIELD(Reached, r.reached);
  FIELD(By, r.by);
  FIELD(WallMs, r.wall_ms);
}

RUSHES_CODEC(Delivered, records::Delivered, r) {
  FIELD(Shot, r.shot);
  FIELD(Delivery, r.delivery);
}

RUSHES_CODEC(WorkerJoined, records::WorkerJoined, r) {
  FIELD(Worker, r.worker);
  FIELD(Row, r.row);
  FIELD(NowMs, r.now_ms);
  FIELD(WallMs, r.wall_ms);
}

RUSHES_CODEC(WorkerDraining, records::WorkerDraining, r) {
  FIELD(Worker, r.worker);
  FIELD(Draining, r.draining);
  FIELD(By, r.by);
  FIELD(WallMs, r.wall_ms);
}

RUSHES_CODEC(WorkerStopped, records::WorkerStopped, r) {
  FIELD(Worker, r.worker);
  FIELD(WallMs, r.wall_ms);
}

RUSHES_CODEC(WorkerForgotten, records::WorkerForgotten, r) {
  FIELD(Worker, r.worker);
  FIELD(By, r.by);
  FIELD(WallMs, r.wall_ms);
}

RUSHES_CODEC(WorkerQuarantined, records::WorkerQuarantined, r) {
  FIELD(Worker, r.worker);
  FIELD(UntilMs, r.until_ms);
  FIELD(WallMs, r.wall_ms);
  FIELD(Reason, r.reason);
}

RUSHES_CODEC(WorkerNoted, records::WorkerNoted, r) {
  FIELD(Worker, r.worker);
  FIELD(WallMs, r.wall_ms);
  FIELD(Text, r.text);
}

RUSHES_CODEC(Recovered, records::Recovered, r) {
  FIELD(Epoch, r.epoch);
  FIELD(ExpiresMs, r.expires_ms);
  FIELD(WallMs, r.wall_ms);
  FIELD(FirstLease, r.first_lease);
}

RUSHES_CODEC(FarmRow, records::FarmRow, r) {
  FIELD(NextLease, r.next_lease);
  FIELD(Epoch, r.epoch);
  FIELD(LastEvent, r.last_event);
}

RUSHES_CODEC(BatchRow, records::BatchSubmitted, r) {
  FIELD(Batch, r.batch);
  FIELD(Row, r.row);
}

RUSHES_CODEC(WorkerRow, records::WorkerRow, r) {
  FIELD(Worker, r.worker);
  FIELD(Row, r.row);
}

// Rows of tasks and shots have the row's own fields beside those of the record: one message holds both.
void write(records::Writer& writer, records::TaskRow::Builder out, const TaskRow& r) {
  write(writer, out, r.row);
}
void read(records::Reader& reader, records::TaskRow::Reader in, TaskRow& r) { read(reader, in, r.row); }

void write(records::Writer& writer, records::ShotRow::Builder out, const ShotRow& r) {
  write(writer, out, r.row);
  out.setShot(r.shot.number());
}
void read(records::Reader& reader, records::ShotRow::Reader in, ShotRow& r) {
  r.shot = ShotId(in.getShot());
  read(reader, in, r.row);
}

RUSHES_CODEC(EstimateRow, records::EstimateRow, r) {
  FIELD(Stage, r.key.stage);
  FIELD(Level, r.key.level);
  FIELD(Model, r.key.model);
  FIELD(NumericClass, r.key.numeric_class);
  FIELD(Mean, r.estimate.mean);
  FIELD(Deviation, r.estimate.deviation);
  FIELD(Samples, r.estimate.samples);
  auto& sizes = r.estimate.sizes;
  FIELD(Sizes, sizes.samples);
  FIELD(InverseWork, sizes.x);
  FIELD(RelativeSeconds, sizes.y);
  FIELD(InverseVariance, sizes.xx);
  FIELD(Covariance, sizes.xy);
  io.require(r.estimate.mean >= 0 && r.estimate.deviation >= 0 && r.estimate.samples <= policy::kRemembered,
             "estimate: is no duration");
  io.require(sizes.samples <= policy::kSizes && sizes.x >= 0 && sizes.y >= 0 && sizes.xx >= 0,
             "estimate: sizes are no sums");
}

}  // namespace record

namespace {

constexpr std::uint16_t kRecordVersion = 1;

// The durable kinds: KIND(name of record and field, the union's enumerant).
#define RECORD_KINDS(KIND)                    \
  KIND(BatchSubmitted, BATCH_SUBMITTED)       \
  KIND(ShotPlanned, SHOT_PLANNED)             \
  KIND(ShotArchived, SHOT_ARCHIVED)           \
  KIND(VersionPlanned, VERSION_PLANNED)       \
  KIND(UpgradePlanned, UPGRADE_PLANNED)       \
  KIND(DeliveryPlanned, DELIVERY_PLANNED)     \
  KIND(ClassPinned, CLASS_PINNED)             \
  KIND(Leased, LEASED)                        \
  KIND(Started, STARTED)                      \
  KIND(ResultAccepted, RESULT_ACCEPTED)       \
  KIND(AttemptEnded, ATTEMPT_ENDED)           \
  KIND(RevokeAsked, REVOKE_ASKED)             \
  KIND(TaskClosed, TASK_CLOSED)               \
  KIND(TaskReopened, TASK_REOPENED)           \
  KIND(VersionJudged, VERSION_JUDGED)         \
  KIND(VersionKept, VERSION_KEPT)             \
  KIND(TakeLeft, TAKE_LEFT)                   \
  KIND(TakeMoved, TAKE_MOVED)                 \
  KIND(ShotMoved, SHOT_MOVED)                 \
  KIND(TakesRanked, TAKES_RANKED)             \
  KIND(TakeApproved, TAKE_APPROVED)           \
  KIND(HoldChanged, HOLD_CHANGED)             \
  KIND(Delivered, DELIVERED)                  \
  KIND(WorkerJoined, WORKER_JOINED)           \
  KIND(WorkerDraining, WORKER_DRAINING)       \
  KIND(WorkerStopped, WORKER_STOPPED)         \
  KIND(WorkerForgotten, WORKER_FORGOTTEN)     \
  KIND(WorkerQuarantined, WORKER_QUARANTINED) \
  KIND(WorkerNoted, WORKER_NOTED)             \
  KIND(Recovered, RECOVERED)                  \
  KIND(FarmRow, FARM_ROW)                     \
  KIND(BatchRow, BATCH_ROW)                   \
  KIND(WorkerRow, WORKER_ROW)                 \
  KIND(ShotRow, SHOT_ROW)                     \
  KIND(TaskRow, TASK_ROW)                     \
  KIND(EstimateRow, ESTIMATE_ROW)

using Builder = records::Record::Builder;

#define PUT(NAME, ENUMERANT)                                               \
  void put(records::Writer& writer, Builder root, const record::NAME& r) { \
    write(writer, root.init##NAME(), r);                                   \
  }
RECORD_KINDS(PUT)
#undef PUT
void put(records::Writer&, Builder root, const record::SnapshotEnd&) { root.setSnapshotEnd(); }

Record get(records::Reader& reader, records::Record::Reader root) {
  if (root.getVersion() > kRecordVersion) {
    reader.refuse(ErrorKind::kCorrupt, "version: record of version " + std::to_string(root.getVersion()) +
                                           ", this build knows up to " + std::to_string(kRecordVersion));
    return record::SnapshotEnd{};
  }
  switch (root.which()) {
#define GET(NAME, ENUMERANT)           \
  case records::Record::ENUMERANT: {   \
    record::NAME r;                    \
    read(reader, root.get##NAME(), r); \
    return r;                          \
  }
    RECORD_KINDS(GET)
#undef GET
    case records::Record::SNAPSHOT_END:
      return record::SnapshotEnd{};
  }
  reader.refuse(ErrorKind::kCorrupt, "kind: record of kind " +
                                         std::to_string(static_cast<unsigned>(root.which())) +
                                         ", written by a newer build");
  return record::SnapshotEnd{};
}

template <typename Fill>
Bytes encode(const Fill& fill) {
  records::Building building;
  auto root = building.message().initRoot<records::Record>();
  root.setVersion(kRecordVersion);
  records::Writer writer;
  fill(writer, root);
  return records::flat_bytes<Bytes>(building.message());
}

}  // namespace

Bytes encode_record(const Record& record) {
  assert(is_durable(record));
  return encode([&](records::Writer& writer, Builder root) {
    std::visit(
        [&]<class R>(const R& r) {
          if constexpr (R::kDurable) put(writer, root, r);
        },
        record);
  });
}

Bytes encode_row(const TaskFacts& task) {
  return encode([&](records::Writer& writer, Builder root) { write(writer, root.initTaskRow(), task); });
}

Bytes encode_row(ShotId id, const ShotFacts& shot) {
  return encode([&](records::Writer& writer, Builder root) {
    auto out = root.initShotRow();
    write(writer, out, shot);
    out.setShot(id.number());
  });
}

Result<Record> decode_record(std::span<const std::uint8_t> bytes) {
  return records::open<records::Record, Record>(records::Source::kDisk, bytes, storage::kMaxRecordBytes,
                                                "journal record", get);
}

}  // namespace rushes::scheduler
