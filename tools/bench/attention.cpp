// rushes-bench attention: the CPU backend's attention on shapes of Tabletop and of Wan's heads.
#include "tools/bench/bench.h"
#include "tools/bench/kernel_bench.h"

namespace rushes::bench {

namespace {

struct AttentionShape {
  std::int64_t lq, lk, heads, width;
};
constexpr AttentionShape kShapes[] = {
    {135, 135, 6, 64},      // one native window of Tabletop
    {540, 540, 6, 64},      // four of them: an upgrade at twice the size
    {540, 64, 6, 64},       // its cross attention
    {2048, 2048, 12, 128},  // a piece of Wan 1.3B
};

}  // namespace

int bench_attention(int argc, char** argv) {
  KernelOptions options;
  if (const int code = parse_kernel_options(argc, argv, "attention of the CPU backend", options); code >= 0)
    return code;
  KernelReport report(options, "attention");
  for (const kernels::Precision precision : {kernels::Precision::kF32, kernels::Precision::kBf16}) {
    const auto backend = kernels::make_cpu_backend({options.threads, precision});
    for (const AttentionShape& s : kShapes) {
      const kernels::Tensor q = random_tensor(*backend, {1, s.lq, s.heads, s.width});
      const kernels::Tensor k = random_tensor(*backend, {1, s.lk, s.heads, s.width});
      const kernels::Tensor y = backend->empty(kernels::DType::kF32, q.shape());
      kernels::AttentionOptions attention;
      attention.scale = 0.1f;
      const double time = best_seconds(options, {[&] { backend->attention(q, k, k, y, attention); }})[0];
      const double flop = 4.0 * static_cast<double>(s.lq * s.lk * s.heads * s.width);
      report.add(precision,
                 "q" + std::to_string(s.lq) + " k" + std::to_string(s.lk) + " heads " +
                     std::to_string(s.heads) + "x" + std::to_string(s.width),
                 {{"ours", 1e-9 * flop / time}});
    }
  }
  report.finish();
  return 0;
}

}  // namespace rushes::bench
