// What was decided: the journal's records.
//
// A record holds facts, never inputs, so replaying it cannot decide differently after an upgrade. Each record
// says whether it is durable. Volatile ones change only derived fields of the State and are never written.
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
  static constexpr bool kDurable = true;
  std::uint64_t batch = 0;
  Batch row;
};
// A new shot, its shared tasks (encode), and room for its takes. `shot` is the next index.
struct ShotPlanned {
  static constexpr bool kDurable = true;
  ShotId shot;
  std::uint64_t batch = 0;
  std::string by;
  ShotSpec spec;
  std::vector<PlannedTask> tasks;
  std::int64_t wall_ms = 0;
  std::uint32_t draft_versions = 0, master_versions = 0;  // deliveries of the shots of this name before it
};
// A shot that is over gives its name free: it is "show/shot@number" from then on.
struct ShotArchived {
  static constexpr bool kDurable = true;
  ShotId shot;
  std::uint32_t number = 0;  // from 1
  std::string by;
  std::int64_t wall_ms = 0;
};
// A take's first rendering (number 0) or revision; tasks have the next ids.
struct VersionPlanned {
  static constexpr bool kDurable = true;
  ShotId shot;
  std::uint32_t take = 0;
  Version version;
  std::vector<PlannedTask> tasks;
};
struct UpgradePlanned {
  static constexpr bool kDurable = true;
  ShotId shot;
  std::uint32_t take = 0;
  UpgradeGraph graph;
  Bytes recipe;  // of the take, with its master part
  Digest recipe_hash{};
  std::vector<PlannedTask> tasks;
  std::int64_t wall_ms = 0;
};
struct DeliveryPlanned {
  static constexpr bool kDurable = true;
  ShotId shot;
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
  static constexpr bool kDurable = true;
  ShotId shot;
  std::string numeric_class, engine_build;
  std::vector<TakeRecipe> recipes;
};

// ---- tasks
struct Leased {
  static constexpr bool kDurable = true;
  AttemptId ref;
  WorkerId worker;
  std::int64_t expires_ms = 0, wall_ms = 0;
  Charge charge;  // never written: shares start anew with the scheduler
};
struct Started {
  static constexpr bool kDurable = true;
  AttemptId ref;
  std::int64_t now_ms = 0, wall_ms = 0;
  bool loads = false;                // it begins with loading its model
  std::int64_t counted_from_ms = 0;  // when its own work begins, as far as it can be late
};
struct ResultAccepted {
  static constexpr bool kDurable = true;
  AttemptId ref;
  WorkerId worker;
  TaskResult result;
  std::int64_t wall_ms = 0;
};
// The attempt is over without a result. `then`: what the task is now (ready again, failed, cancelled, aborted
// ...).
struct AttemptEnded {
  static constexpr bool kDurable = true;
  AttemptId ref;
  WorkerId worker;
  AttemptEnd end = AttemptEnd::kNone;
  FailKind kind = FailKind::kEngine;
  std::string message, exit_cause, log_tail;
  TaskState then = TaskState::kReady;
  std::int64_t retry_at_ms = 0, wall_ms = 0;
  bool blameless = false;   // a failure that says nothing about its worker
  double slot_seconds = 0;  // for which it held its slot
};
struct RevokeAsked {
  static constexpr bool kDurable = true;
  AttemptId ref;
  TaskState then = TaskState::kReady;
  RevokeCause cause = RevokeCause::kUnknown;
  std::string reason;  // for people
};
struct TaskClosed {
  static constexpr bool kDurable = true;
  TaskId task;
  TaskState state = TaskState::kCancelled;
  std::string reason;
  std::int64_t wall_ms = 0;
};
// A failed task is tried again, or an aborted one is wanted again.
struct TaskReopened {
  static constexpr bool kDurable = true;
  TaskId task;
  std::string reason;
  std::int64_t wall_ms = 0;
};

