#include "scheduler/core/state/estimates.h"

#include <algorithm>
#include <cmath>

#include "scheduler/plan/cost.h"

namespace rushes::scheduler {
namespace {

WorkKey key_of(const State& state, const Task& task) {
  const Shot& shot = state.shots[task.shot];
  return {task.plan.stage, task.plan.level, shot.spec.recipe.model, shot.numeric_class};
}

const policy::Estimate* find(const State& state, const WorkKey& key) {
  if (const auto exact = state.rates.find(key); exact != state.rates.end()) return &exact->second;
  const auto other = state.rates.lower_bound({key.stage, key.level, key.model, {}});
  const bool same = other != state.rates.end() && other->first.stage == key.stage &&
                    other->first.level == key.level && other->first.model == key.model;
  return same ? &other->second : nullptr;
}

}  // namespace

policy::Expected expected(const State& state, const Task& task) {
  const policy::Estimate* rate = find(state, key_of(state, task));
  if (rate == nullptr) {
    const double guess = first_guess(task.plan.stage) * task.plan.work + task.plan.host_seconds;
    return {guess, guess / 2, false};
  }
  return {rate->seconds(task.plan.work) + task.plan.host_seconds,
          rate->spread(task.plan.work) + task.plan.host_seconds / 2, true};
}

Pace pace(const State& state, const Shot& shot, Stage stage, std::uint32_t level) {
  const policy::Estimate* rate = find(state, {stage, level, shot.spec.recipe.model, shot.numeric_class});
  if (rate == nullptr) return {first_guess(stage), 0, false};
  return {rate->mean, rate->mean * rate->offset(), true};
}

Pace denoise_pace(const State& state, const Shot& shot, const std::string& numeric_class) {
  const auto found = state.rates.find({Stage::kDenoise, 0, shot.spec.recipe.model, numeric_class});
  if (found == state.rates.end()) return {};
  return {found->second.mean, found->second.mean * found->second.offset(), true};
}

double expected(const State& state, const Shot& shot, const StageWork& work, std::uint32_t level) {
  double seconds = 0;
  for (std::size_t i = 0; i < work.size(); ++i) {
    if (!(work[i].work > 0)) continue;
    seconds += pace(state, shot, static_cast<Stage>(i), level).of(work[i]);
  }
  return seconds;
}

double elapsed_seconds(const Task& task, std::int64_t now_ms) {
  if (task.state != TaskState::kRunning || task.holding.started_ms == 0) return 0;
  return std::max(0.0, static_cast<double>(now_ms - task.holding.started_ms) / 1000);
}

std::int64_t expected_end_ms(const State& state, const Task& task, std::int64_t now_ms) {
  const policy::Expected time = expected(state, task);
  const std::int64_t begin =
      task.state == TaskState::kRunning && task.holding.started_ms > 0 ? task.holding.started_ms : now_ms;
  const auto end = begin + static_cast<std::int64_t>(std::min(time.late(), 1e9) * 1000);
  return std::max(end, now_ms + 1);  // one that is late ends soon, as far as anybody knows
}

double load_seconds(const State& state, const Digest& model) {
  constexpr double kGuess = 60;  // large weights from a disk
  const LoadedModel* found = state.loads.find_model(model);
  return found == nullptr || found->load.samples == 0 ? kGuess : found->load.mean;
}

void learn(State& state, const Task& task, bool loaded) {
  // What the pictures took is planned and not measured; the pace of the class never comes out as nothing.
  const double wall = task.result.wall_seconds;
  const double seconds = std::max(wall - task.plan.host_seconds, wall / 100);
  if (!(task.plan.work > 0) || !(seconds > 0) || !std::isfinite(seconds)) return;
  policy::Estimate& rate = state.rates[key_of(state, task)];
  if (loaded && rate.samples >= policy::kFirst) {
    const double load = std::max(0.0, seconds - rate.seconds(task.plan.work));
    state.loads.learn_load(state.shots[task.shot].spec.recipe.model_digest, load);
  }
  rate = policy::learned(rate, seconds, task.plan.work, loaded);
}

}  // namespace rushes::scheduler
