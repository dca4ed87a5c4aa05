#include "scheduler/core/state/apply.h"

#include <algorithm>
#include <cassert>

#include "config/mutation.h"
#include "scheduler/core/policy/fair_share.h"
#include "scheduler/core/state/apply_rows.h"
#include "scheduler/core/state/blame.h"
#include "scheduler/core/state/costs.h"
#include "scheduler/core/state/estimates.h"
#include "scheduler/core/state/leases.h"
#include "scheduler/core/state/needs.h"
#include "scheduler/core/state/paths.h"
#include "scheduler/core/state/retention.h"
#include "scheduler/core/state/tasks.h"
#include "scheduler/core/state/waiting.h"

namespace rushes::scheduler {
namespace {

constexpr std::size_t kHeldDigests = 8192;  // of one worker's cache; beyond it the set starts anew

void note(State& state, std::int64_t wall_ms, const char* kind, const std::string& shot, std::uint32_t take,
          TaskId task, const std::string& worker, std::string text) {
  state.events.append({0, wall_ms, kind, shot, take, task, worker, std::move(text)});
}

void note_task(State& state, std::int64_t wall_ms, const char* kind, const Task& task,
               const std::string& worker, std::string text) {
  note(state, wall_ms, kind, state.shots[task.shot].key, task.plan.take, task.plan.id, worker,
       std::move(text));
}

std::string window_list(const std::vector<std::uint32_t>& windows) {
  std::string text;
  for (const std::uint32_t window : windows) text += (text.empty() ? "" : ", ") + std::to_string(window);
  return text;
}

// ---- plans

void apply_one(State& state, const record::BatchSubmitted& r) {
  assert(r.batch == state.batches.next_id());
  state.batches.add(r.row);
  state.names.add_batch(r.row.idempotency_key, r.batch);
  note(state, r.row.wall_ms, "batch.submitted", "", 0, {}, "",
       r.row.name + ": " + std::to_string(r.row.shots.size()) + " shots, by " + r.row.by);
}

void apply_one(State& state, const record::ShotPlanned& r) {
  assert(r.shot == state.shots.next_id());
  Shot& shot = state.shots.add();
  shot.key = key_of(r.spec, 0);
  shot.spec = r.spec;
  shot.draft_versions = r.draft_versions;
  shot.master_versions = r.master_versions;
  shot.batch = r.batch;
  shot.by = r.by;
  shot.created_wall_ms = r.wall_ms;
  shot.takes.resize(r.spec.seeds.size());
  for (std::uint32_t i = 0; i < shot.takes.size(); ++i) {
    shot.takes[i].shot = r.shot;
    shot.takes[i].number = i + 1;
  }
  shot.encode = r.tasks.front().id;
  add_shot(state, r.shot);
  add_tasks(state, r.shot, r.tasks, r.wall_ms);
  note(state, r.wall_ms, "shot.planned", state.shots[r.shot].key, 0, {}, "",
       std::to_string(r.spec.seeds.size()) + " takes of " + std::to_string(r.spec.recipe.frames) +
           " frames in " + std::to_string(r.spec.recipe.windows.size()) + " windows");
}

void apply_one(State& state, const record::ShotArchived& r) {
  Shot& shot = state.shots[r.shot];
  const std::string before = shot.key;
  shot.archived = r.number;
  shot.archived_wall_ms = r.wall_ms;
  shot.key = key_of(shot.spec, r.number);
  state.names.rename_shot(before, shot.key);
  note(state, r.wall_ms, "shot.archived", shot.key, 0, kNoId, "", "by " + r.by);
}

void apply_one(State& state, const record::VersionPlanned& r) {
  Shot& shot = state.shots[r.shot];
  Take& take = shot.take(r.take);
  assert(r.version.number == take.versions.size());
  take.versions.push_back(r.version);
  take.changed_wall_ms = r.version.planned_wall_ms;
  if (r.version.number > 0 && r.version.by.empty()) state.work.count_revised();
  recount_unplanned(state, shot);
  add_tasks(state, r.shot, r.tasks, r.version.planned_wall_ms);
  if (r.version.number > 0) {
    note(state, r.version.planned_wall_ms, "take.revision", shot.key, r.take, {}, "",
         "revision " + std::to_string(r.version.number) +
             (r.version.again ? " makes version " + std::to_string(r.version.parent) + " again"
                              : " of windows " + window_list(r.version.windows)) +
             ": " + r.version.reason);
  }
}

void apply_one(State& state, const record::UpgradePlanned& r) {
  Shot& shot = state.shots[r.shot];
  Take& take = shot.take(r.take);
  take.upgrade = r.graph;
  take.master_recipe = r.recipe;
  take.master_recipe_hash = r.recipe_hash;
  ++shot.master_versions;
  add_tasks(state, r.shot, r.tasks, r.wall_ms);
  note(state, r.wall_ms, "take.upgrade", shot.key, r.take, {}, "", std::to_string(r.tasks.size()) + " tasks");
}

void apply_one(State& state, const record::DeliveryPlanned& r) {
  Shot& shot = state.shots[r.shot];
  shot.draft_delivery = r.tasks.front().id;
  ++shot.draft_versions;
  add_tasks(state, r.shot, r.tasks, r.wall_ms);
}

void apply_one(State& state, const record::ClassPinned& r) {
  Shot& shot = state.shots[r.shot];
  shot.numeric_class = r.numeric_class;
  shot.engine_build = r.engine_build;
  for (const record::TakeRecipe& entry : r.recipes) {
    Version& version = shot.take(entry.take).versions.front();
    version.recipe = entry.recipe;
    version.recipe_hash = entry.hash;
  }
  set_pool(state, shot);
  refresh_ready(state, shot);  // their needs name the class now
  refresh_paths(state, shot);  // and its pace is known
}

// ---- tasks

void apply_one(State& state, const record::Leased& r) {
  Task& task = state.tasks[r.ref.task];
  Shot& shot = state.shots[task.shot];
  task.attempt = r.ref.attempt;
  Lease lease;
  lease.id = r.ref.lease;
  lease.worker = r.worker;
  lease.wall_ms = r.wall_ms;
  set_state(state, task, TaskState::kLeased);
  take_lease(state, task, lease, r.expires_ms);
  charge_lease(state, task, r.charge);
  task.progress = {};
  if (shot.started_wall_ms == 0) {
    shot.started_wall_ms = r.wall_ms;
    mark_changed(state, shot);
  }
  note_task(state, r.wall_ms, "task.leased", task, state.workers[r.worker].name,
            "attempt " + std::to_string(r.ref.attempt));
}

void apply_one(State& state, const record::Started& r) {
  Task& task = state.tasks[r.ref.task];
  set_state(state, task, TaskState::kRunning);
  task.last_lease.started_wall_ms = r.wall_ms;
  task.holding.loads = r.loads;
  task.holding.began_ms = r.now_ms;
  task.holding.started_ms = r.counted_from_ms;
  if (task.started_wall_ms == 0) task.started_wall_ms = r.wall_ms;
  task.progress.changed_ms = r.now_ms;
  if (computes_tensors(task.plan)) {
    state.workers[task.lease().worker].model_loaded = state.shots[task.shot].spec.recipe.model_digest;
  }
}

void apply_one(State& state, const record::ResultAccepted& r) {
  Task& task = state.tasks[r.ref.task];
  Worker& worker = state.workers[r.worker];
  settle_charge(state, task, policy::charged_seconds(r.result.wall_seconds));
  const bool loaded = task.holding.loads;
  const SlotKind slot = task.holding.kind;
  task.accepted_started_wall_ms = task.lease().started_wall_ms;
  drop_lease(state, task);
  task.result = r.result;
  task.accepted_attempt = r.ref.attempt;
  task.accepted_lease = r.ref.lease;
  task.accepted_worker = r.worker;
  task.accepted_slot = slot;
  task.finished_wall_ms = r.wall_ms;
  if (task.started_wall_ms == 0) task.started_wall_ms = r.wall_ms;
  forgive(state, worker);
  blame_others(state, task, worker);
  ++worker.accepted;
  if (worker.cached.size() > kHeldDigests) worker.cached.clear();
  for (const Output& output : r.result.outputs) worker.cached.insert(output.digest);
  set_state(state, task, TaskState::kSucceeded);
  learn(state, task, loaded);
  DeviceSeconds cost;
  cost.used[slot] = policy::charged_seconds(r.result.wall_seconds);
  count_costs(state, task, worker, cost);
  note_task(state, r.wall_ms, "task.succeeded", task, worker.name, "");
  release_dependents(state, task);
}

void apply_one(State& state, const record::AttemptEnded& r) {
  Task& task = state.tasks[r.ref.task];
  Worker& worker = state.workers[r.worker];
  if (r.end == AttemptEnd::kStopped && task.state == TaskState::kLeased) settle_charge(state, task, 0);
  Failure failure{r.end,          r.ref.attempt,    worker.name,
                  r.kind,         r.message,        r.exit_cause,
                  r.log_tail,     r.wall_ms,        task.lease().started_wall_ms,
                  r.slot_seconds, task.holding.kind};
  DeviceSeconds cost;
  cost.wasted[task.holding.kind] = r.slot_seconds;
  task.wasted_seconds[task.holding.kind] += r.slot_seconds;
  count_costs(state, task, worker, cost);
  drop_lease(state, task);
  if (failure.log_tail.size() > kKeptLogBytes) {
    failure.log_tail.erase(0, failure.log_tail.size() - kKeptLogBytes);
  }
  if (task.bad_attempts.size() >= kKeptFailures) task.bad_attempts.erase(task.bad_attempts.begin());
  task.bad_attempts.push_back(std::move(failure));
  if (r.end == AttemptEnd::kFailed) {
    ++task.failures;
    if (!r.blameless) blame(worker, task);
    mark_changed(state, worker);
    ++worker.failed;
  } else if (r.end != AttemptEnd::kStopped) {
    ++task.lost_attempts;
  }
  if (r.then == TaskState::kReady && r.retry_at_ms > 0) hold_back(state, task, r.retry_at_ms);
  if (r.then != TaskState::kReady) {
    task.closed_reason = r.message;
    task.finished_wall_ms = r.wall_ms;
  }
  // What ran ahead waits for its checkpoint again.
  const bool waits = r.then == TaskState::kReady && task.missing > 0;
  set_state(state, task, waits ? TaskState::kPending : r.then);
  if (r.then == TaskState::kSkipped) release_dependents(state, task);
  note_task(state, r.wall_ms, "task.attempt_ended", task, worker.name,
            std::string(to_string(r.end)) + (r.message.empty() ? "" : ": " + r.message));
}

void apply_one(State& state, const record::RevokeAsked& r) {
  Task& task = state.tasks[r.ref.task];
  task.last_lease.revoking = true;
  task.last_lease.then = r.then;
  task.last_lease.revoke_cause = r.cause;
  task.last_lease.revoke_reason = r.reason;
  if (r.cause == RevokeCause::kStraggler) task.slow_on = task.lease().worker;
  mark_changed(state, task);
}

void apply_one(State& state, const record::TaskClosed& r) {
  Task& task = state.tasks[r.task];
  task.closed_reason = r.reason;
  task.finished_wall_ms = r.wall_ms;
  set_state(state, task, r.state);
  note_task(state, r.wall_ms, "task.closed", task, "", std::string(to_string(r.state)) + ": " + r.reason);
  if (r.state == TaskState::kSkipped) release_dependents(state, task);
}

void apply_one(State& state, const record::TaskReopened& r) {
  Task& task = state.tasks[r.task];
  task.failures = 0;
  task.lost_attempts = 0;
  task.closed_reason.clear();
  task.finished_wall_ms = 0;
  set_state(state, task, task.missing == 0 ? TaskState::kReady : TaskState::kPending);
  note_task(state, r.wall_ms, "task.reopened", task, "", r.reason);
}

// ---- takes and shots

// Notes when the shot begins and ends to stand still for want of a person's word, or because it is over.
void note_wait(Shot& shot, std::int64_t wall_ms) {
  const bool over = shot.state == ShotState::kDelivered || shot.state == ShotState::kCancelled;
  const bool stands =
      over || shot.paused || shot.state == ShotState::kReview || shot.state == ShotState::kAttention;
  std::vector<WallSpan>& waits = shot.person_waits;
  const bool lasts = !waits.empty() && waits.back().end_ms == 0;
  if (lasts && stands && waits.back().over == over) return;
  if (lasts) waits.back().end_ms = std::max(wall_ms, waits.back().begin_ms);
  if (!stands) return;
  if (waits.size() >= kKeptWaits) waits.erase(waits.begin());
  waits.push_back({wall_ms, 0, over});
}

void apply_one(State& state, const record::VersionJudged& r) {
  Shot& shot = state.shots[r.shot];
  Version& version = shot.take(r.take).versions[r.number];
  shot.take(r.take).changed_wall_ms = r.wall_ms;
  state.work.count_judged();
  version.judged = true;
  version.verdict = r.verdict;
  version.score = r.score;
  version.judged_wall_ms = r.wall_ms;
  note(state, r.wall_ms, "take.judged", shot.key, r.take, {}, "",
       (r.number > 0 ? "revision " + std::to_string(r.number) + ": " : std::string()) +
           (r.verdict == Verdict::kUnknown
                ? "not judged"
                : std::string(to_string(r.verdict)) + ", score " + std::to_string(r.score)));
}

void apply_one(State& state, const record::VersionKept& r) {
  Shot& shot = state.shots[r.shot];
  Take& take = shot.take(r.take);
  take.kept = r.number;
  take.chosen_by = r.by;
  take.chosen_by_retry = r.by_retry;
  take.chosen_by_restore = r.by_restore;
  take.changed_wall_ms = r.wall_ms;
  take.versions[r.number].was_kept = true;
  note(state, r.wall_ms, "take.kept", shot.key, r.take, {}, "",
       (r.number == 0 ? "the first rendering" : "revision " + std::to_string(r.number)) +
           (r.by.empty() ? std::string() : ", by " + r.by));
}

void apply_one(State& state, const record::TakeLeft& r) {
  Shot& shot = state.shots[r.shot];
  shot.take(r.take).left = {r.before, r.reason, r.wall_ms};
  note(state, r.wall_ms, "take.left", shot.key, r.take, {}, "",
       r.reason + ", " + std::to_string(r.bytes >> 20) + " MiB" +
           (r.by.empty() ? std::string() : ", by " + r.by));
}

void apply_one(State& state, const record::TakeMoved& r) {
  Shot& shot = state.shots[r.shot];
  Take& take = shot.take(r.take);
  take.state = r.state;
  take.reason = r.reason;
  take.changed_wall_ms = r.wall_ms;
  recount_unplanned(state, shot);
  note(state, r.wall_ms, "take.state", shot.key, r.take, {}, "",
       std::string(to_string(r.state)) + (r.reason.empty() ? "" : ": " + r.reason));
}

void apply_one(State& state, const record::ShotMoved& r) {
  Shot& shot = state.shots[r.shot];
  shot.state = r.state;
  shot.reason = r.reason;
  shot.attention_task = r.task;
  const bool ended = r.state == ShotState::kDelivered || r.state == ShotState::kCancelled;
  shot.finished_wall_ms = ended ? r.wall_ms : 0;
  note_wait(shot, r.wall_ms);
  recount_unplanned(state, shot);
  watch_deadline(state, r.shot);
  note(state, r.wall_ms, "shot.state", shot.key, 0, r.task, "",
       std::string(to_string(r.state)) + (r.reason.empty() ? "" : ": " + r.reason));
}

void apply_one(State& state, const record::TakesRanked& r) {
  Shot& shot = state.shots[r.shot];
  shot.ranking = r.ranking;
  if (!r.ranking.empty())
    note(state, r.wall_ms, "shot.ranked", shot.key, r.ranking.front(), {}, "", "best of its takes");
}

void apply_one(State& state, const record::TakeApproved& r) {
  Shot& shot = state.shots[r.shot];
  if (r.take == 0 && shot.approved != 0) {  // what was planned for it is void
    Take& before = shot.take(shot.approved);
    before.upgrade = {};
    before.master_recipe.clear();
    before.master_recipe_hash = {};
    shot.draft_delivery = {};
  }
  shot.approved = r.take;
  shot.approved_by = r.by;
  shot.approved_wall_ms = r.take == 0 ? 0 : r.wall_ms;
  note(state, r.wall_ms, "take.approved", shot.key, r.take, {}, "", r.take == 0 ? "withdrawn" : "by " + r.by);
}

void apply_one(State& state, const record::HoldChanged& r) {
  Shot& shot = state.shots[r.shot];
  const bool refresh = shot.pause_requested != r.requested;
  shot.pause_requested = r.requested;
  shot.paused = r.reached;
  note_wait(shot, r.wall_ms);
  if (refresh) refresh_ready(state, shot);
  note(state, r.wall_ms, "shot.hold", shot.key, 0, {}, "",
       !r.requested ? "resumed" : (r.reached ? "paused" : "pause requested"));
}

void apply_one(State& state, const record::Delivered& r) {
  Shot& shot = state.shots[r.shot];
  shot.deliveries.push_back(r.delivery);
  note(state, r.delivery.wall_ms, "shot.delivered", shot.key, r.delivery.take, {}, "", r.delivery.folder);
}

// ---- workers and the farm

void apply_one(State& state, const record::WorkerJoined& r) {
  if (!state.workers.has(r.worker)) state.workers.add();
  Worker& worker = state.workers[r.worker];
  if (worker.offer != r.row.offer) worker.quarantined_until_ms = 0;  // a start alone is no cure
  set_offer(state, worker, r.row);
  worker.connected = true;
  worker.leaving = false;
  worker.seen_ms = r.now_ms;
  worker.seen_wall_ms = r.wall_ms;
  state.names.add_worker(worker.name, r.worker);
  refresh_worker(state, r.worker);
  note(state, r.wall_ms, "worker.joined", "", 0, {}, worker.name,
       std::to_string(total(worker.offer.resources.slots)) + " slots" +
           (worker.process.id.empty() ? "" : " on " + to_string(worker.process)));
}

void apply_one(State& state, const record::WorkerDraining& r) {
  Worker& worker = state.workers[r.worker];
  worker.draining = r.draining;
  refresh_worker(state, r.worker);
  note(state, r.wall_ms, "worker.draining", "", 0, {}, worker.name,
       (r.draining ? "by " : "no longer, by ") + r.by);
}

void apply_one(State& state, const record::WorkerStopped& r) {
  Worker& worker = state.workers[r.worker];
  worker.connected = worker.leaving = false;
  worker.stopped_wall_ms = r.wall_ms;
  refresh_worker(state, r.worker);
  note(state, r.wall_ms, "worker.stopped", "", 0, {}, worker.name, "it left in order");
}

void apply_one(State& state, const record::WorkerForgotten& r) {
  Worker& worker = state.workers[r.worker];
  worker.forgotten = true;
  worker.draining = false;
  refresh_worker(state, r.worker);
  note(state, r.wall_ms, "worker.forgotten", "", 0, {}, worker.name, "by " + r.by);
}

void apply_one(State& state, const record::WorkerQuarantined& r) {
  Worker& worker = state.workers[r.worker];
  worker.quarantined_until_ms = r.until_ms;
  forgive(state, worker);
  refresh_worker(state, r.worker);
  note(state, r.wall_ms, "worker.quarantined", "", 0, {}, worker.name, r.reason);
}

void apply_one(State& state, const record::WorkerNoted& r) {
  note(state, r.wall_ms, "worker.noted", "", 0, {}, state.workers[r.worker].name, r.text);
}

void apply_one(State& state, const record::Recovered& r) {
  state.epoch = r.epoch;
  state.recovered_wall_ms = r.wall_ms;
  state.next_lease = std::max(state.next_lease, r.first_lease);
  begin_days_of_older_takes(state, r.wall_ms);
  for (WorkerId id(0); state.workers.has(id); ++id) {
    Worker& worker = state.workers[id];
    worker.connected = worker.leaving = false;
    worker.seen_wall_ms = 0;  // the journal has when it joined, not when it was heard last
    worker.quarantined_until_ms = 0;
    for (const TaskId task : all_leases(worker)) {
      if (!mutated(Mutation::kForgetRenewal)) renew_lease(state, state.tasks[task], r.expires_ms);
      state.tasks[task].holding.started_ms = r.expires_ms;  // not measured across a restart: no straggler yet
      state.tasks[task].holding.began_ms = 0;
    }
    refresh_worker(state, id);
  }
  while (!state.clock.retries().empty()) {
    Task& task = state.tasks[state.clock.retries().begin()->second];
    hold_back(state, task, 0);
    refresh_ready(state, task);
  }
  note(state, r.wall_ms, "farm.started", "", 0, {}, "",
       "epoch " + std::to_string(r.epoch) + (r.first_lease > 0 ? ", restored from a backup" : ""));
}

// ---- volatile

void apply_one(State& state, const record::LeaseRenewed& r) {
  renew_lease(state, state.tasks[r.task], r.expires_ms);
}

void apply_one(State& state, const record::Progressed& r) { state.tasks[r.task].progress = r.progress; }

void apply_one(State& state, const record::WorkerSeen& r) {
  Worker& worker = state.workers[r.worker];
  worker.seen_ms = r.now_ms;
  worker.seen_wall_ms = r.wall_ms;
  if (worker.connected == r.connected && worker.leaving == r.leaving) return;
  worker.connected = r.connected;
  worker.leaving = r.leaving;
  refresh_worker(state, r.worker);
}

void apply_one(State& state, const record::TwinRefused& r) {
  state.workers[r.worker].refused_twin = r.process;
}

void apply_one(State& state, const record::WorkerCaches& r) {
  Worker& worker = state.workers[r.worker];
  worker.cached.clear();
  for (const Digest& digest : r.cached) {
    if (worker.cached.size() >= kHeldDigests) break;
    worker.cached.insert(digest);
  }
}

void apply_one(State& state, const record::WorkerDevices& r) { state.workers[r.worker].devices = r.devices; }

void apply_one(State& state, const record::RetryDue& r) {
  Task& task = state.tasks[r.task];
  hold_back(state, task, 0);
  refresh_ready(state, task);
}

void apply_one(State& state, const record::QuarantineOver& r) {
  state.workers[r.worker].quarantined_until_ms = 0;
  refresh_worker(state, r.worker);
}

void apply_one(State& state, const record::Counted& r) { ++(state.counters.*r.counter); }
void apply_one(State& state, const record::Dispatched&) { state.dispatch_due = false; }

void apply_one(State& state, const record::Ticked& r) {
  state.clock.tick(r.now_ms);
  if (r.pause_ms == 0) return;
  for (Worker& worker : state.workers) {
    worker.seen_ms = std::min(worker.seen_ms + r.pause_ms, r.now_ms);
    for (const TaskId id : all_leases(worker)) {
      Task& task = state.tasks[id];
      renew_lease(state, task, std::min(task.holding.expires_ms + r.pause_ms, r.latest_ms));
    }
  }
}

void apply_one(State& state, const record::Reserved& r) { state.capacity.reserve(r.reservation); }

void apply_one(State& state, const record::ReservationOver& r) {
  state.capacity.end_reservation(r.task);
  state.dispatch_due = true;
}

void apply_one(State& state, const record::DeadlineSeen& r) {
  Shot& shot = state.shots[r.shot];
  shot.slack_ms = r.slack_ms;
  shot.look_at_ms = r.look_at_ms;
  if (shot.urgent != r.urgent) set_urgent(state, r.shot, r.urgent);
}

void apply_one(State& state, const record::EstimatesSeen& r) {
  for (const ShotId id : r.shots) refresh_paths(state, state.shots[id]);
  if (!r.shots.empty()) state.dispatch_due = true;  // a class may now be done sooner than another
  state.work.refresh_next(r.next);
}

void apply_one(State& state, const record::RetentionSeen& r) {
  state.look_at_retention_ms = r.next_ms;
  state.retention_clock_ms = r.clock_ms;
}

void apply_one(State& state, const record::Configured& r) { configure(state, r.sharing); }

// The shot or worker that a record is about has to be in the next snapshot; tasks are marked where they
// change.
template <typename OfRecord>
void mark_row(State& state, const OfRecord& r) {
  using namespace record;
  if constexpr (requires { r.shot; } && !std::is_same_v<OfRecord, DeadlineSeen>)
    mark_changed(state, state.shots[r.shot]);
  if constexpr (std::is_same_v<OfRecord, WorkerJoined> || std::is_same_v<OfRecord, WorkerDraining> ||
                std::is_same_v<OfRecord, WorkerStopped> || std::is_same_v<OfRecord, WorkerForgotten> ||
                std::is_same_v<OfRecord, WorkerQuarantined> || std::is_same_v<OfRecord, WorkerRow>)
    mark_changed(state, state.workers[r.worker]);
}

}  // namespace

void apply(State& state, const Record& record) {
  std::visit(
      [&state](const auto& r) {
        apply_one(state, r);
        mark_row(state, r);
      },
      record);
}

}  // namespace rushes::scheduler
