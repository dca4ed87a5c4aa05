#include "tests/simulation/oracle.h"

#include <algorithm>
#include <utility>

#include "scheduler/core/dispatch/placement.h"
#include "scheduler/core/state/invariants.h"
#include "tests/simulation/fault.h"
#include "tests/simulation/studio.h"

namespace rushes::simulation {

using scheduler::Record;
using scheduler::State;
using scheduler::TaskState;
namespace record = scheduler::record;

namespace {

constexpr std::uint64_t kRecountEvery = 2'000;  // decisions

std::string name_of(const AttemptId& id) {
  return to_string(id) + " under lease " + std::to_string(id.lease);
}

bool is_over(const ShadowTask& task) {
  return task.ending || (task.state != TaskState::kPending && task.state != TaskState::kReady &&
                         !scheduler::is_held(task.state) && task.state != TaskState::kFailed);
}

}  // namespace

void Oracle::complain(int invariant, std::string what) {
  violations_.push_back({invariant, timeline_.now(), std::move(what)});
}

void Oracle::decided(const State& state, const scheduler::Event& event, std::vector<Record> records,
                     scheduler::Now now, std::int64_t awake_ms) {
  touched_ = {};
  const auto complain_here = [this](int invariant, std::string what) {
    complain(invariant, std::move(what));
  };
  for (Record& record : records) {
    check_record(record, awake_ms);
    shadow_.learn(record, now, settings_.times.lease.count(), touched_, complain_here);
    if (scheduler::is_durable(record)) history_.push_back(std::move(record));
  }
  if (!violations_.empty()) return;  // what follows would only repeat it
  check_touched(state);
  check_closed(event);
  check_floors(state, now);
  check_limits();
  check_idle(state, now);
  if (std::holds_alternative<scheduler::event::Tick>(event)) check_clock(state, now);
  if (++decisions_ % kRecountEvery == 0) recount(state);
}

// What a record says about the world outside of the scheduler.
void Oracle::check_record(const Record& record, std::int64_t awake_ms) {
  if (const auto* r = std::get_if<record::ResultAccepted>(&record)) {
    ++accepted_;
    const bool own =
        !r->result.outputs.empty() && r->result.outputs.front().digest == output_of(seed_, r->ref.task);
    require(own, 2, "task " + std::to_string(r->ref.task.number()) + " was given the result of another task");
  }
  if (const auto* r = std::get_if<record::Leased>(&record)) renewed_[r->ref.task] = awake_ms;
  if (const auto* r = std::get_if<record::LeaseRenewed>(&record)) renewed_[r->task] = awake_ms;
  if (std::holds_alternative<record::Recovered>(record)) all_renewed_ = awake_ms;
  if (const auto* r = std::get_if<record::AttemptEnded>(&record)) {
    if (r->end == scheduler::AttemptEnd::kExpired) {
      ++expired_;
      const std::int64_t listened = awake_ms - std::max(renewed_[r->ref.task], all_renewed_);
      require(listened >= settings_.times.lease.count() / 4, 3,
              "task " + std::to_string(r->ref.task.number()) +
                  " lost its lease after the scheduler had listened for " + std::to_string(listened) + " ms");
    }
    const bool confirmed = r->end != scheduler::AttemptEnd::kExpired;
    require(!confirmed || !engines_.contains(r->ref.lease), 3,
            "task " + std::to_string(r->ref.task.number()) + " is free again (" +
                scheduler::to_string(r->end) + ") while an engine still works on lease " +
                std::to_string(r->ref.lease));
  }
}

void Oracle::check_touched(const State& state) {
  std::string difference = shadow_.difference_of_farm(state);
  for (const TaskId id : touched_.tasks)
    if (difference.empty()) difference = shadow_.difference(state, id);
  for (const scheduler::ShotId id : touched_.shots)
    if (difference.empty()) difference = shadow_.difference_of_shot(state, id);
  require(difference.empty(), 6, difference);
  for (const TaskId id : touched_.tasks)
    if (const ShadowTask& task = shadow_.task(id); scheduler::is_held(task.state))
      require(state.task(id).holding.expires_ms == task.expires_ms, 3,
              "the lease of task " + std::to_string(id.number()) + " ends at another time than was decided");
  for (const scheduler::WorkerId id : touched_.workers)
    for (const SlotKind kind : kEverySlotKind)
      require(state.workers[id].leases[kind] == shadow_.held_in(shadow_.workers()[id], kind), 4,
              state.workers[id].name + ": leases differ from a recount");
}

// A rejection or a person's no reaches all that it concerns and nothing else, in the same decision.
void Oracle::check_closed(const scheduler::Event& event) {
  for (const TaskId id : touched_.accepted) {
    const ShadowTask& task = shadow_.task(id);
    if (task.stage != Stage::kCritique || task.whole_take || task.revision != 0) continue;
    const auto* completed = scheduler::message_in<protocol::Completed>(event);
    if (completed == nullptr || completed->result.critique.verdict != Verdict::kReject) continue;
    const auto& shot = shadow_.shots()[task.shot];
    if (shot.chosen[task.take - 1]) continue;  // a person restored it
    require(shot.takes[task.take - 1] == scheduler::TakeState::kDropped, 5,
            shot.key + " take " + std::to_string(task.take) + " goes on behind a rejected checkpoint");
    for (const TaskId closed : touched_.closed)
      require(shadow_.task(closed).shot == task.shot, 5,
              "the rejection of task " + std::to_string(id.number()) + " closed task " +
                  std::to_string(closed.number()) + " of another shot");
  }
  for (const auto& [shot, take] : touched_.dropped_takes)
    for (const TaskId id : shadow_.shots()[shot].tasks)
      if (const ShadowTask& task = shadow_.task(id); task.take == take)
        require(is_over(task) || shadow_.shots()[shot].takes[take - 1] != scheduler::TakeState::kDropped, 5,
                "task " + std::to_string(id.number()) + " goes on in a dropped take");
  for (const scheduler::ShotId shot : touched_.cancelled_shots)
    for (const TaskId id : shadow_.shots()[shot].tasks)
      require(is_over(shadow_.task(id)) || shadow_.task(id).state == TaskState::kFailed, 5,
              "task " + std::to_string(id.number()) + " goes on in a cancelled shot");
}

// No show gets a slot while a show that is further below its floor of that kind of slot has work for it. What is
// still ready behind a decision was ready while it dispatched.
void Oracle::check_floors(const State& state, scheduler::Now now) {
  if (touched_.leases.empty()) return;
  SlotCounts slots;
  for (const scheduler::Worker& worker : state.workers)
    for (const SlotKind kind : kEverySlotKind)
      slots[kind] += worker.connected ? worker.offer.resources.slots[kind] : 0;
  for (const config::Show& starved : settings_.shows) {
    for (const Shadow::Touched::Leased& lease : touched_.leases) {
      const double all = slots[lease.kind];
      const double missing = starved.floor * all - shadow_.slots_of_show(starved.name, lease.kind);
      const std::string& show = shadow_.shots()[shadow_.task(lease.task).shot].show;
      if (missing <= 0 || show == starved.name) continue;
      double floor = 0;
      for (const config::Show& other : settings_.shows) floor = other.name == show ? other.floor : floor;
      const double its_missing = std::max(0.0, floor * all - lease.held_before);
      require(
          its_missing >= missing || could_take(state, lease.worker, lease.kind, starved.name, now) == kNoId,
          8,
          "show " + starved.name + " is under its floor and " + state.workers[lease.worker].name +
              " gets task " + std::to_string(lease.task.number()) + " of " + show);
    }
  }
}

// Limits hold at every moment, whatever the core counts.
void Oracle::check_limits() {
  if (touched_.leases.empty()) return;
  for (const config::SharedLimit& limit : settings_.limits.shared)
    require(shadow_.held_under(limit) <= static_cast<std::uint32_t>(limit.count), 4,
            "limit " + limit.name + " is held by " + std::to_string(shadow_.held_under(limit)) + " tasks");
}

// A task of the show (empty: of any) that waits and that this worker could run in a slot of this kind. A task that
// failed or was slow may be kept for others.
TaskId Oracle::could_take(const State& state, scheduler::WorkerId id, SlotKind kind, const std::string& show,
                          scheduler::Now now) const {
  const scheduler::Worker& worker = state.workers[id];
  if (scheduler::reservation_of(state, id) != nullptr) return kNoId;  // its slots are for another task
  for (const scheduler::SchedulingClass& scheduling_class : state.queue.scheduling_classes()) {
    if (scheduling_class.lanes.empty() || scheduling_class.needs.ahead) continue;
    if (!show.empty() && state.shows[state.queue.flows()[scheduling_class.flow].show].name != show) continue;
    if (scheduler::kind_on(worker.offer, scheduling_class.needs) != kind) continue;
    if (scheduler::blocker_of(state, worker, scheduling_class) != scheduler::Blocker::kNone) continue;
    for (const auto& [key, lane] : scheduling_class.lanes)
      for (const scheduler::ReadyKey& ready : lane) {
        const scheduler::Task& task = state.task(ready.task);
        if (!scheduler::is_avoided(state, task, worker) &&
            scheduler::leaves_reservation(state, id, task, now.boot_ms))
          return ready.task;
      }
  }
  return kNoId;
}

// No slot stays free behind a decision while a task waits that fits it.
void Oracle::check_idle(const State& state, scheduler::Now now) {
  if (state.queue.ready() == 0) return;
  for (const scheduler::Worker& worker : state.workers) {
    const scheduler::WorkerId id = state.workers.id_of(worker);
    for (const SlotKind kind : kEverySlotKind) {
      if (worker.leases[kind].size() >= worker.offer.resources.slots[kind]) continue;
      if (!scheduler::takes_work(worker)) continue;
      const TaskId task = could_take(state, id, kind, "", now);
      require(task == kNoId, 7,
              worker.name + " has a free " + to_string(kind) + " slot and task " +
                  std::to_string(task.number()) + ", which fits, waits");
    }
  }
}

// What is due is done: leases that ran out, tasks that were held back.
void Oracle::check_clock(const State& state, scheduler::Now now) {
  for (const ShadowWorker& worker : shadow_.workers())
    for (const TaskId id : worker.held)
      require(shadow_.task(id).expires_ms > now.boot_ms, 7,
              "task " + std::to_string(id.number()) + " keeps a lease that ran out");
  require(state.clock.retries().empty() || state.clock.retries().begin()->first > now.boot_ms, 7,
          "a task is held back too long");
}

void Oracle::acknowledged_submit(const std::vector<std::string>& shots) {
  acknowledged_.insert(shots.begin(), shots.end());
}

void Oracle::crashed(std::uint64_t survivors) {
  require(survivors >= exposed_, 1,
          "records " + std::to_string(survivors + 1) + " to " + std::to_string(exposed_) +
              " are lost, and they were reported");
  history_.resize(std::min<std::size_t>(history_.size(), survivors));
  shadow_ = {};
  Shadow::Touched ignored;
  for (const Record& record : history_) shadow_.learn(record, {}, 0, ignored, [](int, const std::string&) {});
}

void Oracle::recovered(const State& state) {
  std::string difference = shadow_.difference_of_farm(state);
  for (TaskId id(1); shadow_.tasks().has(id); ++id)
    if (difference.empty()) difference = shadow_.difference(state, id);
  for (scheduler::ShotId id(0); shadow_.shots().has(id); ++id)
    if (difference.empty()) difference = shadow_.difference_of_shot(state, id);
  require(difference.empty(), 1, "after the restart " + difference);
  for (const std::string& shot : acknowledged_)
    require(state.find_shot(shot) != nullptr || state.find_shot(shot + "@1") != nullptr, 1,
            "shot " + shot + " was acknowledged and is lost");
  recount(state);
}

void Oracle::recount(const State& state) {
  for (const std::string& problem : scheduler::check_invariants(state)) {
    int invariant = 0;
    const std::string word = "invariant ";
    if (problem.starts_with(word)) invariant = problem[word.size()] - '0';
    complain(invariant, "recount: " + problem);
  }
}

void Oracle::engine_started(int worker, const AttemptId& id, bool inputs_there) {
  const std::string what = "w" + std::to_string(worker) + " starts " + name_of(id);
  // What an attempt that is over would have needed may have left.
  require(inputs_there || shadow_.release_of(id.lease) == Release::kExpired, 5, what + " without its inputs");
  require(!engines_.contains(id.lease), 3, what + " while another engine works on it");
  engines_[id.lease] = {worker, id.task};
  const auto release = shadow_.release_of(id.lease);
  require(release != Release::kAccepted, 3, what + ", whose result was accepted");
  require(release != Release::kConfirmed, 3, what + ", which was confirmed to have stopped");
  if (!shadow_.has_task(id.task)) return complain(1, what + ", which was never planned");
  const ShadowTask& task = shadow_.task(id.task);
  for (const TaskId need : task.needs) {
    const bool gate = std::find(task.gates.begin(), task.gates.end(), need) != task.gates.end();
    require(gate || shadow_.is_done(need), 5,
            what + " before task " + std::to_string(need.number()) + " is done");
  }
  check_resources(worker);
}

// What really runs fits what the worker offered.
void Oracle::check_resources(int number) {
  const std::string name = worker_name(number);
  const auto known = std::find_if(shadow_.workers().begin(), shadow_.workers().end(),
                                  [&](const ShadowWorker& worker) { return worker.facts.name == name; });
  if (known == shadow_.workers().end()) return;
  // What another process of the name offers says nothing of this host.
  const WorkerProcess& process = known->facts.process;
  if (!process.lock.empty() && process.lock != "lock" + std::to_string(number)) return;
  const WorkerOffer& offer = known->facts.offer;
  const Resources& has = offer.resources;
  Resources taken;
  for (const auto& [lease, engine] : engines_) {
    if (engine.worker != number || !shadow_.has_task(engine.task)) continue;
    const ShadowShare takes = shadow_.share_of(shadow_.task(engine.task), offer);
    ++taken.slots[takes.kind];
    taken.host_bytes += takes.host_bytes;
    taken.device_bytes += takes.device_bytes;
  }
  for (const SlotKind kind : kEverySlotKind)
    require(taken.slots[kind] <= has.slots[kind], 4,
            name + " runs more in " + to_string(kind) + " slots than it has");
  require(taken.host_bytes <= has.host_bytes, 4, name + " runs more than its host's memory bears");
  require(taken.device_bytes <= has.device_bytes, 4, name + " runs more than its devices' memory bears");
}

}  // namespace rushes::simulation
