// Snapshots, state_hash() and check(): the kept part of a State as records, and records that fit a State.
#include "scheduler/core/core.h"
#include "scheduler/core/journal/record_codec.h"
#include "scheduler/core/journal/replay.h"
#include "scheduler/plan/numbers.h"
#include "scheduler/plan/plan.h"

namespace rushes::scheduler {
namespace {

// Rows in the order in which they rebuild a State: the first byte of their keys.
enum class RowKind : char { kFarm = 1, kBatch, kWorker, kShot, kTask, kEstimate, kEnd };

std::string key_of(RowKind kind, std::uint64_t number = 0) {
  std::string key(1, static_cast<char>(kind));
  for (int shift = 56; shift >= 0; shift -= 8) key += static_cast<char>(number >> shift);
  return key;
}

std::string key_of(const WorkKey& key) {
  const Digest name = storage::digest_of(key.model + '\0' + key.numeric_class);  // of any length
  return key_of(RowKind::kEstimate, static_cast<std::uint64_t>(key.stage) << 32 | key.level) +
         std::string(name.begin(), name.end());
}

// Calls `each` with every record of a snapshot, one at a time: a large farm is never copied whole.
template <typename Each>
void for_each_row(const State& state, const Each& each) {
  each(record::FarmRow{state.next_lease, state.epoch, state.events.last()});
  for (std::size_t i = 0; i < state.batches.size(); ++i) each(record::BatchRow{i + 1, state.batches[i]});
  for (WorkerId i = 0; i < state.workers.size(); ++i) each(record::WorkerRow{i, state.workers[i]});
  for (ShotId i = 0; i < state.shots.size(); ++i) each(record::ShotRow{i, state.shots[i]});
  for (const Task& task : state.tasks) each(record::TaskRow{task});
  for (const auto& [key, estimate] : state.rates) each(record::EstimateRow{key, estimate});
  each(record::SnapshotEnd{});
}

Status corrupt(const std::string& what) {
  return fail(ErrorKind::kCorrupt, "record does not fit the state: " + what);
}

bool has_take(const State& state, ShotId shot, std::uint32_t take) {
  return shot < state.shots.size() && take >= 1 && take <= state.shots[shot].takes.size();
}

bool has_version(const State& state, ShotId shot, std::uint32_t take, std::uint32_t number) {
  return has_take(state, shot, take) && number < state.shots[shot].takes[take - 1].versions.size();
}

bool follow_on(const State& state, const std::vector<PlannedTask>& tasks) {
  TaskId next = state.tasks.size() + 1;
  for (const PlannedTask& task : tasks) {
    if (task.id != next++) return false;
  }
  return !tasks.empty();
}

// What is planned from the shot, and is planned again to say how much is left, is no more than was accepted
// once.
bool is_plannable(const ShotSpec& spec) {
  return spec.recipe.windows.size() <= kMaxWindows && count_take_tasks(spec) <= kMaxPlanTasks;
}

// Whether the record's references exist. One overload per kind; volatile records are never read.
struct Fits {
  const State& state;

  bool held(const AttemptId& ref) const {
    if (!state.has_task(ref.task)) return false;
    const Task& task = state.task(ref.task);
    return is_held(task.state) && task.attempt == ref.attempt && task.lease.id == ref.lease;
  }
  bool knows(ShotId shot) const { return shot < state.shots.size(); }

