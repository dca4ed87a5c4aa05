#include "scheduler/core/report/forecast.h"

#include <algorithm>

#include "scheduler/core/dispatch/placement.h"
#include "scheduler/core/policy/priority.h"
#include "scheduler/core/state/estimates.h"
#include "scheduler/core/state/needs.h"

namespace rushes::scheduler {
namespace {

constexpr int kLanes = 256;  // looked at; what lies behind them makes no answer much better

}  // namespace

std::optional<double> Forecast::starts_in(const Task& task) {
  if (state_.shots[task.shot].pause_requested) return std::nullopt;
  if (task.state == TaskState::kPending) return needs_in(task);
  if (task.state != TaskState::kReady) return std::nullopt;
  const std::optional<double> slot = slot_in(task);
  if (!slot) return std::nullopt;
  const double retry = static_cast<double>(std::max<std::int64_t>(0, task.retry_at_ms - now_.boot_ms)) / 1000;
  if (task.scheduling_class == kNoId) return std::max(retry, *slot);
  const auto open = static_cast<double>(std::max<std::uint64_t>(1, state_.queue.ready()));
  const double each = std::min(static_cast<double>(task.cost), state_.work.left_seconds() / open);
  const double turn = tasks_before(task) * each / (std::max(1u, slots_for(task)) * part_of_farm(task));
  return *slot + turn;
}

// Seconds until an attempt that is held ends.
double Forecast::attempt_ends_in(const Task& task) const {
  const std::int64_t since = task.holding.started_ms > 0 ? now_.boot_ms - task.holding.started_ms : 0;
  const double elapsed = static_cast<double>(std::max<std::int64_t>(0, since)) / 1000;
  return std::max(0.0, static_cast<double>(task.cost) - elapsed);
}

std::optional<double> Forecast::ends_in(const Task& task) {
  if (task.state == TaskState::kSucceeded) return needs_in(task);  // it ran ahead of a verdict
  if (is_held(task.state)) return attempt_ends_in(task);
  const std::optional<double> starts = starts_in(task);
  return starts ? std::optional(*starts + static_cast<double>(task.cost)) : std::nullopt;
}

std::optional<double> Forecast::needs_in(const Task& task) {
  if (const auto found = known_.find(task.plan.id); found != known_.end()) return found->second;
  std::optional<double> latest = 0;
  for (const Dependency& need : task.plan.needs) {
    const Task& maker = state_.task(need.task);
    if (is_done(maker) || !latest) continue;
    const std::optional<double> ends = ends_in(maker);
    latest = ends ? std::optional(std::max(*latest, *ends)) : std::nullopt;
  }
  return known_[task.plan.id] = latest;
}

// Until the first worker that fits has a slot; none: no worker fits.
std::optional<double> Forecast::slot_in(const Task& task) const {
  const Requirements needs = needs_of(state_, task);
  std::optional<double> soonest;
  for (const Worker& worker : state_.workers) {
    if (!takes_work(worker) || !fits(worker, needs)) continue;
    const policy::Footprint takes = footprint(worker, needs);
    if (has_room(worker, takes)) return 0;
    for (const TaskId held : worker.leases[takes.kind]) {
      const double ends = attempt_ends_in(state_.task(held));
      if (!soonest || ends < *soonest) soonest = ends;
    }
    if (worker.leases[takes.kind].empty()) soonest = 0;
  }
  return soonest;
}

std::uint32_t Forecast::slots_for(const Task& task) const {
  return state_.capacity.slots()[kind_of(state_, needs_of(state_, task))];
}

double Forecast::tasks_before(const Task& task) const {
  const SchedulingClass& scheduling_class = state_.queue.scheduling_classes()[task.scheduling_class];
  double before = 0;
  int looked = 0;
  for (const auto& [key, lane] : scheduling_class.lanes) {
    if (key.shot == task.shot) {
      const auto mine = lane.find({task.path, task.plan.id});
      return before + static_cast<double>(std::distance(lane.begin(), mine));
    }
    before += static_cast<double>(lane.size());
    if (++looked == kLanes) break;
  }
  const auto share = static_cast<double>(scheduling_class.lanes.size()) / std::max(1, looked);
  return before * share / 2;  // somewhere behind those: in the middle, for all that is known
}

double Forecast::part_of_farm(const Task& task) const {
  const Flow& mine = state_.queue.flows()[state_.queue.scheduling_classes()[task.scheduling_class].flow];
  double shows = 0, flows = 0;
  for (const Show& show : state_.shows) shows += show.ready > 0 ? show.weight : 0;
  for (const FlowId id : state_.shows[mine.show].flows) {
    const Flow& flow = state_.queue.flows()[id];
    if (!flow.scheduling_classes.empty()) flows += policy::rate_of(flow.priority);
  }
  const double part = state_.shows[mine.show].weight / std::max(1e-9, shows) *
                      policy::rate_of(mine.priority) / std::max(1e-9, flows);
  return std::clamp(part, 1e-6, 1.0);
}

}  // namespace rushes::scheduler
