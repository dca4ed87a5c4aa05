#include "scheduler/core/report/view.h"

#include <algorithm>

#include "scheduler/core/dispatch/placement.h"
#include "scheduler/core/policy/fit.h"
#include "scheduler/core/report/explain.h"
#include "scheduler/core/report/forecast.h"
#include "scheduler/core/state/costs.h"
#include "scheduler/core/state/estimates.h"
#include "scheduler/core/state/needs.h"
#include "scheduler/core/state/retention.h"
#include "scheduler/plan/compose.h"

namespace rushes::scheduler::view {
namespace {

// 0..1: how far a task is.
float fraction_of(const Task& task) {
  if (task.state == TaskState::kSucceeded || task.state == TaskState::kSkipped) return 1;
  return task.state == TaskState::kRunning ? task.progress.fraction : 0;
}

WindowProgress window_progress(const State& state, const Range& latents, std::uint32_t window,
                               const std::vector<TaskId>& tasks) {
  WindowProgress progress;
  progress.window = window;
  progress.latents = latents;
  progress.segments = static_cast<std::uint32_t>(tasks.size());
  double done_work = 0, work = 0;
  for (const TaskId id : tasks) {
    const Task& task = state.task(id);
    work += task.plan.work;
    done_work += task.plan.work * static_cast<double>(fraction_of(task));
    progress.done += task.state == TaskState::kSucceeded ? 1 : 0;
    progress.revision = std::max(progress.revision, task.plan.revision);
    if (is_held(task.state)) {
      progress.doing = task.progress.text;
      progress.worker = state.workers[task.lease().worker].name;
    }
  }
  progress.fraction = work > 0 ? static_cast<float>(done_work / work) : 0;
  return progress;
}

std::vector<WindowProgress> draft_windows(const State& state, const Shot& shot, const Take& take) {
  std::vector<WindowProgress> result;
  const std::size_t segments = shot.spec.recipe.draft.segments.size();
  for (std::uint32_t w = 0; w < shot.spec.recipe.windows.size(); ++w) {
    if (!is_planned(take)) {
      WindowProgress waiting;
      waiting.window = w;
      waiting.latents = shot.spec.recipe.windows[w];
      waiting.segments = static_cast<std::uint32_t>(segments);
      result.push_back(waiting);
      continue;
    }
    const auto& denoise = take.versions.back().graph.denoise;  // the newest is what is rendered now
    const auto begin = denoise.begin() + static_cast<std::ptrdiff_t>(w * segments);
    result.push_back(window_progress(state, shot.spec.recipe.windows[w], w,
                                     {begin, begin + static_cast<std::ptrdiff_t>(segments)}));
  }
  return result;
}

std::vector<WindowProgress> master_windows(const State& state, const Shot& shot, const Take& take) {
  std::vector<WindowProgress> result;
  const auto& refine = take.upgrade.refine;
  const std::size_t windows = shot.spec.recipe.windows.size();
  for (std::uint32_t w = 0; w < windows && !refine.empty(); ++w) {
    const std::size_t each = refine.size() / windows;
    const auto begin = refine.begin() + static_cast<std::ptrdiff_t>(w * each);
    result.push_back(window_progress(state, shot.spec.recipe.windows[w], w,
                                     {begin, begin + static_cast<std::ptrdiff_t>(each)}));
  }
  return result;
}

void add_seconds(std::vector<StageSeconds>& stages, const Task& task) {
  auto found = std::find_if(stages.begin(), stages.end(), [&](const StageSeconds& s) {
    return s.stage == task.plan.stage && s.level == task.plan.level;
  });
  if (found == stages.end()) {
    stages.push_back({task.plan.stage, task.plan.level, 0, 0, 0});
    found = stages.end() - 1;
  }
  ++found->tasks;
  if (task.state != TaskState::kSucceeded) return;
  ++found->done;
  found->wall_seconds += task.result.wall_seconds;
}

// What is not planned yet is pending for people.
TaskCounts counts_of(const Shot& shot) {
  TaskCounts counts = shot.counts;
  counts[static_cast<std::size_t>(TaskState::kPending)] += static_cast<std::uint32_t>(shot.unplanned);
  return counts;
}

std::optional<Output> output_of(const Task& task, Role role) {
  for (const Output& output : task.result.outputs)
    if (output.role == role) return output;
  return std::nullopt;
}

std::vector<DecodedTile> decoded_by(const State& state, const std::vector<TaskId>& decode) {
  std::vector<DecodedTile> tiles;
  for (const TaskId id : decode) {
    const Task& task = state.task(id);
    if (const auto frames = output_of(task, Role::kFrames)) tiles.push_back({task.plan.tile, *frames});
  }
  return tiles;
}

TakeInfo take_info(const State& state, const Shot& shot, const Take& take, bool details) {
  TakeInfo info;
  const Version kept = is_planned(take) ? take.versions[take.kept] : Version{};
  info.number = take.number;
  info.state = take.state;
  info.reason = take.reason;
  info.seed = shot.spec.seeds[take.number - 1];
  const auto rank = std::find(shot.ranking.begin(), shot.ranking.end(), take.number);
  info.rank = rank == shot.ranking.end() ? 0 : static_cast<std::uint32_t>(rank - shot.ranking.begin()) + 1;
  info.verdict = kept.verdict;
  info.score = kept.score;
  info.judged = kept.judged;
  if (is_planned(take))
    info.recipe_hash = to_hex(take.master_recipe.empty() ? kept.recipe_hash : take.master_recipe_hash);
  for (const Version& version : take.versions) {
    info.versions.push_back({version.number,
                             version.windows,
                             version.seed,
                             version.reason,
                             version.by,
                             version.judged,
                             version.number == take.kept,
                             has_left(take, version),
                             version.verdict,
                             version.score,
                             {},
                             std::nullopt,
                             std::nullopt,
                             {}});
    if (!details || has_left(take, version)) continue;
    VersionInfo& row = info.versions.back();
    const Task& critique = state.task(version.graph.critique);
    row.movie = output_of(critique, Role::kProxy);
    row.sheet = output_of(critique, Role::kSheet);
    row.decoded = decoded_by(state, version.graph.decode);
  }
  info.left_reason = take.left.reason;
  info.left_wall_ms = take.left.wall_ms;
  if (details) {
    const auto& master = take.upgrade.decode;
    if (!master.empty() && !has_left(state, state.task(master.front())))
      info.master_decoded = decoded_by(state, master);
    info.windows = draft_windows(state, shot, take);
    info.master_windows = master_windows(state, shot, take);
  }
  return info;
}

// One pass over the shot's tasks fills what all takes need of them.
struct Sums {
  std::vector<double> tasks, done;  // by take number; 0: the shot
  double remaining_seconds = 0;
  bool measured = true;
};

Sums add_tasks(const State& state, const Shot& shot, ShotInfo& info, Now now, bool details) {
  Sums sums;
  sums.tasks.resize(shot.takes.size() + 1);
  sums.done.resize(shot.takes.size() + 1);
  for (const TaskId id : shot.tasks) {
    const Task& task = state.task(id);
    const std::uint32_t n = task.plan.take;
    const DeviceSeconds cost = cost_of(task, now);
    info.cost += cost;
    if (task.state != TaskState::kCancelled && task.state != TaskState::kAborted) {
      sums.tasks[n] += 1;
      sums.done[n] += static_cast<double>(fraction_of(task));
      const double left = 1 - static_cast<double>(fraction_of(task));
      if (left > 0) {
        const policy::Expected time = expected(state, task);
        sums.measured = sums.measured && time.measured;
        sums.remaining_seconds += time.seconds * left;
      }
    }
    if (n == 0) continue;
    TakeInfo& take = info.takes[n - 1];
    take.cost += cost;
    if (task.plan.level == 0 && task.plan.revision < take.versions.size() &&
        task.plan.stage != Stage::kDeliver) {
      take.versions[task.plan.revision].cost += cost;
    }
    if (is_held(task.state)) take.stage = to_string(task.plan.stage);
    if (details) add_seconds(take.seconds, task);
  }
  return sums;
}

ShotTimes times_of(const State& state, const Shot& shot, Now now) {
  std::vector<WallSpan> ran;
  for (const TaskId id : shot.tasks) {
    const Task& task = state.task(id);
    if (task.state == TaskState::kSucceeded && task.accepted_started_wall_ms > 0)
      ran.push_back({task.accepted_started_wall_ms, task.finished_wall_ms});
    else if (task.state == TaskState::kRunning && task.lease().started_wall_ms > 0)
      ran.push_back({task.lease().started_wall_ms, now.wall_ms});
  }
  const std::int64_t end = shot.finished_wall_ms > 0 ? shot.finished_wall_ms : now.wall_ms;
  return shot_times({shot.created_wall_ms, end}, std::move(ran), shot.person_waits);
}

NotableTask notable_task(const State& state, const Shot& shot, const Task& task) {
  NotableTask row{task.plan.id, task_name(shot.spec, task.plan), task.state, "", fraction_of(task), ""};
  if (is_held(task.state)) {
    row.worker = state.workers[task.lease().worker].name;
    row.words = task.progress.text;
  } else if (!task.bad_attempts.empty()) {
    row.worker = task.bad_attempts.back().worker;
    row.words = task.bad_attempts.back().message;
  }
  return row;
}

std::vector<NotableTask> notable_tasks(const State& state, const Shot& shot) {
  std::vector<NotableTask> rows, running;
  for (const TaskId id : shot.tasks) {
    const Task& task = state.task(id);
    const bool attention = shot.state == ShotState::kAttention && shot.attention_task == id;
    if (attention || task.state == TaskState::kFailed)
      rows.push_back(notable_task(state, shot, task));
    else if (task.state == TaskState::kRunning)
      running.push_back(notable_task(state, shot, task));
  }
  rows.insert(rows.end(), running.begin(), running.end());
  if (rows.size() > kMaxNotable) rows.resize(kMaxNotable);
  return rows;
}

ShotInfo shot_info(const State& state, const Shot& shot, Now now, bool details) {
  ShotInfo info;
  info.shot = shot.key;
  info.show = shot.spec.show;
  info.name = shot.spec.name;
  info.prompt = shot.spec.recipe.prompt;
  info.model = shot.spec.recipe.model;
  info.state = shot.state;
  info.reason = shot.reason;
  info.attention_task = shot.attention_task;
  TaskId waits;
  const Explanation why = explain(state, shot, now, &waits);
  info.waiting = why.text;
  info.waiting_for = to_string(why.waiting);
  if (details && waits != kNoId) info.starts_in_seconds = Forecast(state, now).starts_in(state.task(waits));
  info.deadline_wall_ms = shot.spec.deadline_wall_ms;
  info.at_risk = shot.urgent;
  info.slack_seconds = static_cast<double>(shot.slack_ms) / 1000;
  info.limits = shot.spec.limits;
  info.pause_requested = shot.pause_requested;
  info.paused = shot.paused;
  info.priority = shot.spec.priority;
  info.frames = shot.spec.recipe.frames;
  info.fps = shot.spec.deliver_rate;
  info.approved = shot.approved;
  if (shot.approved > 0) {  // else it was withdrawn, by whom the events say
    info.approved_by = shot.approved_by;
    info.approved_wall_ms = shot.approved_wall_ms;
  }
  if (details) {
    info.times = times_of(state, shot, now);
    info.notable = notable_tasks(state, shot);
  }
  info.batch = shot.batch;
  info.numeric_class = class_of(shot);
  info.tasks = counts_of(shot);
  info.deliveries = shot.deliveries;
  info.created_wall_ms = shot.created_wall_ms;
  info.started_wall_ms = shot.started_wall_ms;
  info.finished_wall_ms = shot.finished_wall_ms;
  for (const Take& take : shot.takes) info.takes.push_back(take_info(state, shot, take, details));

  const Sums sums = add_tasks(state, shot, info, now, details);
  double tasks = 0, done = 0;
  for (std::size_t n = 0; n < sums.tasks.size(); ++n) {
    tasks += sums.tasks[n];
    done += sums.done[n];
    if (n > 0 && sums.tasks[n] > 0)
      info.takes[n - 1].fraction = static_cast<float>(sums.done[n] / sums.tasks[n]);
  }
  info.fraction = tasks > 0 ? static_cast<float>(done / tasks) : 0;
  if (shot.started_wall_ms > 0) {
    const std::int64_t end = shot.finished_wall_ms > 0 ? shot.finished_wall_ms : now.wall_ms;
    info.elapsed_seconds = static_cast<double>(end - shot.started_wall_ms) / 1000;
  }
  // Work left, spread over the slots that are there; other shots' work is not counted.
  Requirements tensors;  // which are nearly all of it
  tensors.numeric_class = class_of(shot);
  const SlotKind kind = kind_of(state, tensors);
  std::uint32_t slots = 0;
  for (const Worker& worker : state.workers)
    slots += takes_work(worker) ? worker.offer.resources.slots[kind] : 0;
  if (sums.measured && slots > 0 && shot.started_wall_ms > 0)
    info.estimate_seconds = sums.remaining_seconds / slots;
  return info;
}

TaskInfo task_info(const State& state, const Task& task, Now now, Forecast& forecast) {
  const Shot& shot = state.shots[task.shot];
  TaskInfo info;
  info.task = task.plan.id;
  info.shot = shot.key;
  info.name = task_name(shot.spec, task.plan);
  info.stage = task.plan.stage;
  info.take = task.plan.take;
  info.level = task.plan.level;
  info.window = task.plan.window;
  info.segment = task.plan.segment;
  info.tile = task.plan.tile;
  info.revision = task.plan.revision;
  info.state = task.state;
  const Explanation why = explain(state, task, now);
  info.reason = task.closed_reason.empty() ? why.text : task.closed_reason;
  info.waiting_for = to_string(why.waiting);
  info.starts_in_seconds = forecast.starts_in(task);
  info.ahead = is_held(task.state) && task.missing > 0;
  info.attempts = task.attempt;
  info.failures = task.failures;
  info.lost_attempts = task.lost_attempts;
  const WorkerId worker = is_held(task.state) ? task.lease().worker : task.accepted_worker;
  if (state.workers.has(worker)) info.worker = state.workers[worker].name;
  info.fraction = fraction_of(task);
  for (const Dependency& need : task.plan.needs) info.needs.push_back(need.task);
  info.outputs = task.result.outputs;
  info.cost = cost_of(task, now);
  info.planned_wall_ms = task.planned_wall_ms;
  info.started_wall_ms = task.started_wall_ms;
  info.finished_wall_ms = task.finished_wall_ms;
  return info;
}

// By the attempts that have a slot.
Resources taken_of(const State& state, const Worker& worker) {
  Resources taken;
  for (const TaskId id : all_leases(worker)) {
    const Task& task = state.task(id);
    if (task.holding.queued_in != kNoId) continue;
    const policy::Footprint takes = footprint_of(state, worker, task);
    ++taken.slots[takes.kind];
    taken.host_bytes += takes.host_bytes;
    taken.device_bytes += takes.device_bytes;
  }
  return taken;
}

const char* state_of(const Worker& worker) {
  if (worker.stopped_wall_ms > 0) return "stopped";
  if (!worker.connected) return "lost";
  if (worker.leaving) return "draining";
  if (worker.draining) return held_by(worker) == 0 ? "drained" : "draining";
  return worker.quarantined_until_ms > 0 ? "quarantined" : "connected";
}

}  // namespace

FarmInfo farm(const State& state) {
  FarmInfo info;
  info.epoch = state.epoch;
  info.last_event = state.events.last();
  info.tasks = state.work.counts();
  info.tasks[static_cast<std::size_t>(TaskState::kPending)] +=
      static_cast<std::uint32_t>(state.work.unplanned());
  info.shots = static_cast<std::uint32_t>(state.shots.size());
  for (const Shot& shot : state.shots) {
    info.open_shots += shot.state != ShotState::kDelivered && shot.state != ShotState::kCancelled ? 1 : 0;
  }
  for (const Worker& worker : state.workers) {
    info.workers += worker.forgotten ? 0 : 1;
    info.connected += worker.connected ? 1 : 0;
    info.slots += worker.connected ? total(worker.offer.resources.slots) : 0;
  }
  info.counters = state.counters;
  return info;
}

FarmFigures figures(const State& state) {
  FarmFigures all;
  all.farm = farm(state);
  for (const Show& show : state.shows) all.shows.push_back({show.name, {}, {}});
  for (const Shot& shot : state.shots) {
    ShowFigures& show = all.shows[shot.show.number()];
    const TaskCounts counts = counts_of(shot);
    for (std::size_t i = 0; i < counts.size(); ++i) show.tasks[i] += counts[i];
    for (std::size_t i = 0; i < shot.costs.size(); ++i) show.costs[i] += shot.costs[i];
    if (shot.archived == 0) ++all.shots[static_cast<std::size_t>(shot.state)];
  }
  for (const char* name : {"connected", "lost", "stopped", "draining", "drained", "quarantined"})
    all.workers[name] = 0;
  for (const Worker& worker : state.workers)
    if (!worker.forgotten) ++all.workers[state_of(worker)];
  for (const Worker& worker : state.workers)
    if (worker.connected && !worker.devices.empty()) all.devices[worker.name] = worker.devices;
  return all;
}

std::vector<ShotInfo> shots(const State& state, Now now) {
  std::vector<ShotInfo> result;
  for (const Shot& shot : state.shots) result.push_back(shot_info(state, shot, now, false));
  return result;
}

std::optional<ShotInfo> shot(const State& state, std::string_view key, Now now) {
  const Shot* found = state.find_shot(key);
  if (found == nullptr) return std::nullopt;
  return shot_info(state, *found, now, true);
}

std::optional<TaskInfo> task(const State& state, TaskId id, Now now) {
  if (!state.has_task(id)) return std::nullopt;
  Forecast forecast(state, now);
  return task_info(state, state.task(id), now, forecast);
}

std::vector<TaskInfo> tasks(const State& state, std::string_view key, Now now) {
  std::vector<TaskInfo> result;
  if (const Shot* found = state.find_shot(key); found != nullptr) {
    Forecast forecast(state, now);
    for (const TaskId id : found->tasks) result.push_back(task_info(state, state.task(id), now, forecast));
  }
  return result;
}

std::vector<CritiqueInfo> critiques(const State& state, std::string_view key) {
  std::vector<CritiqueInfo> result;
  const Shot* found = state.find_shot(key);
  if (found == nullptr) return result;
  for (const TaskId id : found->tasks) {
    const Task& task = state.task(id);
    if (task.plan.stage != Stage::kCritique) continue;
    result.push_back({id, task.plan.take, task.plan.revision, task.plan.window, task.plan.whole_take,
                      task.state, task.progress.text, task.plan.frames, task.result.critique});
  }
  return result;
}

std::vector<WorkerInfo> workers(const State& state, Now now) {
  std::vector<WorkerInfo> result;
  for (const Worker& worker : state.workers) {
    if (worker.forgotten) continue;
    WorkerInfo info;
    info.name = worker.name;
    info.build = worker.offer.build;
    info.state = state_of(worker);
    info.prefetch = worker.offer.prefetch;
    info.tasks = all_leases(worker);
    info.held = static_cast<std::uint32_t>(info.tasks.size());
    info.cost = worker.cost;
    for (const TaskId id : info.tasks) {
      const Task& task = state.task(id);
      info.running += task.state == TaskState::kRunning ? 1 : 0;
      info.cost.used[task.holding.kind] += slot_seconds(task, now);
    }
    info.offered = worker.offer.resources;
    info.taken = taken_of(state, worker);
    info.numeric_classes = worker.offer.numeric_classes;
    for (const ModelOffer& model : worker.offer.models) info.models.push_back(model.name);
    info.accepted = worker.accepted;
    info.failed = worker.failed;
    info.seen_wall_ms = worker.seen_wall_ms;
    info.joined_wall_ms = worker.joined_wall_ms;
    info.drained = worker.draining;
    info.gone_wall_ms = worker.stopped_wall_ms > 0 ? worker.stopped_wall_ms
                        : worker.connected         ? 0
                                                   : worker.seen_wall_ms;
    if (!worker.connected && info.gone_wall_ms == 0) info.unheard_wall_ms = state.recovered_wall_ms;
    info.process = worker.process;
    info.devices = worker.devices;
    result.push_back(std::move(info));
  }
  return result;
}

}  // namespace rushes::scheduler::view
