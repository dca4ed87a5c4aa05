#include "scheduler/core/state/model_loads.h"

#include <algorithm>
#include <cassert>

namespace rushes::scheduler {

const Pool* ModelLoads::find_pool(const Digest& model, NumericClassId numeric_class) const {
  const auto found = pool_index_.find({model, numeric_class});
  return found == pool_index_.end() ? nullptr : &pools_[found->second];
}

const LoadedModel* ModelLoads::find_model(const Digest& model) const {
  const auto found = models_.find(model);
  return found == models_.end() ? nullptr : &found->second;
}

NumericClassId ModelLoads::class_of(const std::string& numeric_class) {
  if (numeric_class.empty()) return kNoId;
  const auto found = std::find(classes_.begin(), classes_.end(), numeric_class);
  if (found != classes_.end()) return classes_.id_of(*found);
  classes_.add(numeric_class);
  return classes_.id_of(classes_.back());
}

PoolId ModelLoads::pool_of(const Digest& model, NumericClassId numeric_class) {
  const auto [found, is_new] = pool_index_.try_emplace({model, numeric_class}, pools_.next_id());
  if (is_new) {
    Pool& pool = pools_.add();
    pool.model = model;
    pool.numeric_class = numeric_class;
  }
  return found->second;
}

void ModelLoads::add_left(PoolId index, double seconds) {
  double& left = pools_[index].left_seconds;
  left = std::max(0.0, left + seconds);
}

void ModelLoads::count_waiting(PoolId index, int by, double seconds) {
  Pool& pool = pools_[index];
  assert(by > 0 || pool.ready > 0);
  pool.ready += static_cast<std::uint32_t>(by);  // wraps for -1
  pool.ready_seconds += by * seconds;
  if (pool.ready == 0) pool.ready_seconds = 0;
}

void ModelLoads::count_held(PoolId index, double seconds) {
  double& held = pools_[index].held_seconds;
  held = std::max(0.0, held + seconds);
}

void ModelLoads::count_worker(const Digest& digest, WorkerClassId worker_class, std::uint32_t slots,
                              bool has_free_slot, int by) {
  LoadedModel& model = models_[digest];
  const std::size_t index = worker_class.number();
  if (model.slots.size() <= index) {
    model.slots.resize(index + 1);
    model.idle.resize(index + 1);
  }
  assert(by > 0 || model.slots[index] >= slots);
  model.slots[index] += static_cast<std::uint32_t>(by) * slots;
  model.idle[index] += static_cast<std::uint32_t>(by) * (has_free_slot ? 1 : 0);
}

void ModelLoads::learn_load(const Digest& model, double seconds) {
  policy::Estimate& load = models_[model].load;
  load = policy::learned(load, seconds);
}

}  // namespace rushes::scheduler
