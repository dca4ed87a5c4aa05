// What the people of a described studio submit, and what becomes of each task: its run time, its result, its
// verdict.
//
// Everything is drawn by a hash of the seed and of what the task is (shot, take, stage, window, ...), never
// by its number or by when it runs: another schedule meets the same run times and the same verdicts.
//
// Thread contract: immutable after construction.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "config/model.h"
#include "scheduler/core/core.h"
#include "tests/simulation/farm/description.h"

namespace rushes::simulation::farm {

class Work {
 public:
  explicit Work(const Description& farm);

  // The batch as it is submitted for the `occurrence`th time (from 0).
  std::vector<scheduler::event::ShotRequest> shots(std::size_t batch, int occurrence,
                                                   std::int64_t now_wall_ms) const;
  ModelOffer offer(int model) const;
  int model_of(const scheduler::Shot& shot) const;  // index into Description::models

  // Names a task in all draws.
  std::uint64_t identity(const scheduler::Shot& shot, const scheduler::PlannedTask& task) const;
  // Seconds on a host of speed 1, without the model's load.
  double seconds(const scheduler::Shot& shot, const scheduler::PlannedTask& task) const;
  // What one attempt takes beyond that: 1, or the factor of a straggler.
  double slowness(const scheduler::Shot& shot, const scheduler::PlannedTask& task,
                  std::uint32_t attempt) const;
  // The part of its run time after which the attempt fails on a host that fails this share of attempts; 1: it
  // does not.
  double failure(const scheduler::Shot& shot, const scheduler::PlannedTask& task, std::uint32_t attempt,
                 double share) const;
  TaskResult result(const scheduler::Shot& shot, const scheduler::PlannedTask& task,
                    double wall_seconds) const;

 private:
  double mean_seconds(const scheduler::Shot& shot, const scheduler::PlannedTask& task) const;
  Critique critique(std::uint64_t identity, std::uint32_t windows, bool may_revise) const;

  const Description& farm_;
  std::vector<std::shared_ptr<const config::ModelManifest>> manifests_;
  std::vector<Digest> digests_;
  std::vector<double> step_work_;  // of one step of one native window, by model
};

}  // namespace rushes::simulation::farm
