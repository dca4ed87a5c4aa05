#include "tests/simulation/shadow.h"

#include <algorithm>

namespace rushes::simulation {

using scheduler::AttemptEnd;
using scheduler::ShotId;
using scheduler::ShotState;
using scheduler::TakeState;
using scheduler::TaskState;
using scheduler::WorkerId;
namespace record = scheduler::record;

namespace {

bool done(const ShadowTask& task) {
  return (task.state == TaskState::kSucceeded && task.missing == 0) || task.state == TaskState::kSkipped;
}
bool held(TaskState state) { return state == TaskState::kLeased || state == TaskState::kRunning; }
bool final(TaskState state) {
  return state == TaskState::kSucceeded || state == TaskState::kSkipped || state == TaskState::kCancelled ||
         state == TaskState::kAborted;
}
std::string name(TaskId id, TaskState state) {
  return "task " + std::to_string(id.number()) + " (" + scheduler::to_string(state) + ")";
}

}  // namespace

// One record; one overload per kind. Kinds without a rule of their own change nothing here.
struct Shadow::Lesson {
  Shadow& shadow;
  scheduler::Now now;
  std::int64_t lease_ms;
  Touched& touched;
  const Complain& complain;

  ShadowTask& task(TaskId id) { return shadow.tasks_[id]; }
  void require(bool holds, int invariant, const std::string& what) {
    if (!holds) complain(invariant, what);
  }
  void require_current(const AttemptId& ref, WorkerId worker, int invariant, const char* what) {
    const ShadowTask& t = task(ref.task);
    require(held(t.state) && t.lease == ref.lease && t.attempt == ref.attempt && t.worker == worker,
            invariant,
            std::string(what) + " of attempt " + std::to_string(ref.attempt) + ", lease " +
                std::to_string(ref.lease) + ", but " + name(ref.task, t.state) + " is at attempt " +
                std::to_string(t.attempt) + ", lease " + std::to_string(t.lease));
  }
  void touch_shot(ShotId shot) { touched.shots.push_back(shot); }

  void operator()(const record::ShotPlanned& r) {
    ShadowShot shot;
    shot.show = r.spec.show;
    shot.key = r.spec.show + "/" + r.spec.name;
    shot.takes.resize(r.spec.seeds.size(), TakeState::kPlanned);
    shot.chosen.resize(r.spec.seeds.size(), false);
    shot.left_before.resize(r.spec.seeds.size());
    shot.delivered.resize(r.spec.seeds.size(), false);
    shot.limits = r.spec.limits;
    shadow.shots_.add(std::move(shot));
    shadow.add_tasks(r.shot, r.tasks, touched);
  }
  void operator()(const record::VersionPlanned& r) { shadow.add_tasks(r.shot, r.tasks, touched); }
  void operator()(const record::UpgradePlanned& r) { shadow.add_tasks(r.shot, r.tasks, touched); }
  void operator()(const record::DeliveryPlanned& r) { shadow.add_tasks(r.shot, r.tasks, touched); }