// ---- takes and shots
struct VersionJudged {
  static constexpr bool kDurable = true;
  ShotId shot;
  std::uint32_t take = 0, number = 0;
  Verdict verdict = Verdict::kUnknown;
  float score = 0;
  std::int64_t wall_ms = 0;
};
// The take's current version. by: the person who chose it; empty: the critics.
struct VersionKept {
  static constexpr bool kDurable = true;
  ShotId shot;
  std::uint32_t take = 0, number = 0;
  std::int64_t wall_ms = 0;
  std::string by = {};
  bool by_retry = false;    // that person had it rendered; they did not say that it is to be kept
  bool by_restore = false;  // that person asked to have the dropped take back
};
// What its tasks before `before` made was not wanted any more, and is removed from the vault.
struct TakeLeft {
  static constexpr bool kDurable = true;
  ShotId shot;
  std::uint32_t take = 0;
  TaskId before;
  std::string reason;       // for people
  std::uint64_t bytes = 0;  // that only they needed
  std::int64_t wall_ms = 0;
  std::string by = {};  // a person; empty: its days were over, or an older journal
};
struct TakeMoved {
  static constexpr bool kDurable = true;
  ShotId shot;
  std::uint32_t take = 0;
  TakeState state = TakeState::kPlanned;
  std::string reason;
  std::int64_t wall_ms = 0;
};
struct ShotMoved {
  static constexpr bool kDurable = true;
  ShotId shot;
  ShotState state = ShotState::kQueued;
  std::string reason;
  TaskId task;
  std::int64_t wall_ms = 0;
};
struct TakesRanked {
  static constexpr bool kDurable = true;
  ShotId shot;
  std::vector<std::uint32_t> ranking;
  std::int64_t wall_ms = 0;
};
struct TakeApproved {
  static constexpr bool kDurable = true;
  ShotId shot;
  std::uint32_t take = 0;
  std::string by;
  std::int64_t wall_ms = 0;
};  // take 0: withdrawn
struct HoldChanged {
  static constexpr bool kDurable = true;
  ShotId shot;
  bool requested = false, reached = false;
  std::string by;
  std::int64_t wall_ms = 0;
};
struct Delivered {
  static constexpr bool kDurable = true;
  ShotId shot;
  DeliveryDone delivery;
};

// ---- workers and the farm
struct WorkerJoined {
  static constexpr bool kDurable = true;
  WorkerId worker;
  WorkerFacts row;
  std::int64_t now_ms = 0, wall_ms = 0;
};  // new or changed
struct WorkerDraining {
  static constexpr bool kDurable = true;
  WorkerId worker;
  bool draining = true;
  std::string by;
  std::int64_t wall_ms = 0;
};
// It said that it leaves for now.
struct WorkerStopped {
  static constexpr bool kDurable = true;
  WorkerId worker;
  std::int64_t wall_ms = 0;
};
// It is in no list any more, until a process of its name says Hello.
struct WorkerForgotten {
  static constexpr bool kDurable = true;
  WorkerId worker;
  std::string by;
  std::int64_t wall_ms = 0;
};
struct WorkerQuarantined {
  static constexpr bool kDurable = true;
  WorkerId worker;
  std::int64_t until_ms = 0, wall_ms = 0;
  std::string reason;
};
// One line for people about a worker; it changes nothing else.
struct WorkerNoted {
  static constexpr bool kDurable = true;
  WorkerId worker;
  std::int64_t wall_ms = 0;
  std::string text;
};
struct Recovered {
  static constexpr bool kDurable = true;
  std::uint64_t epoch = 0;
  std::int64_t expires_ms = 0, wall_ms = 0;
  std::uint64_t first_lease =
      0;  // of a farm made of a backup: numbers below may be known to workers; 0: they go on
};        // renews every lease

// ---- snapshots: one row each, in the order farm, batches, workers, shots, tasks, estimates, end
struct FarmRow {
  static constexpr bool kDurable = true;
  std::uint64_t next_lease = 1, epoch = 0, last_event = 0;
};
struct BatchRow {
  static constexpr bool kDurable = true;
  std::uint64_t batch = 0;
  Batch row;
};
struct ShotRow {
  static constexpr bool kDurable = true;
  ShotId shot;
  ShotFacts row;
};
struct TaskRow {
  static constexpr bool kDurable = true;
  TaskFacts row;
};
struct WorkerRow {
  static constexpr bool kDurable = true;
  WorkerId worker;
  WorkerFacts row;
};
struct EstimateRow {
  static constexpr bool kDurable = true;
  WorkKey key;
  policy::Estimate estimate;
};
struct SnapshotEnd {
  static constexpr bool kDurable = true;
};

