// Shared by the subcommands that measure kernels: options, clock, a peak to compare with, and the table.
#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "kernels/backend.h"

namespace rushes::bench {

struct KernelOptions {
  int threads = 1;
  int runs = 9;
  bool json = false;
};
// Parses --threads, --runs, --json; returns an exit code to leave with, or -1 to go on.
int parse_kernel_options(int argc, char** argv, const char* summary, KernelOptions& options);

// Best seconds of each body over `runs` rounds, the bodies taking turns. One thread is timed by its own
// processor time, so that other programs on the machine do not count; more threads by the wall clock.
std::vector<double> best_seconds(const KernelOptions& options,
                                 const std::vector<std::function<void()>>& bodies);

// GFLOP/s of one core with all operands in the first cache, in the precision's own instructions: what nothing
// passes.
double peak_gflops(kernels::Precision precision);

// Random numbers in a new tensor.
kernels::Tensor random_tensor(kernels::Backend& backend, const kernels::Shape& shape);

// One line of the result: `gflops` by name ("ours", "onednn", ...), printed with ratios to the others and to
// the peak.
class KernelReport {
 public:
  KernelReport(const KernelOptions& options, std::string bench);
  void add(kernels::Precision precision, const std::string& shape,
           const std::vector<std::pair<std::string, double>>& gflops);
  void finish() const;

 private:
  KernelOptions options_;
  nlohmann::json rows_ = nlohmann::json::array();
  std::string bench_;
  double peak_[2];
};

}  // namespace rushes::bench
