#include "scheduler/core/journal/replay.h"

#include <algorithm>
#include <span>

#include "scheduler/core/journal/record_codec.h"
#include "scheduler/core/state/apply.h"
#include "scheduler/plan/limits.h"
#include "scheduler/plan/plan.h"

namespace rushes::scheduler {
namespace {

constexpr std::uint64_t kNoLease = std::uint64_t{1} << 63;  // no farm counts so far

Status corrupt(const std::string& what) {
  return fail(ErrorKind::kCorrupt, "record does not fit the state: " + what);
}

bool has_take(const State& state, ShotId shot, std::uint32_t take) {
  return state.shots.has(shot) && take >= 1 && take <= state.shots[shot].takes.size();
}

bool has_version(const State& state, ShotId shot, std::uint32_t take, std::uint32_t number) {
  return has_take(state, shot, take) && number < state.shots[shot].take(take).versions.size();
}

bool follow_on(const State& state, const std::vector<PlannedTask>& tasks) {
  TaskId next = state.tasks.next_id();
  for (const PlannedTask& task : tasks) {
    if (task.id != next++) return false;
  }
  return !tasks.empty();
}

// Whether the record's references exist. One overload per durable record.
struct Fits {
  const State& state;

  bool held(const AttemptId& ref) const {
    if (!state.has_task(ref.task)) return false;
    const Task& task = state.task(ref.task);
    return is_held(task.state) && task.attempt == ref.attempt && task.lease().id == ref.lease;
  }
  bool knows(ShotId shot) const { return state.shots.has(shot); }

  bool operator()(const record::BatchSubmitted& r) const { return r.batch == state.batches.next_id(); }
  bool operator()(const record::ShotPlanned& r) const {
    return r.shot == state.shots.next_id() && is_plannable(r.spec) && follow_on(state, r.tasks);
  }
  bool operator()(const record::VersionPlanned& r) const {
    return has_take(state, r.shot, r.take) && follow_on(state, r.tasks) &&
           r.version.number == state.shots[r.shot].take(r.take).versions.size() &&
           std::all_of(r.tasks.begin(), r.tasks.end(), [&](const PlannedTask& task) {
             return !task.replays || *task.replays < r.version.number;
           });
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
    return state.has_task(r.ref.task) && may_be_leased(state.task(r.ref.task)) && state.workers.has(r.worker);
  }
  bool operator()(const record::Started& r) const { return held(r.ref); }
  bool operator()(const record::ResultAccepted& r) const {
    return held(r.ref) && state.workers.has(r.worker);
  }
  bool operator()(const record::AttemptEnded& r) const { return held(r.ref) && state.workers.has(r.worker); }
  bool operator()(const record::RevokeAsked& r) const { return held(r.ref); }
  bool operator()(const record::TaskClosed& r) const {
    return state.has_task(r.task) && !is_held(state.task(r.task).state) &&
           !is_final(state.task(r.task).state);
  }
  bool operator()(const record::TaskReopened& r) const {
    if (!state.has_task(r.task)) return false;
    const TaskState now = state.task(r.task).state;
    return now == TaskState::kFailed || now == TaskState::kAborted;
  }
  bool operator()(const record::ShotArchived& r) const {
    return knows(r.shot) && r.number > 0 && state.shots[r.shot].archived == 0 &&
           state.find_shot(key_of(state.shots[r.shot].spec, r.number)) == nullptr;
  }
  bool operator()(const record::VersionJudged& r) const {
    return has_version(state, r.shot, r.take, r.number);
  }
  bool operator()(const record::VersionKept& r) const { return has_version(state, r.shot, r.take, r.number); }
  bool operator()(const record::TakeMoved& r) const { return has_take(state, r.shot, r.take); }
  bool operator()(const record::ShotMoved& r) const {
    return knows(r.shot) && (r.task == kNoId || state.has_task(r.task));
  }
  bool operator()(const record::TakeLeft& r) const {
    return has_take(state, r.shot, r.take) && r.before <= state.tasks.next_id();
  }
  bool operator()(const record::TakesRanked& r) const { return knows(r.shot); }
  bool operator()(const record::TakeApproved& r) const {
    return r.take == 0 ? knows(r.shot) : has_take(state, r.shot, r.take);
  }
  bool operator()(const record::HoldChanged& r) const { return knows(r.shot); }
  bool operator()(const record::Delivered& r) const { return has_take(state, r.shot, r.delivery.take); }
  bool operator()(const record::WorkerJoined& r) const {
    return state.workers.has(r.worker) || r.worker == state.workers.next_id();
  }
  bool operator()(const record::WorkerDraining& r) const { return state.workers.has(r.worker); }
  bool operator()(const record::WorkerStopped& r) const { return state.workers.has(r.worker); }
  bool operator()(const record::WorkerForgotten& r) const {
    return state.workers.has(r.worker) && held_by(state.workers[r.worker]) == 0;
  }
  bool operator()(const record::WorkerQuarantined& r) const { return state.workers.has(r.worker); }
  bool operator()(const record::WorkerNoted& r) const { return state.workers.has(r.worker); }
  bool operator()(const record::Recovered& r) const {
    return r.first_lease == 0 || (r.first_lease > state.next_lease && r.first_lease < kNoLease);
  }
  bool operator()(const record::FarmRow&) const { return state.tasks.empty() && state.batches.empty(); }
  bool operator()(const record::BatchRow& r) const { return r.batch == state.batches.next_id(); }
  bool operator()(const record::WorkerRow& r) const { return r.worker == state.workers.next_id(); }
  bool operator()(const record::ShotRow& r) const {
    return r.shot == state.shots.next_id() && is_plannable(r.row.spec);
  }
  bool operator()(const record::TaskRow& r) const {
    return r.row.plan.id == state.tasks.next_id() && knows(r.row.shot) &&
           r.row.plan.take <= state.shots[r.row.shot].takes.size() &&
           (!r.row.plan.replays || has_version(state, r.row.shot, r.row.plan.take, *r.row.plan.replays)) &&
           (!is_held(r.row.state) || state.workers.has(r.row.lease().worker));
  }
  bool operator()(const record::EstimateRow&) const { return true; }
  bool operator()(const record::SnapshotEnd&) const { return true; }
};

}  // namespace

Result<Record> read_record(std::string_view bytes) {
  return decode_record(std::span(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()));
}

Status check(const State& state, const Record& record) {
  const bool fits = std::visit(
      [&state]<class R>(const R& r) {
        if constexpr (R::kDurable) return Fits{state}(r);
        return false;  // a volatile record is never read
      },
      record);
  if (fits) return {};
  return corrupt("kind " + std::to_string(record.index()));
}

Status replay_record(State& state, const Record& record) {
  if (auto fits = check(state, record); !fits) return fits;
  scheduler::apply(state, record);
  return {};
}

Status replay_record(State& state, std::string_view bytes) {
  const auto record = read_record(bytes);
  if (!record) return tl::unexpected<Error>(record.error());
  return replay_record(state, *record);
}

}  // namespace rushes::scheduler
