// What every model has left to do in every numeric class, and which workers have it loaded.
//
// Thread contract: as State; only apply() calls functions that are not const.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "scheduler/core/policy/estimate.h"
#include "scheduler/core/state/facts.h"
#include "storage/records/ids.h"

namespace rushes::scheduler {

// The work of one model in one numeric class, in expected seconds.
struct Pool {
  Digest model{};
  NumericClassId numeric_class;  // none: of shots that have none yet
  double left_seconds = 0;       // all that is open of its shots
  std::uint32_t ready = 0;       // tasks in scheduling classes that need the model and would not run ahead
  double ready_seconds = 0, held_seconds = 0;  // of those tasks; of the leased ones
};

// A model and the workers that were given a task of it last.
struct LoadedModel {
  std::vector<std::uint32_t> slots, idle;  // by worker class: their slots; workers with a free one
  policy::Estimate load;                   // seconds that loading it took
};

class ModelLoads {
 public:
  // Numeric classes that a worker offered or a shot is pinned to.
  const IndexedBy<NumericClassId, std::string>& classes() const { return classes_; }
  const IndexedBy<PoolId, Pool>& pools() const { return pools_; }
  const Pool* find_pool(const Digest& model, NumericClassId numeric_class) const;  // null: there is none
  const LoadedModel* find_model(const Digest& model) const;                        // null: no worker has it

  NumericClassId class_of(const std::string& numeric_class);  // empty: none
  PoolId pool_of(const Digest& model, NumericClassId numeric_class);

  void add_left(PoolId pool, double seconds);
  void count_waiting(PoolId pool, int by,
                     double seconds);  // a task enters (1) or leaves (-1) a scheduling class
  void count_held(PoolId pool, double seconds);
  // A worker of a class, with so many slots, got the model (1) or lost it (-1).
  void count_worker(const Digest& model, WorkerClassId worker_class, std::uint32_t slots, bool has_free_slot,
                    int by);
  void learn_load(const Digest& model, double seconds);

 private:
  IndexedBy<NumericClassId, std::string> classes_;
  IndexedBy<PoolId, Pool> pools_;
  std::map<std::pair<Digest, NumericClassId>, PoolId> pool_index_;
  std::map<Digest, LoadedModel> models_;
};

}  // namespace rushes::scheduler
