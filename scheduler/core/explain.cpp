#include "scheduler/core/explain.h"

#include <algorithm>

#include "scheduler/core/index.h"
#include "scheduler/core/policy/fit.h"
#include "scheduler/core/policy/numeric_class.h"
#include "scheduler/plan/compose.h"

namespace rushes::scheduler {
namespace {

std::string quoted(const State& state, const Task& task) {
  return "task " + std::to_string(task.plan.id) + " (" + task_name(state.shots[task.shot].spec, task.plan) +
         ")";
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
      if (maker.state == TaskState::kSucceeded || maker.state == TaskState::kSkipped) continue;
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
  return {Waiting::kInputs, "needs " + quoted(state, *open) + ", which is " + to_string(open->state)};
}

Explanation placement(const State& state, const Task& task) {
  const Needs needs = needs_of(state, task);
  const Shot& shot = state.shots[task.shot];
  bool connected = false, model = false, cls = false, memory = false, held_back = false, room = false;
  for (const Worker& worker : state.workers) {
    if (!worker.connected) continue;
    connected = true;
    const policy::Fit fit = policy::fit(worker, needs);
    model = model || fit != policy::Fit::kNoModel;
    cls = cls || fit > policy::Fit::kNoClass || fit == policy::Fit::kFits;
    memory = memory || fit == policy::Fit::kFits;
    if (fit != policy::Fit::kFits) continue;
    if (!policy::takes_work(worker)) {
      held_back = true;
      continue;
    }
    if (needs.numeric_class.empty() && policy::choose_class(worker, state.workers, needs).empty()) continue;
    room = room || worker.leases.size() < worker.slots;
  }
  if (!connected) return {Waiting::kNoWorker, "no worker is connected"};
  if (!model) {
    return {Waiting::kNoModel, "no connected worker has the model " + shot.spec.recipe.model + " (digest " +
                                   storage::to_hex(shot.spec.recipe.model_digest).substr(0, 12) + ")"};
  }
  if (!cls) {
    return {Waiting::kNoClass, "the shot is pinned to numeric class " + needs.numeric_class +
                                   ", which no connected worker with its model offers"};
  }
  if (!memory) {
    return {Waiting::kNoMemory,
            "needs " + mib(needs.memory_bytes) + ", more than a slot of any connected worker has"};
  }
  if (room) return {Waiting::kNext, "is leased with the next dispatch"};
  const bool all_held_back =
      held_back && std::none_of(state.workers.begin(), state.workers.end(), [&](const Worker& w) {
        return policy::takes_work(w) && policy::fit(w, needs) == policy::Fit::kFits;
      });
  if (all_held_back) return {Waiting::kHeldBack, "the workers that fit are draining or quarantined"};
  return {Waiting::kCapacity,
          "all workers that fit are busy; " + std::to_string(state.ready) + " tasks are ready"};
}

}  // namespace

Explanation explain(const State& state, const Task& task, Now now) {
  const Shot& shot = state.shots[task.shot];
  switch (task.state) {
    case TaskState::kPending:
      return inputs(state, task);
    case TaskState::kReady:
      break;
    case TaskState::kFailed:
      return {Waiting::kBlocked, "failed and needs a person: " + task.closed_reason};
    default:
      return {};
  }
  if (shot.pause_requested) return {Waiting::kPaused, "its shot is paused"};
  if (task.retry_at_ms > now.boot_ms) {
    const std::string& last = task.bad_attempts.empty() ? std::string() : task.bad_attempts.back().message;
    return {Waiting::kBackoff, "attempt " + std::to_string(task.attempt) + " failed (" + last +
                                   "), tried again in " +
                                   std::to_string((task.retry_at_ms - now.boot_ms + 999) / 1000) + " s"};
  }
  return placement(state, task);
}

Explanation explain(const State& state, const Shot& shot, Now now) {
  if (shot.state == ShotState::kDelivered || shot.state == ShotState::kCancelled) return {};
  if (shot.state == ShotState::kAttention) return {Waiting::kBlocked, "needs a person: " + shot.reason};
  if (shot.pause_requested)
    return {Waiting::kPaused, shot.paused ? "is paused" : "pauses when its running tasks end"};
  const auto count = [&](TaskState s) { return shot.counts[static_cast<int>(s)]; };
  if (count(TaskState::kLeased) + count(TaskState::kRunning) > 0) return {};
  if (shot.state == ShotState::kReview) return {Waiting::kBlocked, "waits for a person to approve a take"};
  for (const TaskState wanted : {TaskState::kReady, TaskState::kPending}) {
    if (count(wanted) == 0) continue;
    for (const TaskId id : shot.tasks) {
      const Task& task = state.task(id);
      if (task.state != wanted) continue;
      Explanation found = explain(state, task, now);
      found.text = quoted(state, task) + ": " + found.text;
      return found;
    }
  }
  return {};
}

}  // namespace rushes::scheduler
