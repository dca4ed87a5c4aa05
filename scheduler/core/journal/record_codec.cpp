#include "scheduler/core/journal/record_codec.h"

#include <cassert>

#include "scheduler/core/journal/row_codec.h"

namespace rushes::scheduler {
namespace {

using Builder = records::Record::Builder;
using Reader = records::Record::Reader;
using codec::read;
using codec::write;
using namespace record;  // the names of both sides are the same; ours are unqualified here

constexpr std::uint16_t kRecordVersion = 1;

records::TaskState wire(TaskState state) { return static_cast<records::TaskState>(state); }

// ---- writing

void put(Builder root, const BatchSubmitted& r) {
  auto out = root.initBatchSubmitted();
  out.setBatch(r.batch);
  write(out.initRow(), r.row);
}
void put(Builder root, const ShotPlanned& r) {
  auto out = root.initShotPlanned();
  out.setShot(r.shot);
  out.setBatch(r.batch);
  out.setBy(r.by);
  write(out.initSpec(), r.spec);
  codec::write_all(out.initTasks(r.tasks.size()), r.tasks);
  out.setWallMs(r.wall_ms);
}
void put(Builder root, const VersionPlanned& r) {
  auto out = root.initVersionPlanned();
  out.setShot(r.shot);
  out.setTake(r.take);
  write(out.initVersion(), r.version);
  codec::write_all(out.initTasks(r.tasks.size()), r.tasks);
}
void put(Builder root, const UpgradePlanned& r) {
  auto out = root.initUpgradePlanned();
  out.setShot(r.shot);
  out.setTake(r.take);
  write(out.initGraph(), r.graph);
  out.setRecipe(codec::data_of(r.recipe));
  codec::write_all(out.initTasks(r.tasks.size()), r.tasks);
  out.setWallMs(r.wall_ms);
}
void put(Builder root, const DeliveryPlanned& r) {
  auto out = root.initDeliveryPlanned();
  out.setShot(r.shot);
  out.setTake(r.take);
  codec::write_all(out.initTasks(r.tasks.size()), r.tasks);
  out.setWallMs(r.wall_ms);
}
void put(Builder root, const ClassPinned& r) {
  auto out = root.initClassPinned();
  out.setShot(r.shot);
  out.setNumericClass(r.numeric_class);
  out.setEngineBuild(r.engine_build);
  auto recipes = out.initRecipes(r.recipes.size());
  for (unsigned i = 0; i < r.recipes.size(); ++i) {
    recipes[i].setTake(r.recipes[i].take);
    recipes[i].setRecipe(codec::data_of(r.recipes[i].recipe));
  }
}
void put(Builder root, const Leased& r) {
  auto out = root.initLeased();
  write(out.initRef(), r.ref);
  out.setWorker(r.worker);
  out.setExpiresMs(r.expires_ms);
  out.setWallMs(r.wall_ms);
}
void put(Builder root, const Started& r) {
  auto out = root.initStarted();
  write(out.initRef(), r.ref);
  out.setNowMs(r.now_ms);
  out.setWallMs(r.wall_ms);
}
void put(Builder root, const ResultAccepted& r) {
  auto out = root.initResultAccepted();
  write(out.initRef(), r.ref);
  out.setWorker(r.worker);
  write(out.initResult(), r.result);
  out.setWallMs(r.wall_ms);
}
void put(Builder root, const AttemptEnded& r) {
  auto out = root.initAttemptEnded();
  write(out.initRef(), r.ref);
  out.setWorker(r.worker);
  out.setEnd(static_cast<records::EndCause>(r.end));
  out.setKind(r.kind);
  out.setMessage(r.message);
  out.setExitCause(r.exit_cause);
  out.setLogTail(r.log_tail);
  out.setThen(wire(r.then));
  out.setRetryAtMs(r.retry_at_ms);
  out.setWallMs(r.wall_ms);
}
void put(Builder root, const RevokeAsked& r) {
  auto out = root.initRevokeAsked();
  write(out.initRef(), r.ref);
  out.setThen(wire(r.then));
  out.setReason(r.reason);
  out.setStraggler(r.straggler);
}
void put(Builder root, const TaskClosed& r) {
  auto out = root.initTaskClosed();
  out.setTask(r.task);
  out.setState(wire(r.state));
  out.setReason(r.reason);
  out.setWallMs(r.wall_ms);
}
void put(Builder root, const TaskReopened& r) {
  auto out = root.initTaskReopened();
  out.setTask(r.task);
  out.setReason(r.reason);
  out.setWallMs(r.wall_ms);
}
void put(Builder root, const VersionJudged& r) {
  auto out = root.initVersionJudged();
  out.setShot(r.shot);
  out.setTake(r.take);
  out.setNumber(r.number);
  out.setVerdict(static_cast<records::Verdict>(r.verdict));
  out.setScore(r.score);
  out.setWallMs(r.wall_ms);
}
void put(Builder root, const VersionKept& r) {
  auto out = root.initVersionKept();
  out.setShot(r.shot);
  out.setTake(r.take);
  out.setNumber(r.number);
  out.setWallMs(r.wall_ms);
}
void put(Builder root, const TakeMoved& r) {
  auto out = root.initTakeMoved();
  out.setShot(r.shot);
  out.setTake(r.take);
  out.setState(static_cast<records::TakeState>(r.state));
  out.setReason(r.reason);
  out.setWallMs(r.wall_ms);
}
void put(Builder root, const ShotMoved& r) {
  auto out = root.initShotMoved();
  out.setShot(r.shot);
  out.setState(static_cast<records::ShotState>(r.state));
  out.setReason(r.reason);
  out.setTask(r.task);
  out.setWallMs(r.wall_ms);
}
void put(Builder root, const TakesRanked& r) {
  auto out = root.initTakesRanked();
  out.setShot(r.shot);
  codec::write_numbers(r.ranking, out.initRanking(r.ranking.size()));
  out.setWallMs(r.wall_ms);
}
void put(Builder root, const TakeApproved& r) {
  auto out = root.initTakeApproved();
  out.setShot(r.shot);
  out.setTake(r.take);
  out.setBy(r.by);
  out.setWallMs(r.wall_ms);
}
void put(Builder root, const HoldChanged& r) {
  auto out = root.initHoldChanged();
  out.setShot(r.shot);
  out.setRequested(r.requested);
  out.setReached(r.reached);
  out.setBy(r.by);
  out.setWallMs(r.wall_ms);
}
void put(Builder root, const Delivered& r) {
  auto out = root.initDelivered();
  out.setShot(r.shot);
  write(out.initDelivery(), r.delivery);
}
void put(Builder root, const WorkerJoined& r) {
  auto out = root.initWorkerJoined();
  out.setWorker(r.worker);
  write(out.initRow(), r.row);
  out.setNowMs(r.now_ms);
  out.setWallMs(r.wall_ms);
}
void put(Builder root, const WorkerDraining& r) {
  auto out = root.initWorkerDraining();
  out.setWorker(r.worker);
  out.setDraining(r.draining);
  out.setBy(r.by);
  out.setWallMs(r.wall_ms);
}
void put(Builder root, const WorkerQuarantined& r) {
  auto out = root.initWorkerQuarantined();
  out.setWorker(r.worker);
  out.setUntilMs(r.until_ms);
  out.setWallMs(r.wall_ms);
  out.setReason(r.reason);
}
void put(Builder root, const record::Recovered& r) {
  auto out = root.initRecovered();
  out.setEpoch(r.epoch);
  out.setExpiresMs(r.expires_ms);
  out.setWallMs(r.wall_ms);
}
void put(Builder root, const FarmRow& r) {
  auto out = root.initFarmRow();
  out.setNextLease(r.next_lease);
  out.setEpoch(r.epoch);
  out.setLastEvent(r.last_event);
}
void put(Builder root, const BatchRow& r) {
  auto out = root.initBatchRow();
  out.setBatch(r.batch);
  write(out.initRow(), r.row);
}
void put(Builder root, const WorkerRow& r) {
  auto out = root.initWorkerRow();
  out.setWorker(r.worker);
  write(out.initRow(), r.row);
}
void put_row(Builder root, ShotId id, const Shot& shot) {
  auto out = root.initShotRow();
  write(out, shot);
  out.setShot(id);
}
void put_row(Builder root, const Task& task) { write(root.initTaskRow(), task); }
void put(Builder root, const ShotRow& r) { put_row(root, r.shot, r.row); }
void put(Builder root, const TaskRow& r) { put_row(root, r.row); }
void put(Builder root, const EstimateRow& r) {
  auto out = root.initEstimateRow();
  out.setStage(static_cast<records::Stage>(r.key.stage));
  out.setLevel(r.key.level);
  out.setModel(r.key.model);
  out.setNumericClass(r.key.numeric_class);
  out.setMean(r.estimate.mean);
  out.setDeviation(r.estimate.deviation);
  out.setSamples(r.estimate.samples);
}
void put(Builder root, const SnapshotEnd&) { root.setSnapshotEnd(); }

template <typename Volatile>
void put(Builder, const Volatile&) {
  assert(!"a volatile record is never written");
}

// ---- reading

Record get(records::BatchSubmitted::Reader in) { return BatchSubmitted{in.getBatch(), read(in.getRow())}; }
Record get(records::ShotPlanned::Reader in) {
  return ShotPlanned{in.getShot(),
                     in.getBatch(),
                     codec::read_text(in.getBy(), "by"),
                     read(in.getSpec()),
                     codec::read_all<PlannedTask>(in.getTasks(), "tasks"),
                     in.getWallMs()};
}
Record get(records::VersionPlanned::Reader in) {
  return VersionPlanned{in.getShot(), in.getTake(), read(in.getVersion()),
                        codec::read_all<PlannedTask>(in.getTasks(), "tasks")};
}
Record get(records::UpgradePlanned::Reader in) {
  UpgradePlanned r{in.getShot(), in.getTake(), read(in.getGraph()), {}, {}, {}, in.getWallMs()};
  r.recipe = codec::read_recipe_bytes(in.getRecipe(), r.recipe_hash);
  r.tasks = codec::read_all<PlannedTask>(in.getTasks(), "tasks");
  return r;
}
Record get(records::DeliveryPlanned::Reader in) {
  return DeliveryPlanned{in.getShot(), in.getTake(), codec::read_all<PlannedTask>(in.getTasks(), "tasks"),
                         in.getWallMs()};
}
Record get(records::ClassPinned::Reader in) {
  ClassPinned r{in.getShot(),
                codec::read_text(in.getNumericClass(), "numeric class"),
                codec::read_text(in.getEngineBuild(), "engine build"),
                {}};
  codec::read_size(in.getRecipes(), "recipes", 4096);
  for (auto entry : in.getRecipes()) {
    TakeRecipe recipe{entry.getTake(), {}, {}};
    recipe.recipe = codec::read_recipe_bytes(entry.getRecipe(), recipe.hash);
    r.recipes.push_back(std::move(recipe));
  }
  return r;
}
Record get(records::Leased::Reader in) {
  return Leased{read(in.getRef()), in.getWorker(), in.getExpiresMs(), in.getWallMs(), {}};
}
Record get(records::Started::Reader in) { return Started{read(in.getRef()), in.getNowMs(), in.getWallMs()}; }
Record get(records::ResultAccepted::Reader in) {
  return ResultAccepted{read(in.getRef()), in.getWorker(), read(in.getResult()), in.getWallMs()};
}
Record get(records::AttemptEnded::Reader in) {
  return AttemptEnded{read(in.getRef()),
                      in.getWorker(),
                      codec::read_end(in.getEnd()),
                      codec::read_text(in.getKind(), "kind"),
                      codec::read_text(in.getMessage(), "message"),
                      codec::read_text(in.getExitCause(), "exit cause"),
                      codec::read_text(in.getLogTail(), "log"),
                      codec::read_task_state(in.getThen()),
                      in.getRetryAtMs(),
                      in.getWallMs()};
}
Record get(records::RevokeAsked::Reader in) {
  return RevokeAsked{read(in.getRef()), codec::read_task_state(in.getThen()),
                     codec::read_text(in.getReason(), "reason"), in.getStraggler()};
}
Record get(records::TaskClosed::Reader in) {
  return TaskClosed{in.getTask(), codec::read_task_state(in.getState()),
                    codec::read_text(in.getReason(), "reason"), in.getWallMs()};
}
Record get(records::TaskReopened::Reader in) {
  return TaskReopened{in.getTask(), codec::read_text(in.getReason(), "reason"), in.getWallMs()};
}
Record get(records::VersionJudged::Reader in) {
  return VersionJudged{in.getShot(),  in.getTake(),  in.getNumber(), codec::read_verdict(in.getVerdict()),
                       in.getScore(), in.getWallMs()};
}
Record get(records::VersionKept::Reader in) {
  return VersionKept{in.getShot(), in.getTake(), in.getNumber(), in.getWallMs()};
}
Record get(records::TakeMoved::Reader in) {
  return TakeMoved{in.getShot(), in.getTake(), codec::read_take_state(in.getState()),
                   codec::read_text(in.getReason(), "reason"), in.getWallMs()};
}
Record get(records::ShotMoved::Reader in) {
  return ShotMoved{in.getShot(), codec::read_shot_state(in.getState()),
                   codec::read_text(in.getReason(), "reason"), in.getTask(), in.getWallMs()};
}
Record get(records::TakesRanked::Reader in) {
  return TakesRanked{in.getShot(), codec::read_numbers<std::uint32_t>(in.getRanking(), "ranking"),
                     in.getWallMs()};
}
Record get(records::TakeApproved::Reader in) {
  return TakeApproved{in.getShot(), in.getTake(), codec::read_text(in.getBy(), "by"), in.getWallMs()};
}
Record get(records::HoldChanged::Reader in) {
  return HoldChanged{in.getShot(), in.getRequested(), in.getReached(), codec::read_text(in.getBy(), "by"),
                     in.getWallMs()};
}
Record get(records::Delivered::Reader in) { return Delivered{in.getShot(), read(in.getDelivery())}; }
Record get(records::WorkerJoined::Reader in) {
  return WorkerJoined{in.getWorker(), read(in.getRow()), in.getNowMs(), in.getWallMs()};
}
Record get(records::WorkerDraining::Reader in) {
  return WorkerDraining{in.getWorker(), in.getDraining(), codec::read_text(in.getBy(), "by"), in.getWallMs()};
}
Record get(records::WorkerQuarantined::Reader in) {
  return WorkerQuarantined{in.getWorker(), in.getUntilMs(), in.getWallMs(),
                           codec::read_text(in.getReason(), "reason")};
}
Record get(records::Recovered::Reader in) {
  return record::Recovered{in.getEpoch(), in.getExpiresMs(), in.getWallMs()};
}
Record get(records::FarmRow::Reader in) {
  return FarmRow{in.getNextLease(), in.getEpoch(), in.getLastEvent()};
}
Record get(records::WorkerRow::Reader in) { return WorkerRow{in.getWorker(), read(in.getRow())}; }
Record get(records::ShotRow::Reader in) { return ShotRow{in.getShot(), read(in)}; }
Record get(records::TaskRow::Reader in) { return TaskRow{read(in)}; }

Record get(records::EstimateRow::Reader in) {
  EstimateRow r;
  r.key = {codec::read_enum<Stage>(in.getStage(), kStages, "stage"), in.getLevel(),
           codec::read_text(in.getModel(), "model"), codec::read_text(in.getNumericClass(), "numeric class")};
  r.estimate = {in.getMean(), in.getDeviation(), in.getSamples()};
  const bool sound =
      r.estimate.mean >= 0 && r.estimate.deviation >= 0 && r.estimate.samples <= policy::kRemembered;
  if (!sound) codec::malformed("estimate", "is no duration");
  return r;
}

Record get(Reader root) {
  if (root.getVersion() > kRecordVersion) {
    codec::malformed("version", "record of version " + std::to_string(root.getVersion()) +
                                    ", this build knows up to " + std::to_string(kRecordVersion));
  }
  switch (root.which()) {
    case records::Record::BATCH_SUBMITTED:
      return get(root.getBatchSubmitted());
    case records::Record::SHOT_PLANNED:
      return get(root.getShotPlanned());
    case records::Record::VERSION_PLANNED:
      return get(root.getVersionPlanned());
    case records::Record::UPGRADE_PLANNED:
      return get(root.getUpgradePlanned());
    case records::Record::DELIVERY_PLANNED:
      return get(root.getDeliveryPlanned());
    case records::Record::CLASS_PINNED:
      return get(root.getClassPinned());
    case records::Record::LEASED:
      return get(root.getLeased());
    case records::Record::STARTED:
      return get(root.getStarted());
    case records::Record::RESULT_ACCEPTED:
      return get(root.getResultAccepted());
    case records::Record::ATTEMPT_ENDED:
      return get(root.getAttemptEnded());
    case records::Record::REVOKE_ASKED:
      return get(root.getRevokeAsked());
    case records::Record::TASK_CLOSED:
      return get(root.getTaskClosed());
    case records::Record::TASK_REOPENED:
      return get(root.getTaskReopened());
    case records::Record::VERSION_JUDGED:
      return get(root.getVersionJudged());
    case records::Record::VERSION_KEPT:
      return get(root.getVersionKept());
    case records::Record::TAKE_MOVED:
      return get(root.getTakeMoved());
    case records::Record::SHOT_MOVED:
      return get(root.getShotMoved());
    case records::Record::TAKES_RANKED:
      return get(root.getTakesRanked());
    case records::Record::TAKE_APPROVED:
      return get(root.getTakeApproved());
    case records::Record::HOLD_CHANGED:
      return get(root.getHoldChanged());
    case records::Record::DELIVERED:
      return get(root.getDelivered());
    case records::Record::WORKER_JOINED:
      return get(root.getWorkerJoined());
    case records::Record::WORKER_DRAINING:
      return get(root.getWorkerDraining());
    case records::Record::WORKER_QUARANTINED:
      return get(root.getWorkerQuarantined());
    case records::Record::RECOVERED:
      return get(root.getRecovered());
    case records::Record::FARM_ROW:
      return get(root.getFarmRow());
    case records::Record::BATCH_ROW:
      return BatchRow{root.getBatchRow().getBatch(), read(root.getBatchRow().getRow())};
    case records::Record::WORKER_ROW:
      return get(root.getWorkerRow());
    case records::Record::SHOT_ROW:
      return get(root.getShotRow());
    case records::Record::TASK_ROW:
      return get(root.getTaskRow());
    case records::Record::ESTIMATE_ROW:
      return get(root.getEstimateRow());
    case records::Record::SNAPSHOT_END:
      return SnapshotEnd{};
  }
  codec::malformed("kind", "record of kind " + std::to_string(static_cast<unsigned>(root.which())) +
                               ", written by a newer build");
}

template <typename Fill>
Bytes encode(const Fill& fill) {
  capnp::word scratch[256]{};  // most records need no more: no allocation
  capnp::MallocMessageBuilder message(kj::arrayPtr(scratch, std::size(scratch)));
  auto root = message.initRoot<records::Record>();
  root.setVersion(kRecordVersion);
  fill(root);
  const kj::Array<capnp::word> words = capnp::messageToFlatArray(message);
  const auto bytes = words.asBytes();
  return {bytes.begin(), bytes.end()};
}

}  // namespace

Bytes encode_record(const Record& record) {
  return encode([&record](Builder root) { std::visit([&root](const auto& r) { put(root, r); }, record); });
}

Bytes encode_row(const Task& task) {
  return encode([&task](Builder root) { put_row(root, task); });
}

Bytes encode_row(ShotId id, const Shot& shot) {
  return encode([&](Builder root) { put_row(root, id, shot); });
}

Result<Record> decode_record(std::span<const std::uint8_t> bytes) {
  return codec::guarded<Record>("journal record", [&]() -> Record {
    if (bytes.size() > storage::kMaxRecordBytes) codec::malformed("size", "larger than a record can be");
    const auto words = codec::aligned_words(bytes.data(), bytes.size());
    capnp::FlatArrayMessageReader message(words, {2 * words.size() + 1024, codec::kMaxNesting});
    return get(message.getRoot<records::Record>());
  });
}

}  // namespace rushes::scheduler
