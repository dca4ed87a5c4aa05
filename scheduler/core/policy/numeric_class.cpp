#include "scheduler/core/policy/numeric_class.h"

#include <algorithm>

#include "scheduler/core/policy/fit.h"

namespace rushes::scheduler::policy {
namespace {

bool has_gpu(const Worker& worker) {
  return std::any_of(worker.numeric_classes.begin(), worker.numeric_classes.end(), is_gpu_class);
}

}  // namespace

bool is_gpu_class(const std::string& numeric_class) { return numeric_class.starts_with("cuda-"); }

std::string choose_class(const Worker& worker, std::span<const Worker> workers, const Needs& needs) {
  if (worker.numeric_classes.empty()) return {};
  if (!has_gpu(worker)) {
    const bool gpu_there = std::any_of(workers.begin(), workers.end(), [&](const Worker& other) {
      return has_gpu(other) && takes_work(other) && fit(other, needs) == Fit::kFits;
    });
    if (gpu_there) return {};
  }
  return worker.numeric_classes.front();
}

}  // namespace rushes::scheduler::policy