// ---- volatile: never written
struct LeaseRenewed {
  static constexpr bool kDurable = false;
  TaskId task;
  std::int64_t expires_ms = 0;
};
struct Progressed {
  static constexpr bool kDurable = false;
  TaskId task;
  Progress progress;
};
struct WorkerSeen {
  static constexpr bool kDurable = false;
  WorkerId worker;
  bool connected = true;
  std::int64_t now_ms = 0, wall_ms = 0;
  bool leaving = false;
};
// A second process of its name was refused.
struct TwinRefused {
  static constexpr bool kDurable = false;
  WorkerId worker;
  std::string process;  // WorkerProcess::id
};
struct WorkerCaches {
  static constexpr bool kDurable = false;
  WorkerId worker;
  std::vector<Digest> cached;
};
struct WorkerDevices {
  static constexpr bool kDurable = false;
  WorkerId worker;
  std::vector<DeviceState> devices;
};
struct RetryDue {
  static constexpr bool kDurable = false;
  TaskId task;
};
struct QuarantineOver {
  static constexpr bool kDurable = false;
  WorkerId worker;
};
struct Counted {
  static constexpr bool kDurable = false;
  std::uint64_t Counters::*counter = nullptr;
};
struct Dispatched {
  static constexpr bool kDurable = false;
};  // clears dispatch_due
// The clock was looked at. After a pause leases and workers' last words move on by it, no lease beyond
// `latest_ms`.
struct Ticked {
  static constexpr bool kDurable = false;
  std::int64_t now_ms = 0, pause_ms = 0, latest_ms = 0;
};
struct Reserved {
  static constexpr bool kDurable = false;
  Reservation reservation;
};
struct ReservationOver {
  static constexpr bool kDurable = false;
  TaskId task;
};
// How a shot stands to its deadline.
struct DeadlineSeen {
  static constexpr bool kDurable = false;
  ShotId shot;
  bool urgent = false;
  std::int64_t slack_ms = 0, look_at_ms = 0;
};
// Costs and paths of these shots by the estimates of now. `next`: the shot that is looked at after them.
struct EstimatesSeen {
  static constexpr bool kDurable = false;
  std::vector<ShotId> shots;
  ShotId next;
};
struct Configured {
  static constexpr bool kDurable = false;
  Sharing sharing;
};
// Takes whose days are over were looked for; the next look is due at `next_ms`. clock_ms: wall clock less boot clock.
struct RetentionSeen {
  static constexpr bool kDurable = false;
  std::int64_t next_ms = 0, clock_ms = 0;
};
struct Snapshotted {
  static constexpr bool kDurable = false;
};  // State::changed is on its way to the disk

}  // namespace record

using Record = std::variant<
    record::BatchSubmitted, record::ShotPlanned, record::ShotArchived, record::VersionPlanned,
    record::UpgradePlanned, record::DeliveryPlanned, record::ClassPinned, record::Leased, record::Started,
    record::ResultAccepted, record::AttemptEnded, record::RevokeAsked, record::TaskClosed,
    record::TaskReopened, record::VersionJudged, record::VersionKept, record::TakeLeft, record::TakeMoved,
    record::ShotMoved, record::TakesRanked, record::TakeApproved, record::HoldChanged, record::Delivered,
    record::WorkerJoined, record::WorkerDraining, record::WorkerStopped, record::WorkerForgotten,
    record::TwinRefused, record::WorkerQuarantined, record::WorkerNoted, record::Recovered, record::FarmRow,
    record::BatchRow, record::WorkerRow, record::ShotRow, record::TaskRow, record::SnapshotEnd,
    record::EstimateRow, record::LeaseRenewed, record::Progressed, record::WorkerSeen, record::WorkerCaches,
    record::WorkerDevices, record::RetryDue, record::QuarantineOver, record::Counted, record::Dispatched,
    record::Reserved, record::ReservationOver, record::DeadlineSeen, record::EstimatesSeen,
    record::Configured, record::RetentionSeen, record::Ticked, record::Snapshotted>;

// Whether the record is written to the journal.
inline bool is_durable(const Record& record) {
  return std::visit([]<class R>(const R&) { return R::kDurable; }, record);
}

}  // namespace rushes::scheduler
