#include "tools/bench/kernel_bench.h"

#include <time.h>

#include <algorithm>
#include <cstdio>
#include <random>

#include "config/command_line.h"
#include "kernels/cpu/gemm.h"

namespace rushes::bench {

namespace {

double seconds(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

std::vector<float> random_floats(std::size_t count) {
  std::mt19937 engine(1);
  std::normal_distribution<float> distribution;
  std::vector<float> values(count);
  for (float& value : values) value = distribution(engine);
  return values;
}

}  // namespace

int parse_kernel_options(int argc, char** argv, const char* summary, KernelOptions& options) {
  config::CommandLine app(summary, std::string("rushes-bench ") + argv[0]);
  app.option("--threads", options.threads, "threads of the CPU backend").between(1, 256);
  app.option("--runs", options.runs, "rounds; the best counts").between(1, 1000);
  app.flag("--json", options.json, "print one JSON document");
  return app.parse(argc, argv).value_or(-1);
}

std::vector<double> best_seconds(const KernelOptions& options,
                                 const std::vector<std::function<void()>>& bodies) {
  const clockid_t clock = options.threads == 1 ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC;
  std::vector<double> best(bodies.size(), 1e30);
  for (int run = 0; run <= options.runs; ++run) {  // the first round warms up
    for (std::size_t i = 0; i < bodies.size(); ++i) {
      const double start = seconds(clock);
      bodies[i]();
      if (run) best[i] = std::min(best[i], seconds(clock) - start);
    }
  }
  return best;
}

double peak_gflops(kernels::Precision precision) {
  const auto bf16 = kernels::bf16_gemm_kernels();
  const bool pairs = precision == kernels::Precision::kBf16 && bf16;
  const kernels::GemmKernels tiles = pairs ? *bf16 : kernels::f32_gemm_kernels();
  constexpr std::int64_t kUnits = 128;
  const std::int64_t width = kernels::kMaxTileVectors * tiles.lanes;
  const auto a = random_floats(static_cast<std::size_t>(tiles.rows * kUnits));
  const auto b = random_floats(static_cast<std::size_t>(width * kUnits));
  std::vector<float> c(static_cast<std::size_t>(tiles.rows * width));
  const kernels::Segment whole{0, kUnits};
  const auto tile = tiles.tile[kernels::kMaxTileVectors][static_cast<std::size_t>(tiles.rows)];
  constexpr int kRepeats = 2000;
  const double best = best_seconds({1, 15, false}, {[&] {
                                     for (int i = 0; i < kRepeats; ++i)
                                       tile(a.data(), kUnits, &whole, 1, b.data(), c.data(), width, false);
                                   }})[0];
  return 2e-9 * kRepeats * static_cast<double>(tiles.rows * width * kUnits * tiles.per_unit) / best;
}

kernels::Tensor random_tensor(kernels::Backend& backend, const kernels::Shape& shape) {
  const auto values = random_floats(static_cast<std::size_t>(kernels::element_count(shape)));
  return backend.upload(kernels::host_tensor(values, shape));
}

KernelReport::KernelReport(const KernelOptions& options, std::string bench)
    : options_(options),
      bench_(std::move(bench)),
      peak_{peak_gflops(kernels::Precision::kF32), peak_gflops(kernels::Precision::kBf16)} {
  if (options_.json) return;
  std::printf("%s, %d thread(s); one core's peak: f32 %.0f, bf16 %.0f GFLOP/s\n", bench_.c_str(),
              options_.threads, peak_[0], peak_[1]);
}

void KernelReport::add(kernels::Precision precision, const std::string& shape,
                       const std::vector<std::pair<std::string, double>>& gflops) {
  const bool bf16 = precision == kernels::Precision::kBf16;
  const double of_peak = gflops[0].second / (peak_[bf16] * options_.threads);
  nlohmann::json row = {{"precision", bf16 ? "bf16" : "f32"}, {"shape", shape}, {"of_peak", of_peak}};
  for (const auto& [name, value] : gflops) row[name + "_gflops"] = value;
  rows_.push_back(row);
  if (options_.json) return;
  std::printf("  %-4s %-34s", bf16 ? "bf16" : "f32", shape.c_str());
  for (const auto& [name, value] : gflops) std::printf("  %s %7.1f", name.c_str(), value);
  for (std::size_t i = 1; i < gflops.size(); ++i) {
    std::printf("  x%.2f of %s", gflops[0].second / gflops[i].second, gflops[i].first.c_str());
  }
  std::printf("  %.0f %% of peak\n", 100 * of_peak);
}

void KernelReport::finish() const {
  if (!options_.json) return;
  const nlohmann::json report = {{"bench", bench_},
                                 {"threads", options_.threads},
                                 {"peak_gflops", {{"f32", peak_[0]}, {"bf16", peak_[1]}}},
                                 {"rows", rows_}};
  std::printf("%s\n", report.dump(2).c_str());
}

}  // namespace rushes::bench
