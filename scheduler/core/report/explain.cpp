#include "scheduler/core/report/explain.h"

#include <algorithm>

#include "scheduler/core/dispatch/placement.h"
#include "scheduler/core/policy/fair_share.h"
#include "scheduler/core/policy/limits.h"
#include "scheduler/core/state/needs.h"
#include "scheduler/plan/compose.h"

namespace rushes::scheduler {
namespace {

std::string quoted(const State& state, const Task& task) {
  return "task " + std::to_string(task.plan.id.number()) + " (" +
         task_name(state.shots[task.shot].spec, task.plan) + ")";
}

std::string mib(std::uint64_t bytes) { return std::to_string((bytes + (1u << 20) - 1) >> 20) + " MiB"; }

// The first dependency that needs a person, however far away; else the first that is not done.
Explanation inputs(const State& state, const Task& task) {
  const Task* open = nullptr;
  std::vector<TaskId> to_look{task.plan.id};
  std::unordered_set<TaskId> seen;
  while (!to_look.empty()) {
    const Task& next = state.task(to_look.back());
    to_look.pop_back();
    for (const Dependency& need : next.plan.needs) {
      const Task& maker = state.task(need.task);
      if (is_done(maker)) continue;
      if (!seen.insert(need.task).second) continue;
      if (maker.state == TaskState::kFailed) {
        return {Waiting::kBlocked, "needs " + quoted(state, maker) +
                                       ", which failed and needs a person: " + maker.closed_reason};
      }
      if (open == nullptr) open = &maker;
      to_look.push_back(need.task);
    }
  }
  if (open == nullptr) return {Waiting::kNext, "its inputs are there"};
  if (may_run_ahead(task)) {
    return {Waiting::kCheckpoint, "waits for the verdict of " + quoted(state, *open) + ", which is " +
                                      to_string(open->state) + "; it may run ahead on an idle worker"};
  }
  return {Waiting::kInputs, "needs " + quoted(state, *open) + ", which is " + to_string(open->state)};
}

// Where it is, what its engine says, and what there is to worry about: its worker's silence first, which is about to
// cost the lease.
Explanation held(const State& state, const Task& task, Now now) {
  constexpr std::int64_t kSilentMs = 5'000, kQuietMs = 10'000;  // two heartbeats; what an engine says sooner
  const Worker& worker = state.workers[task.lease().worker];
  const auto seconds = [&](std::int64_t since_ms) {
    return std::to_string((now.boot_ms - since_ms) / 1000) + " s";
  };
  std::string text = (task.holding.queued_in != kNoId ? "waits for a slot on " : "is on ") + worker.name;
  if (!task.progress.text.empty()) text += ": " + task.progress.text;
  if (worker.seen_ms > 0 && now.boot_ms - worker.seen_ms > kSilentMs)
    text += "; " + worker.name + " was last heard of " + seconds(worker.seen_ms) + " ago";
  else if (task.progress.changed_ms > 0 && now.boot_ms - task.progress.changed_ms > kQuietMs)
    text += "; nothing new for " + seconds(task.progress.changed_ms);
  if (!task.lease().revoke_reason.empty()) text += "; it is to stop: " + task.lease().revoke_reason;
  return {Waiting::kNot, text};
}

// "a GPU slot with 20480 MiB, and 128 MiB of host memory"
std::string words_of(const policy::Footprint& takes) {
  const std::string host = mib(takes.host_bytes) + " of host memory";
  if (takes.kind == SlotKind::kCpu) return "a CPU slot and " + host;
  if (takes.device_bytes == 0) return "a GPU slot and " + host;
  return "a GPU slot with " + mib(takes.device_bytes) + ", and " + host;
}

// What the connected workers say to the task's needs.
struct Survey {
  bool connected = false, model = false, numeric_class = false, stored = false,
       memory = false;              // some worker has it
  bool takes = false;               // and some of those take work
  const Worker* largest = nullptr;  // of those with model and class, in what the task lacks
  const Worker* room = nullptr;     // a slot and the memory are free
  const Worker* crowded = nullptr;  // a slot is free, the memory is taken
  bool unloaded = false;            // one with a slot would have to load the model
  const Worker* avoided = nullptr;  // one with a slot, which leaves the task to others
  Blocker why = Blocker::kNone;
  const Reservation* kept = nullptr;  // the worker with room is kept for another task
};

// Whether a's memory is nearer to what the task needs than b's: of the device first, then of the host.
bool has_more_memory(const Worker& a, const Worker& b, std::uint64_t device_bytes) {
  const auto of = [&](const Worker& worker) {
    const Resources& has = worker.offer.resources;
    return std::pair(std::min(policy::device_bytes_each(has), device_bytes), has.host_bytes);
  };
  return of(a) > of(b);
}

Survey survey(const State& state, const Task& task, const Requirements& needs, Now now) {
  Survey found;
  const ClassLoads class_loads = class_loads_of(state, task);
  for (WorkerId id(0); state.workers.has(id); ++id) {
    const Worker& worker = state.workers[id];
    if (!worker.connected) continue;
    found.connected = true;
    const policy::Fit fit = policy::fit(worker.offer, needs);
    if (fit == policy::Fit::kNoModel) continue;
    found.model = true;
    if (fit == policy::Fit::kNoClass) continue;
    found.numeric_class = true;
    if (fit == policy::Fit::kTooOld) continue;
    found.stored = true;
    const policy::Footprint takes = footprint(worker, needs);
    if (found.largest == nullptr || has_more_memory(worker, *found.largest, takes.device_bytes))
      found.largest = &worker;
    if (fit == policy::Fit::kNoMemory) continue;
    found.memory = true;
    if (!takes_work(worker)) continue;
    found.takes = true;
    if (!has_free_slot(worker, takes.kind)) continue;
    if (const Blocker why = blocker_of(state, worker, task, class_loads); why != Blocker::kNone) {
      found.avoided = &worker;
      found.why = why;
      continue;
    }
    const Blocker blocker =
        blocker_of(state, worker, state.queue.scheduling_classes()[task.scheduling_class]);
    if (blocker == Blocker::kBusyMemory) found.crowded = &worker;
    found.unloaded = found.unloaded || blocker == Blocker::kNotLoaded;
    if (blocker != Blocker::kNone) continue;
    if (leaves_reservation(state, id, task, now.boot_ms))
      found.room = &worker;
    else
      found.kept = reservation_of(state, id);
  }
  return found;
}

std::string in_about(std::int64_t until_ms, Now now) {
  const std::int64_t seconds = std::max<std::int64_t>(0, until_ms - now.boot_ms) / 1000;
  return seconds < 1 ? "now" : "in about " + std::to_string(seconds) + " s";
}

// Workers with a free slot leave it to those that are busy.
Explanation avoided(const State& state, const Task& task, const Survey& found) {
  const std::string& worker = found.avoided->name;
  if (found.why == Blocker::kLateClass) {
    const NumericClassId here = state.capacity.classes()[found.avoided->worker_class].numeric_class;
    return {Waiting::kCapacity, "worker " + worker + " has a slot, but numeric class " +
                                    state.loads.classes()[here] +
                                    " would have the shot done later than another one"};
  }
  if (found.why == Blocker::kCpuSlot)
    return {Waiting::kCapacity, "worker " + worker + " has a GPU slot, and leaves it to a free CPU slot"};
  const std::string what = found.why == Blocker::kFailedHere ? "failed" : "was too slow";
  return {Waiting::kCapacity, "it " + what + " on worker " + worker + ", which has a slot; attempt " +
                                  std::to_string(task.attempt + 1) + " waits for another one that fits"};
}

// All that fit are busy: which show or priority goes first?
Explanation queued(const State& state, const Task& task) {
  const Flow& flow = state.queue.flows()[state.queue.scheduling_classes()[task.scheduling_class].flow];
  const Show& show = state.shows[flow.show];
  const SlotKind kind = kind_of(state, state.queue.scheduling_classes()[task.scheduling_class].needs);
  const std::uint32_t slots = state.capacity.slots()[kind];
  std::vector<policy::ShowLoad> loads;
  for (const Show& other : state.shows)
    loads.push_back({other.slots[kind], other.ready > 0, other.weight, other.floor, other.pass});
  const auto order = policy::fair_order(loads, slots);
  const std::string busy = "all workers that fit are busy";
  if (!order.empty() && ShowId(order.front()) != flow.show) {
    const Show& first = state.shows[ShowId(order.front())];
    const bool floor = policy::below_floor(loads[order.front()], slots) > 0;
    return {Waiting::kShare, busy + "; show " + first.name +
                                 (floor ? " is below its floor" : " has had less of its share") +
                                 " and goes before " + show.name};
  }
  for (const FlowId id : show.flows) {
    const Flow& other = state.queue.flows()[id];
    if (other.scheduling_classes.empty() || other.priority == flow.priority || other.pass >= flow.pass)
      continue;
    return {Waiting::kShare, busy + "; shots of priority " + std::to_string(other.priority) +
                                 " have had less of their rate and go first"};
  }
  return {Waiting::kCapacity, busy + "; " + std::to_string(state.queue.ready()) + " tasks are ready"};
}

Explanation placement(const State& state, const Task& task, Now now) {
  const Requirements needs = needs_of(state, task);
  const Shot& shot = state.shots[task.shot];
  const Survey found = survey(state, task, needs, now);
  if (!found.connected) return {Waiting::kNoWorker, "no worker is connected"};
  if (!found.model) {
    return {Waiting::kNoModel, "no connected worker has the model " + shot.spec.recipe.model + " (digest " +
                                   to_hex(shot.spec.recipe.model_digest).substr(0, 12) + ")"};
  }
  if (!found.numeric_class) {
    const char* const kind =
        slot_kind_of(needs.numeric_class) == SlotKind::kGpu ? "a GPU slot" : "a CPU slot";
    return {Waiting::kNoClass, "the shot is pinned to numeric class " + needs.numeric_class +
                                   ", which no connected worker with its model offers; it needs " + kind};
  }
  if (!found.stored) {
    return {Waiting::kNoClass,
            "its description may be longer than a message, which needs a worker of a newer build"};
  }
  if (!found.memory) {
    const Worker& most = *found.largest;
    const policy::Footprint takes = footprint(most, needs);
    const Resources& has = most.offer.resources;
    return {Waiting::kNoMemory, "needs " + words_of(takes) + "; the largest worker that could run it, " +
                                    most.name + ", has " +
                                    words_of({takes.kind, has.host_bytes,
                                              takes.device_bytes > 0 ? policy::device_bytes_each(has) : 0})};
  }
  if (!found.takes) return {Waiting::kHeldBack, "the workers that fit are draining or quarantined"};
  if (const auto* limit = policy::full_limit(state.sharing.limits, state.held, needs.stage, shot.spec.limits);
      limit != nullptr) {
    return {Waiting::kLimit, "the limit " + limit->name +
                                 " is used up: " + std::to_string(policy::held(*limit, state.held)) + " of " +
                                 std::to_string(limit->count) + " are held"};
  }
  if (found.room != nullptr) return {Waiting::kNext, "is leased with the next dispatch"};
  for (const Reservation& mine : state.capacity.reservations()) {
    if (mine.task != task.plan.id) continue;
    const Worker& worker = state.workers[mine.worker];
    return {Waiting::kReserved, "worker " + worker.name + " is kept free for its " +
                                    mib(footprint(worker, needs).host_bytes) + ", " +
                                    in_about(mine.start_ms, now)};
  }
  if (found.kept != nullptr) {
    return {Waiting::kReserved, "worker " + state.workers[found.kept->worker].name +
                                    " is kept free for the wider " +
                                    quoted(state, state.task(found.kept->task))};
  }
  if (found.crowded != nullptr) {
    const Worker& worker = *found.crowded;
    const Resources& has = worker.offer.resources;
    const std::uint64_t taken = policy::host_bytes_taken(worker.held_bytes, has.slots);
    return {Waiting::kCapacity, "needs " + words_of(footprint(worker, needs)) + "; worker " + worker.name +
                                    " has a slot, but only " +
                                    mib(has.host_bytes - std::min(has.host_bytes, taken)) +
                                    " of host memory beside what it runs"};
  }
  if (found.unloaded) {
    return {Waiting::kCapacity, "workers that have " + shot.spec.recipe.model +
                                    " loaded get to it sooner than a free one could load it"};
  }
  return found.avoided != nullptr ? avoided(state, task, found) : queued(state, task);
}

}  // namespace

const char* to_string(Waiting waiting) {
  constexpr const char* kWords[] = {
      "",         "inputs",    "checkpoint", "blocked", "paused",   "backoff", "no worker", "no model",
      "no class", "no memory", "held back",  "limit",   "reserved", "share",   "capacity",  "next"};
  return kWords[static_cast<int>(waiting)];
}

Explanation explain(const State& state, const Task& task, Now now) {
  const Shot& shot = state.shots[task.shot];
  switch (task.state) {
    case TaskState::kPending:
      return inputs(state, task);
    case TaskState::kReady:
      break;
    case TaskState::kLeased:
    case TaskState::kRunning:
      return held(state, task, now);
    case TaskState::kFailed:
      return {Waiting::kBlocked, "failed and needs a person: " + task.closed_reason};
    default:
      return {};
  }
  if (shot.pause_requested) return {Waiting::kPaused, "its shot is paused"};
  if (task.retry_at_ms > 0) {
    const std::string& last = task.bad_attempts.empty() ? std::string() : task.bad_attempts.back().message;
    return {Waiting::kBackoff,
            "attempt " + std::to_string(task.attempt) + " failed (" + last + "), tried again in " +
                std::to_string(std::max<std::int64_t>(0, task.retry_at_ms - now.boot_ms + 999) / 1000) +
                " s"};
  }
  return placement(state, task, now);
}

Explanation explain(const State& state, const Shot& shot, Now now, TaskId* whose) {
  if (shot.state == ShotState::kDelivered || shot.state == ShotState::kCancelled) return {};
  if (shot.state == ShotState::kAttention) return {Waiting::kBlocked, "needs a person: " + shot.reason};
  if (shot.pause_requested)
    return {Waiting::kPaused, shot.paused ? "is paused" : "pauses when its running tasks end"};
  const auto count = [&](TaskState s) { return shot.counts[static_cast<int>(s)]; };
  if (count(TaskState::kLeased) + count(TaskState::kRunning) > 0) return {};
  if (shot.state == ShotState::kReview)
    return {Waiting::kBlocked, shot.reason.empty() ? "a person has to approve a take" : shot.reason};
  for (const TaskState wanted : {TaskState::kReady, TaskState::kPending}) {
    if (count(wanted) == 0) continue;
    for (const TaskId id : shot.tasks) {
      const Task& task = state.task(id);
      if (task.state != wanted) continue;
      Explanation found = explain(state, task, now);
      found.text = quoted(state, task) + ": " + found.text;
      if (whose != nullptr) *whose = id;
      return found;
    }
  }
  return {};
}

}  // namespace rushes::scheduler
