#include "scheduler/core/dispatch/watch.h"

#include <algorithm>

#include "scheduler/core/decide/moves.h"
#include "scheduler/core/dispatch/placement.h"
#include "scheduler/core/policy/deadline.h"
#include "scheduler/core/policy/straggler.h"
#include "scheduler/core/state/estimates.h"
#include "scheduler/core/state/needs.h"

namespace rushes::scheduler {
namespace {

void watch_deadline(Decision& decision, ShotId id, double work_seconds) {
  const State& state = decision.state();
  const Shot& shot = state.shots[id];
  double path = 0;
  for (const TaskId task : shot.tasks) {
    if (!is_final(state.task(task).state)) path = std::max(path, static_cast<double>(state.task(task).path));
  }
  Requirements tensors;  // which are nearly all of the work
  tensors.numeric_class = class_of(shot);
  const double slots =
      state.capacity.slots()[kind_of(state, tensors)] * share_of(state, state.shows[shot.show]);
  const double left = policy::seconds_left(path, work_seconds, slots);
  const double slack = policy::slack_seconds(shot.spec.deadline_wall_ms, decision.now().wall_ms, left);
  // The slack cannot run out before it has passed, unless estimates or the queue change: look again well
  // before.
  const auto pause_ms = static_cast<std::int64_t>(std::clamp(slack / 8, 1.0, 30.0) * 1000);
  decision.emit(record::DeadlineSeen{id, shot.urgent || policy::at_risk(slack, left),
                                     static_cast<std::int64_t>(slack * 1000),
                                     decision.now().boot_ms + pause_ms});
}

}  // namespace

void watch_deadlines(Decision& decision) {
  const State& state = decision.state();
  std::vector<double> work(state.shows.size());  // by show: of its shots that are due no later
  const auto& open = state.work.deadlines();
  for (auto next = open.begin(); next != open.end();) {
    const auto after = open.upper_bound({next->first, kNoId});
    for (auto same = next; same != after; ++same) {
      const Shot& shot = state.shots[same->second];
      work[shot.show.number()] += shot.left_seconds;
    }
    for (; next != after; ++next) {
      const Shot& shot = state.shots[next->second];
      if (shot.look_at_ms <= decision.now().boot_ms)
        watch_deadline(decision, next->second, work[shot.show.number()]);
    }
  }
}

void relieve_stragglers(Decision& decision) {
  const State& state = decision.state();
  if (state.queue.ready() > 0) return;
  BySlotKind<std::vector<WorkerId>> idle;
  for (const SlotKind kind : kEverySlotKind)
    idle[kind].assign(state.capacity.idle(kind).begin(), state.capacity.idle(kind).end());
  if (idle[SlotKind::kCpu].empty() && idle[SlotKind::kGpu].empty()) return;
  std::vector<TaskId> held;
  for (const auto& [expires, id] : state.clock.expiries()) held.push_back(id);
  std::sort(held.begin(), held.end());
  for (const TaskId id : held) {
    const Task& task = state.task(id);
    if (task.state != TaskState::kRunning || task.lease().revoking || task.slow_on != kNoId) continue;
    const policy::Expected time = expected(state, task);
    const double elapsed = elapsed_seconds(task, decision.now().boot_ms);
    if (!policy::straggles(elapsed, time, decision.settings().scheduling)) continue;
    if (!policy::ends_sooner_elsewhere(elapsed, static_cast<double>(task.progress.fraction), time)) continue;
    const Requirements needs = needs_of(state, task);
    std::vector<WorkerId>& takers = idle[kind_of(state, needs)];
    const auto taker = std::find_if(takers.begin(), takers.end(), [&](WorkerId each) {
      const Worker& other = state.workers[each];
      return each != task.lease().worker && fits(other, needs) && has_room(other, footprint(other, needs));
    });
    if (taker == takers.end()) continue;
    takers.erase(taker);
    revoke(decision, task, TaskState::kReady, RevokeCause::kStraggler,
           "it is slow here: " + std::to_string(static_cast<long>(elapsed)) + " s, expected " +
               std::to_string(static_cast<long>(time.seconds)) + " s");
  }
}

}  // namespace rushes::scheduler
