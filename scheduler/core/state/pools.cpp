#include "scheduler/core/state/pools.h"

#include <algorithm>

#include "scheduler/core/policy/affinity.h"
#include "scheduler/core/policy/fit.h"
#include "scheduler/core/state/index.h"

namespace rushes::scheduler::index {

std::uint32_t class_of(State& state, const std::string& numeric_class) {
  if (numeric_class.empty()) return kNoIndex;
  const auto found = std::find(state.classes.begin(), state.classes.end(), numeric_class);
  const auto index = static_cast<std::uint32_t>(found - state.classes.begin());
  if (found == state.classes.end()) state.classes.push_back(numeric_class);
  return index;
}

std::uint32_t pool_of(State& state, const Digest& model, std::uint32_t numeric_class) {
  const auto [found, is_new] =
      state.pool_index.try_emplace({model, numeric_class}, static_cast<std::uint32_t>(state.pools.size()));
  if (is_new) {
    Pool& pool = state.pools.emplace_back();
    pool.model = model;
    pool.numeric_class = numeric_class;
  }
  return found->second;
}

void set_pool(State& state, Shot& shot) {
  const std::uint32_t before = shot.pool;
  shot.pool = pool_of(state, shot.spec.recipe.model_digest, class_of(state, shot.numeric_class));
  if (before == shot.pool) return;
  if (before != kNoIndex)
    state.pools[before].left_seconds = std::max(0.0, state.pools[before].left_seconds - shot.left_seconds);
  state.pools[shot.pool].left_seconds += shot.left_seconds;
}

void add_left(State& state, Shot& shot, double seconds) {
  for (double* left : {&shot.left_seconds, &state.pools[shot.pool].left_seconds, &state.left_seconds})
    *left = std::max(0.0, *left + seconds);
}

void count_waiting(State& state, const Bucket& bucket, const Task& task, int by) {
  if (bucket.pool == kNoIndex || bucket.needs.ahead) return;
  const bool is_kept_from_some = task.failures > 0 || task.slow_on != kNoIndex;
  Pool& pool = state.pools[bucket.pool];
  pool.ready += static_cast<std::uint32_t>(by);  // wraps for -1
  pool.ready_seconds += by * policy::ready_seconds(static_cast<double>(task.cost), is_kept_from_some);
  if (pool.ready == 0) pool.ready_seconds = 0;
}

void count_held(State& state, const Task& task, double seconds) {
  if (!needs_model(task.plan)) return;
  double& held = state.pools[state.shots[task.shot].pool].held_seconds;
  held = std::max(0.0, held + seconds);
}

void count_model(State& state, Worker& worker) {
  worker.counted_loaded = worker.model_given != Digest{} && takes_work(worker);
  worker.counted_idle = worker.counted_loaded && worker.leases.size() < worker.offer.slots;
  if (!worker.counted_loaded) return;
  LoadedModel& model = state.models[worker.model_given];
  if (model.slots.size() < state.worker_classes.size()) {
    model.slots.resize(state.worker_classes.size());
    model.idle.resize(state.worker_classes.size());
  }
  model.slots[worker.worker_class] += worker.offer.slots;
  model.idle[worker.worker_class] += worker.counted_idle ? 1 : 0;
}

void uncount_model(State& state, Worker& worker) {
  if (!worker.counted_loaded) return;
  LoadedModel& model = state.models[worker.model_given];
  model.slots[worker.worker_class] -= worker.offer.slots;
  model.idle[worker.worker_class] -= worker.counted_idle ? 1 : 0;
  worker.counted_loaded = worker.counted_idle = false;
}

}  // namespace rushes::scheduler::index