  bool operator()(const record::BatchSubmitted& r) const { return r.batch == state.batches.size() + 1; }
  bool operator()(const record::ShotPlanned& r) const {
    return r.shot == state.shots.size() && is_plannable(r.spec) && follow_on(state, r.tasks);
  }
  bool operator()(const record::VersionPlanned& r) const {
    return has_take(state, r.shot, r.take) && follow_on(state, r.tasks) &&
           r.version.number == state.shots[r.shot].takes[r.take - 1].versions.size();
  }
  bool operator()(const record::UpgradePlanned& r) const {
    return has_take(state, r.shot, r.take) && follow_on(state, r.tasks);
  }
  bool operator()(const record::DeliveryPlanned& r) const {
    return has_take(state, r.shot, r.take) && follow_on(state, r.tasks);
  }
  bool operator()(const record::ClassPinned& r) const {
    for (const record::TakeRecipe& recipe : r.recipes) {
      if (!has_version(state, r.shot, recipe.take, 0)) return false;
    }
    return knows(r.shot);
  }
  bool operator()(const record::Leased& r) const {
    return state.has_task(r.ref.task) && may_be_leased(state.task(r.ref.task)) &&
           r.worker < state.workers.size();
  }
  bool operator()(const record::Started& r) const { return held(r.ref); }
  bool operator()(const record::ResultAccepted& r) const {
    return held(r.ref) && r.worker < state.workers.size();
  }
  bool operator()(const record::AttemptEnded& r) const {
    return held(r.ref) && r.worker < state.workers.size();
  }
  bool operator()(const record::RevokeAsked& r) const { return held(r.ref); }
  bool operator()(const record::TaskClosed& r) const {
    return state.has_task(r.task) && !is_held(state.task(r.task).state) &&
           !is_final(state.task(r.task).state);
  }
  bool operator()(const record::TaskReopened& r) const {
    return state.has_task(r.task) && state.task(r.task).state == TaskState::kFailed;
  }
  bool operator()(const record::VersionJudged& r) const {
    return has_version(state, r.shot, r.take, r.number);
  }
  bool operator()(const record::VersionKept& r) const { return has_version(state, r.shot, r.take, r.number); }
  bool operator()(const record::TakeMoved& r) const { return has_take(state, r.shot, r.take); }
  bool operator()(const record::ShotMoved& r) const {
    return knows(r.shot) && (r.task == 0 || state.has_task(r.task));
  }
  bool operator()(const record::TakesRanked& r) const { return knows(r.shot); }
  bool operator()(const record::TakeApproved& r) const {
    return r.take == 0 ? knows(r.shot) : has_take(state, r.shot, r.take);
  }
  bool operator()(const record::HoldChanged& r) const { return knows(r.shot); }
  bool operator()(const record::Delivered& r) const { return has_take(state, r.shot, r.delivery.take); }
  bool operator()(const record::WorkerJoined& r) const { return r.worker <= state.workers.size(); }
  bool operator()(const record::WorkerDraining& r) const { return r.worker < state.workers.size(); }
  bool operator()(const record::WorkerQuarantined& r) const { return r.worker < state.workers.size(); }
  bool operator()(const record::Recovered&) const { return true; }
  bool operator()(const record::FarmRow&) const { return state.tasks.empty() && state.batches.empty(); }
  bool operator()(const record::BatchRow& r) const { return r.batch == state.batches.size() + 1; }
  bool operator()(const record::WorkerRow& r) const { return r.worker == state.workers.size(); }
  bool operator()(const record::ShotRow& r) const {
    return r.shot == state.shots.size() && is_plannable(r.row.spec);
  }
  bool operator()(const record::TaskRow& r) const {
    return r.row.plan.id == state.tasks.size() + 1 && knows(r.row.shot) &&
           r.row.plan.take <= state.shots[r.row.shot].takes.size() &&
           (!is_held(r.row.state) || r.row.lease.worker < state.workers.size());
  }
  bool operator()(const record::EstimateRow&) const { return true; }
  bool operator()(const record::SnapshotEnd&) const { return true; }
  template <typename Volatile>
  bool operator()(const Volatile&) const {
    return false;
  }
};

}  // namespace

std::vector<Record> snapshot(const State& state) {
  std::vector<Record> rows;
  for_each_row(state, [&rows](auto row) { rows.emplace_back(std::move(row)); });
  return rows;
}

std::vector<SnapshotRow> changed_rows(const State& state) {
  const Changed& changed = state.changed;
  std::vector<SnapshotRow> rows;
  rows.reserve(changed.tasks.size() + changed.shots.size() + changed.workers.size() + 64);
  const auto put = [&rows](std::string key, const Bytes& row) {
    rows.push_back({std::move(key), std::string(row.begin(), row.end())});
  };
  put(key_of(RowKind::kFarm),
      encode_record(record::FarmRow{state.next_lease, state.epoch, state.events.last()}));
  for (std::size_t i = changed.batches; i < state.batches.size(); ++i)
    put(key_of(RowKind::kBatch, i + 1), encode_record(record::BatchRow{i + 1, state.batches[i]}));
  for (const WorkerId id : changed.workers)
    put(key_of(RowKind::kWorker, id), encode_record(record::WorkerRow{id, state.workers[id]}));
  for (const ShotId id : changed.shots) put(key_of(RowKind::kShot, id), encode_row(id, state.shots[id]));
  for (const TaskId id : changed.tasks) put(key_of(RowKind::kTask, id), encode_row(state.task(id)));
  for (const auto& [key, estimate] : state.rates)
    put(key_of(key), encode_record(record::EstimateRow{key, estimate}));
  put(key_of(RowKind::kEnd), encode_record(record::SnapshotEnd{}));
  return rows;
}

Digest state_hash(const State& state) {
  storage::DigestStream stream;
  for_each_row(state, [&stream](auto row) {
    const Bytes bytes = encode_record(Record(std::move(row)));
    stream.update({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  });
  return stream.finish();
}

Status check(const State& state, const Record& record) {
  if (std::visit(Fits{state}, record)) return {};
  return corrupt("kind " + std::to_string(record.index()));
}

}  // namespace rushes::scheduler