  void operator()(const record::ClassPinned& r) {
    std::string& pinned = shadow.shots_[r.shot].numeric_class;
    require(pinned.empty(), 5, shadow.shots_[r.shot].key + " changes its class from " + pinned);
    pinned = r.numeric_class;
  }
  void operator()(const record::Leased& r) {
    ShadowTask& t = task(r.ref.task);
    const ShadowShot& shot = shadow.shots_[t.shot];
    const std::string what = name(r.ref.task, t.state);
    require(!held(t.state), 3, what + " is leased while lease " + std::to_string(t.lease) + " is alive");
    require(t.state != TaskState::kSucceeded, 2, what + " is leased again");
    const bool ahead = t.state == TaskState::kPending && t.open_gates > 0;
    require(t.state == TaskState::kReady || ahead || held(t.state), 5, what + " is leased");
    require(t.missing == t.open_gates, 5,
            what + " is leased and misses " + std::to_string(t.missing) + " inputs");
    require(r.ref.attempt == t.attempt + 1, 2, what + " skips from attempt " + std::to_string(t.attempt));
    require(r.ref.lease > shadow.last_lease_, 3, "lease " + std::to_string(r.ref.lease) + " is used again");
    require(r.expires_ms >= now.boot_ms + lease_ms, 3, what + " has a short lease");
    require(shot.state != ShotState::kCancelled && !shot.pause_requested, 5,
            what + " of a stopped shot is leased");
    require(t.take == 0 || shot.takes[t.take - 1] != TakeState::kDropped, 5,
            what + " of a dropped take is leased");
    for (const TaskId need : t.needs)
      require(!is_gone(need) || is_gate(t, need), 10, what + " is leased and what it needs left");
    require_room(shadow.workers_[r.worker], t, what);
    shadow.last_lease_ = std::max(shadow.last_lease_, r.ref.lease);
    const SlotKind kind = shadow.share_of(t, shadow.workers_[r.worker].facts.offer).kind;
    touched.leases.push_back({r.ref.task, r.worker, kind, shadow.slots_of_show(shot.show, kind)});
    touched.workers.push_back(r.worker);
    shadow.set_state(r.ref.task, TaskState::kLeased, touched);
    t.attempt = r.ref.attempt;
    t.lease = r.ref.lease;
    t.worker = r.worker;
    t.expires_ms = r.expires_ms;
    t.ending = false;
    shadow.workers_[r.worker].held.push_back(r.ref.task);
  }
  static bool is_gate(const ShadowTask& t, TaskId need) {
    return std::find(t.gates.begin(), t.gates.end(), need) != t.gates.end();
  }
  void require_room(const ShadowWorker& worker, const ShadowTask& t, const std::string& what) {
    const WorkerOffer& offer = worker.facts.offer;
    const Resources& has = offer.resources;
    const std::string& who = worker.facts.name;
    const ShadowShare mine = shadow.share_of(t, offer);
    std::size_t behind = 0;
    std::uint64_t at_once = 0;  // bytes of the host, whichever run together
    for (const SlotKind kind : kEverySlotKind) {
      std::vector<std::uint64_t> sizes;
      for (const TaskId held : shadow.held_in(worker, kind))
        sizes.push_back(shadow.share_of(task(held), offer).host_bytes);
      if (kind == mine.kind) sizes.push_back(mine.host_bytes);
      std::sort(sizes.begin(), sizes.end(), std::greater<>());
      const std::size_t slots = std::min<std::size_t>(sizes.size(), has.slots[kind]);
      for (std::size_t i = 0; i < slots; ++i) at_once += sizes[i];
      behind += sizes.size() - slots;
    }
    const bool has_slot =
        shadow.held_in(worker, mine.kind).size() < has.slots[mine.kind] && has.slots[mine.kind] > 0;
    require(has.slots[mine.kind] > 0, 4, who + " has no " + to_string(mine.kind) + " slot for " + what);
    require(has_slot || behind <= offer.prefetch, 4,
            who + " holds " + std::to_string(worker.held.size()) + " and gets " + what);
    require(at_once <= has.host_bytes, 4, who + " has not the host memory for " + what);
    require(mine.device_bytes <= has.device_bytes / std::max(1u, has.slots[SlotKind::kGpu]), 4,
            who + " has not the device memory for " + what);
    require(!t.tensors || !offer.models.empty(), 4, who + " has not the model for " + what);
    const auto& classes = offer.numeric_classes;
    const bool any_class = !t.tensors && offer.protocol_version >= kTellsSlotsByKind;
    require(any_class || std::count(classes.begin(), classes.end(), shadow.shots_[t.shot].numeric_class) == 1,
            4, who + " is not of the class of " + what);
    require(!worker.facts.draining, 4, who + " drains and gets " + what);
    require(!worker.leaving, 4, who + " leaves and gets " + what);
    require(!worker.facts.forgotten, 4, who + " is forgotten and gets " + what);
  }
  void operator()(const record::Started& r) {
    require_current(r.ref, task(r.ref.task).worker, 2, "a start");
    shadow.set_state(r.ref.task, TaskState::kRunning, touched);
  }
  void operator()(const record::ResultAccepted& r) {
    require_current(r.ref, r.worker, 2, "a result");
    const ShadowTask& t = task(r.ref.task);
    require(!t.ending || t.then == TaskState::kReady, 5,
            name(r.ref.task, t.state) + " was called off and succeeds");
    shadow.drop_lease(r.ref.task, Release::kAccepted);
    shadow.set_state(r.ref.task, TaskState::kSucceeded, touched);
    if (done(t)) shadow.release_dependents(r.ref.task, touched);
    touched.accepted.push_back(r.ref.task);
    touched.workers.push_back(r.worker);
  }
  void operator()(const record::AttemptEnded& r) {
    require_current(r.ref, r.worker, 2, "an end");
    const ShadowTask& t = task(r.ref.task);
    const std::string what = name(r.ref.task, t.state);
    const bool expired = r.end == AttemptEnd::kExpired;
    require(!expired || now.boot_ms >= t.expires_ms, 3, what + " lost its lease early");
    require(
        !t.ending || t.then == r.then || r.end == AttemptEnd::kFailed, 5,
        what + " was to become " + scheduler::to_string(t.then) + " and is " + scheduler::to_string(r.then));
    shadow.drop_lease(r.ref.task, expired ? Release::kExpired : Release::kConfirmed);
    const bool waits = r.then == TaskState::kReady && t.missing > 0;  // it ran ahead
    shadow.set_state(r.ref.task, waits ? TaskState::kPending : r.then, touched);
    if (r.then == TaskState::kSkipped) shadow.release_dependents(r.ref.task, touched);
    touched.workers.push_back(r.worker);
  }
  void operator()(const record::RevokeAsked& r) {
    ShadowTask& t = task(r.ref.task);
    require_current(r.ref, t.worker, 3, "a revoke");
    t.ending = true;
    t.then = r.then;
    if (final(r.then)) touched.closed.push_back(r.ref.task);
  }
  void operator()(const record::TaskClosed& r) {
    const ShadowTask& t = task(r.task);
    require(!held(t.state), 3, name(r.task, t.state) + " is closed while it is held");
    require(!final(t.state), 5, name(r.task, t.state) + " is closed again");
    shadow.set_state(r.task, r.state, touched);
    if (r.state == TaskState::kSkipped) shadow.release_dependents(r.task, touched);
    touched.closed.push_back(r.task);
  }
  void operator()(const record::TaskReopened& r) {
    const ShadowTask& t = task(r.task);
    require(t.state == TaskState::kFailed || t.state == TaskState::kAborted, 5,
            name(r.task, t.state) + " is opened again");
    shadow.set_state(r.task, t.missing == 0 ? TaskState::kReady : TaskState::kPending, touched);
  }
  void operator()(const record::ShotArchived& r) {
    ShadowShot& shot = shadow.shots_[r.shot];
    require(shot.state == ShotState::kDelivered || shot.state == ShotState::kCancelled, 1,
            shot.key + " is archived while it is " + scheduler::to_string(shot.state));
    shot.key += "@" + std::to_string(r.number);
    touch_shot(r.shot);
  }
  void operator()(const record::VersionKept& r) {
    ShadowShot& shot = shadow.shots_[r.shot];
    require(!shot.chosen[r.take - 1] || !r.by.empty(), 9,
            "critics change the version of " + shot.key + " take " + std::to_string(r.take) +
                " that a person chose");
    shot.chosen[r.take - 1] = !r.by.empty();
  }
  bool is_gone(TaskId id) {
    const ShadowTask& t = task(id);
    return t.take > 0 && id < shadow.shots_[t.shot].left_before[t.take - 1];
  }
  void operator()(const record::TakeLeft& r) {
    ShadowShot& shot = shadow.shots_[r.shot];
    const std::string what = shot.key + " take " + std::to_string(r.take);
    require(shot.approved != r.take && !shot.delivered[r.take - 1], 10, what + " leaves and was chosen");
    for (const TaskId id : shot.tasks) {
      const ShadowTask& t = task(id);
      if (final(t.state)) continue;
      require(t.take != r.take, 10, what + " leaves and " + name(id, t.state) + " is open");
      for (const TaskId need : t.needs)
        require(task(need).take != r.take, 10, what + " leaves and " + name(id, t.state) + " needs it");
    }
    shot.left_before[r.take - 1] = r.before;
    touch_shot(r.shot);
  }
  void operator()(const record::Delivered& r) { shadow.shots_[r.shot].delivered[r.delivery.take - 1] = true; }
  void operator()(const record::TakeMoved& r) {
    shadow.shots_[r.shot].takes[r.take - 1] = r.state;
    if (r.state == TakeState::kDropped) touched.dropped_takes.emplace_back(r.shot, r.take);
    touch_shot(r.shot);
  }
  void operator()(const record::ShotMoved& r) {
    shadow.shots_[r.shot].state = r.state;
    if (r.state == ShotState::kCancelled) touched.cancelled_shots.push_back(r.shot);
    touch_shot(r.shot);
  }
  void operator()(const record::TakeApproved& r) {
    shadow.shots_[r.shot].approved = r.take;
    touch_shot(r.shot);
  }
  void operator()(const record::HoldChanged& r) {
    shadow.shots_[r.shot].pause_requested = r.requested;
    touch_shot(r.shot);
  }
  void operator()(const record::WorkerJoined& r) {
    if (!shadow.workers_.has(r.worker)) shadow.workers_.add();
    ShadowWorker& worker = shadow.workers_[r.worker];
    const WorkerProcess &before = worker.facts.process, &now_has = r.row.process;
    require(before.lock.empty() || now_has.lock.empty() || before.lock == now_has.lock || worker.held.empty(),
            3, r.row.name + " is another process now, and the one before holds leases");
    worker.facts = r.row;
  }
  void operator()(const record::WorkerDraining& r) { shadow.workers_[r.worker].facts.draining = r.draining; }
  void operator()(const record::WorkerSeen& r) { shadow.workers_[r.worker].leaving = r.leaving; }
  void operator()(const record::WorkerForgotten& r) {
    ShadowWorker& worker = shadow.workers_[r.worker];
    require(worker.held.empty(), 4, worker.facts.name + " is forgotten and holds leases");
    worker.facts.forgotten = true;
    worker.facts.draining = false;
  }
  void operator()(const record::Recovered& r) {
    for (TaskId id(1); shadow.tasks_.has(id); ++id)
      if (held(task(id).state)) task(id).expires_ms = r.expires_ms;
  }
  void operator()(const record::LeaseRenewed& r) {
    require(held(task(r.task).state), 3, name(r.task, task(r.task).state) + " is renewed");
    require(r.expires_ms >= now.boot_ms + lease_ms, 3,
            name(r.task, task(r.task).state) + " is renewed too briefly");
    task(r.task).expires_ms = r.expires_ms;
  }
  void operator()(const record::Ticked& r) {
    require(r.pause_ms == 0 || r.latest_ms == now.boot_ms + lease_ms, 3, "a pause makes leases too long");
    for (const ShadowWorker& worker : shadow.workers_)
      for (const TaskId id : worker.held)
        if (r.pause_ms > 0) task(id).expires_ms = std::min(task(id).expires_ms + r.pause_ms, r.latest_ms);
  }
  template <typename Other>
  void operator()(const Other&) {}
};

void Shadow::learn(const scheduler::Record& record, scheduler::Now now, std::int64_t lease_ms,
                   Touched& touched, const Complain& complain) {
  std::visit(Lesson{*this, now, lease_ms, touched, complain}, record);
}

void Shadow::add_tasks(ShotId shot, const std::vector<scheduler::PlannedTask>& plans, Touched& touched) {
  for (const scheduler::PlannedTask& plan : plans) {
    ShadowTask task;
    task.stage = plan.stage;
    task.shot = shot;
    task.take = plan.take;
    task.revision = plan.revision;
    task.whole_take = plan.whole_take;
    const bool pictures = plan.stage == Stage::kFinish || plan.stage == Stage::kDeliver ||
                          (plan.stage == Stage::kCritique && plan.whole_take);
    task.tensors = !pictures;
    task.host_bytes = plan.host_bytes;
    task.tensor_bytes = plan.tensor_bytes;
    for (const scheduler::Dependency& need : plan.needs) {
      task.needs.push_back(need.task);
      if (!need.data) task.gates.push_back(need.task);
      if (done(tasks_[need.task])) continue;
      tasks_[need.task].dependents.push_back(plan.id);
      ++task.missing;
      task.open_gates += need.data ? 0 : 1;
    }
    tasks_.add(std::move(task));
    shots_[shot].tasks.push_back(plan.id);
    ++counts_[static_cast<int>(TaskState::kPending)];
    ++shots_[shot].counts[static_cast<int>(TaskState::kPending)];
    if (tasks_.back().missing == 0) set_state(plan.id, TaskState::kReady, touched);
  }
  touched.shots.push_back(shot);
}

void Shadow::set_state(TaskId id, TaskState to, Touched& touched) {
  ShadowTask& task = tasks_[id];
  ShadowShot& shot = shots_[task.shot];
  --counts_[static_cast<int>(task.state)];
  --shot.counts[static_cast<int>(task.state)];
  ++counts_[static_cast<int>(to)];
  ++shot.counts[static_cast<int>(to)];
  task.state = to;
  touched.tasks.push_back(id);
  touched.shots.push_back(task.shot);
}

void Shadow::release_dependents(TaskId id, Touched& touched) {
  for (const TaskId dependent : tasks_[id].dependents) {
    ShadowTask& task = tasks_[dependent];
    --task.missing;
    if (std::find(task.gates.begin(), task.gates.end(), id) != task.gates.end()) --task.open_gates;
    touched.tasks.push_back(dependent);
    if (task.missing > 0) continue;
    if (task.state == TaskState::kPending) set_state(dependent, TaskState::kReady, touched);
    if (task.state == TaskState::kSucceeded) release_dependents(dependent, touched);
  }
}

void Shadow::drop_lease(TaskId id, Release release) {
  ShadowTask& task = tasks_[id];
  if (!held(task.state)) return;  // already complained about
  released_[task.lease] = release;
  std::erase(workers_[task.worker].held, id);
  task.worker = kNoId;
  task.ending = false;
}

ShadowShare Shadow::share_of(const ShadowTask& task, const WorkerOffer& offer) const {
  const bool cuda = shots_[task.shot].numeric_class.starts_with("cuda-");
  if (task.tensors && cuda) return {SlotKind::kGpu, task.host_bytes, task.tensor_bytes};
  if (task.tensors) return {SlotKind::kCpu, task.host_bytes + task.tensor_bytes, 0};
  const bool has_cpu = offer.resources.slots[SlotKind::kCpu] > 0;
  return {has_cpu ? SlotKind::kCpu : SlotKind::kGpu, task.host_bytes, 0};
}

std::vector<TaskId> Shadow::held_in(const ShadowWorker& worker, SlotKind kind) const {
  std::vector<TaskId> held;
  for (const TaskId id : worker.held)
    if (share_of(tasks_[id], worker.facts.offer).kind == kind) held.push_back(id);
  return held;
}

std::uint32_t Shadow::slots_of_show(const std::string& show, SlotKind kind) const {
  std::uint32_t slots = 0;
  for (const ShadowWorker& worker : workers_) {
    const std::vector<TaskId> held = held_in(worker, kind);
    for (std::size_t i = 0; i < held.size() && i < worker.facts.offer.resources.slots[kind]; ++i)
      slots += shots_[tasks_[held[i]].shot].show == show ? 1 : 0;
  }
  return slots;
}

std::uint32_t Shadow::held_under(const config::SharedLimit& limit) const {
  std::uint32_t held = 0;
  const auto lists = [](const auto& all, const auto& one) {
    return std::find(all.begin(), all.end(), one) != all.end();
  };
  for (const ShadowWorker& worker : workers_)
    for (const TaskId id : worker.held) {
      const ShadowTask& task = tasks_[id];
      held += limit.stages.empty() ? lists(shots_[task.shot].limits, limit.name)
                                   : lists(limit.stages, task.stage);
    }
  return held;
}

bool Shadow::is_done(TaskId id) const { return done(tasks_[id]); }

std::optional<Release> Shadow::release_of(std::uint64_t lease) const {
  const auto found = released_.find(lease);
  return found == released_.end() ? std::nullopt : std::optional(found->second);
}

std::string Shadow::difference(const scheduler::State& state, TaskId id) const {
  const ShadowTask& mine = tasks_[id];
  if (!state.has_task(id)) return name(id, mine.state) + " is gone";
  const scheduler::Task& task = state.task(id);
  const auto differs = [&](const std::string& what) { return name(id, task.state) + ": " + what; };
  if (task.state != mine.state) return differs("should be " + std::string(scheduler::to_string(mine.state)));
  if (task.attempt != mine.attempt) return differs("should be at attempt " + std::to_string(mine.attempt));
  if (task.missing != mine.missing) return differs("should miss " + std::to_string(mine.missing) + " inputs");
  if (held(mine.state) && (task.lease().id != mine.lease || task.lease().worker != mine.worker))
    return differs("should be held under lease " + std::to_string(mine.lease));
  return {};
}

std::string Shadow::difference_of_shot(const scheduler::State& state, ShotId id) const {
  const ShadowShot& mine = shots_[id];
  if (!state.shots.has(id)) return mine.key + " is gone";
  const scheduler::Shot& shot = state.shots[id];
  if (shot.state != mine.state)
    return mine.key + " is " + scheduler::to_string(shot.state) + ", should be " +
           scheduler::to_string(mine.state);
  if (shot.approved != mine.approved)
    return mine.key + ": should have take " + std::to_string(mine.approved) + " approved";
  if (shot.pause_requested != mine.pause_requested) return mine.key + ": pause";
  if (shot.counts != mine.counts) return mine.key + ": its counters differ from a recount";
  for (std::size_t i = 0; i < mine.takes.size(); ++i)
    if (shot.takes[i].state != mine.takes[i] || shot.takes[i].left.before != mine.left_before[i])
      return mine.key + " take " + std::to_string(i + 1) + ": state";
  return {};
}

std::string Shadow::difference_of_farm(const scheduler::State& state) const {
  if (state.tasks.size() != tasks_.size())
    return "tasks: " + std::to_string(state.tasks.size()) + ", planned " + std::to_string(tasks_.size());
  if (state.shots.size() != shots_.size())
    return "shots: " + std::to_string(state.shots.size()) + ", planned " + std::to_string(shots_.size());
  if (state.work.counts() != counts_) return "tasks by state do not sum to what was planned";
  return {};
}

}  // namespace rushes::simulation
