// What was decided: the journal's records.
//
// A record holds facts, never inputs, so replaying it cannot decide differently after an upgrade. Volatile
// records (is_durable() false) change only soft fields of the State and are never written.
//
// Thread contract: plain values.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "config/result.h"
#include "scheduler/core/state/state.h"

namespace rushes::scheduler {
namespace record {

// ---- people's wishes and plans
struct BatchSubmitted {
  std::uint64_t batch = 0;
  Batch row;
};
// A new shot, its shared tasks (encode), and room for its takes. `shot` is the next index.
struct ShotPlanned {
  ShotId shot = 0;
  std::uint64_t batch = 0;
  std::string by;
  ShotSpec spec;
  std::vector<PlannedTask> tasks;
  std::int64_t wall_ms = 0;
};
// A take's first rendering (number 0) or revision; tasks have the next ids.
struct VersionPlanned {
  ShotId shot = 0;
  std::uint32_t take = 0;
  Version version;
  std::vector<PlannedTask> tasks;
};
struct UpgradePlanned {
  ShotId shot = 0;
  std::uint32_t take = 0;
  UpgradeGraph graph;
  Bytes recipe;  // of the take, with its master part
  Digest recipe_hash{};
  std::vector<PlannedTask> tasks;
  std::int64_t wall_ms = 0;
};
struct DeliveryPlanned {
  ShotId shot = 0;
  std::uint32_t take = 0;
  std::vector<PlannedTask> tasks;
  std::int64_t wall_ms = 0;
};
// The numeric class of a shot, chosen when its first task is leased; recipes of all takes with it.
struct TakeRecipe {
  std::uint32_t take = 0;
  Bytes recipe;
  Digest hash{};
};
struct ClassPinned {
  ShotId shot = 0;
  std::string numeric_class, engine_build;
  std::vector<TakeRecipe> recipes;
};

// ---- tasks
struct Leased {
  AttemptRef ref;
  WorkerId worker = 0;
  std::int64_t expires_ms = 0, wall_ms = 0;
  Charge charge;  // never written: shares start anew with the scheduler
};
struct Started {
  AttemptRef ref;
  std::int64_t now_ms = 0, wall_ms = 0;
};
struct ResultAccepted {
  AttemptRef ref;
  WorkerId worker = 0;
  TaskResult result;
  std::int64_t wall_ms = 0;
};
// The attempt is over without a result. `then`: what the task is now (ready again, failed, cancelled, aborted
// ...).
struct AttemptEnded {
  AttemptRef ref;
  WorkerId worker = 0;
  AttemptEnd end = AttemptEnd::kNone;
  std::string kind, message, exit_cause, log_tail;
  TaskState then = TaskState::kReady;
  std::int64_t retry_at_ms = 0, wall_ms = 0;
};
struct RevokeAsked {
  AttemptRef ref;
  TaskState then = TaskState::kReady;
  std::string reason;
  bool straggler = false;  // it is too slow there
};
struct TaskClosed {
  TaskId task = 0;
  TaskState state = TaskState::kCancelled;
  std::string reason;
  std::int64_t wall_ms = 0;
};
struct TaskReopened {
  TaskId task = 0;
  std::string reason;
  std::int64_t wall_ms = 0;
};

// ---- takes and shots
struct VersionJudged {
  ShotId shot = 0;
  std::uint32_t take = 0, number = 0;
  Verdict verdict = Verdict::kUnknown;
  float score = 0;
  std::int64_t wall_ms = 0;
};
struct VersionKept {
  ShotId shot = 0;
  std::uint32_t take = 0, number = 0;
  std::int64_t wall_ms = 0;
};
struct TakeMoved {
  ShotId shot = 0;
  std::uint32_t take = 0;
  TakeState state = TakeState::kPlanned;
  std::string reason;
  std::int64_t wall_ms = 0;
};
struct ShotMoved {
  ShotId shot = 0;
  ShotState state = ShotState::kQueued;
  std::string reason;
  TaskId task = 0;
  std::int64_t wall_ms = 0;
};
struct TakesRanked {
  ShotId shot = 0;
  std::vector<std::uint32_t> ranking;
  std::int64_t wall_ms = 0;
};
struct TakeApproved {
  ShotId shot = 0;
  std::uint32_t take = 0;
  std::string by;
  std::int64_t wall_ms = 0;
};  // take 0: withdrawn
struct HoldChanged {
  ShotId shot = 0;
  bool requested = false, reached = false;
  std::string by;
  std::int64_t wall_ms = 0;
};
struct Delivered {
  ShotId shot = 0;
  DeliveryDone delivery;
};

// ---- workers and the farm
struct WorkerJoined {
  WorkerId worker = 0;
  Worker row;
  std::int64_t now_ms = 0, wall_ms = 0;
};  // new or changed
struct WorkerDraining {
  WorkerId worker = 0;
  bool draining = true;
  std::string by;
  std::int64_t wall_ms = 0;
};
struct WorkerQuarantined {
  WorkerId worker = 0;
  std::int64_t until_ms = 0, wall_ms = 0;
  std::string reason;
};
struct Recovered {
  std::uint64_t epoch = 0;
  std::int64_t expires_ms = 0, wall_ms = 0;
};  // renews every lease

// ---- snapshots: one row each, in the order farm, batches, workers, shots, tasks, estimates, end
struct FarmRow {
  std::uint64_t next_lease = 1, epoch = 0, last_event = 0;
};
struct BatchRow {
  std::uint64_t batch = 0;
  Batch row;
};
struct ShotRow {
  ShotId shot = 0;
  Shot row;
};
struct TaskRow {
  Task row;
};
struct WorkerRow {
  WorkerId worker = 0;
  Worker row;
};
struct EstimateRow {
  WorkKey key;
  policy::Estimate estimate;
};
struct SnapshotEnd {};

// ---- volatile: never written
struct LeaseRenewed {
  TaskId task = 0;
  std::int64_t expires_ms = 0;
};
struct Progressed {
  TaskId task = 0;
  Progress progress;
};
struct WorkerSeen {
  WorkerId worker = 0;
  bool connected = true;
  std::int64_t now_ms = 0, wall_ms = 0;
};
struct WorkerCaches {
  WorkerId worker = 0;
  std::vector<Digest> cached;
};
struct RetryDue {
  TaskId task = 0;
};
struct QuarantineOver {
  WorkerId worker = 0;
};
struct Counted {
  std::uint64_t Counters::*counter = nullptr;
};
struct Dispatched {};  // clears dispatch_due
// The clock was looked at. After a pause leases and workers' last words move on by it, no lease beyond
// `latest_ms`.
struct Ticked {
  std::int64_t now_ms = 0, pause_ms = 0, latest_ms = 0;
};
struct Reserved {
  Reservation reservation;
};
struct ReservationOver {
  TaskId task = 0;
};
// How a shot stands to its deadline.
struct DeadlineSeen {
  ShotId shot = 0;
  bool urgent = false;
  std::int64_t slack_ms = 0, look_at_ms = 0;
};
struct EstimatesSeen {};  // costs and paths of some shots by the estimates of now
struct Configured {
  Sharing sharing;
};
struct Snapshotted {};  // State::changed is on its way to the disk

}  // namespace record

using Record = std::variant<
    record::BatchSubmitted, record::ShotPlanned, record::VersionPlanned, record::UpgradePlanned,
    record::DeliveryPlanned, record::ClassPinned, record::Leased, record::Started, record::ResultAccepted,
    record::AttemptEnded, record::RevokeAsked, record::TaskClosed, record::TaskReopened,
    record::VersionJudged, record::VersionKept, record::TakeMoved, record::ShotMoved, record::TakesRanked,
    record::TakeApproved, record::HoldChanged, record::Delivered, record::WorkerJoined,
    record::WorkerDraining, record::WorkerQuarantined, record::Recovered, record::FarmRow, record::BatchRow,
    record::WorkerRow, record::ShotRow, record::TaskRow, record::SnapshotEnd, record::EstimateRow,
    record::LeaseRenewed, record::Progressed, record::WorkerSeen, record::WorkerCaches, record::RetryDue,
    record::QuarantineOver, record::Counted, record::Dispatched, record::Reserved, record::ReservationOver,
    record::DeadlineSeen, record::EstimatesSeen, record::Configured, record::Ticked, record::Snapshotted>;

inline constexpr std::size_t kDurableRecords = 32;  // the first ones of Record; the rest is volatile
inline bool is_durable(const Record& record) {
  static_assert(std::variant_size_v<Record> == kDurableRecords + 15, "volatile records are the last ones");
  return record.index() < kDurableRecords;
}

}  // namespace rushes::scheduler
