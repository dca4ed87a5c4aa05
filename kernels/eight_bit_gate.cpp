#include "kernels/eight_bit_gate.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace rushes::kernels {

namespace {

std::vector<float> sampled(Backend& backend, const Tensor& q, const Tensor& k, const Tensor& v,
                           const AttentionOptions& options) {
  const Tensor y = backend.empty(backend.operand_dtype(), q.shape());
  backend.attention(q, k, v, y, options);
  const std::int64_t rows = q.dim(0) * q.dim(1), cols = q.dim(2) * q.dim(3);
  const std::int64_t count = std::min<std::int64_t>(rows, kGateRows);
  std::vector<std::int32_t> index;
  for (std::int64_t i = 0; i < count; ++i) index.push_back(static_cast<std::int32_t>(i * rows / count));
  const Tensor sample = backend.empty(DType::kF32, {count, cols});
  backend.gather_rows(y.reshape({rows, cols}), backend.upload(host_tensor(index, {count})), sample);
  std::vector<float> values(static_cast<std::size_t>(sample.elements()));
  backend.download(sample, values.data());
  return values;
}

}  // namespace

std::string EightBitVerdict::text(int layer) const {
  char line[200];
  std::snprintf(line, sizeof line,
                "layer %d: attention in 8 bits differs by %.1e (cosine %.5f) from bf16, %s", layer, distance,
                cosine, near_enough() ? "near enough" : "more than 2e-2 (0.9995): it stays in bf16");
  return line;
}

EightBitVerdict judge_eight_bit(Backend& eight_bit, Backend& bf16, const Tensor& q, const Tensor& k,
                                const Tensor& v, const AttentionOptions& options) {
  const std::vector<float> found = sampled(eight_bit, q, k, v, options),
                           expected = sampled(bf16, q, k, v, options);
  double difference = 0, own = 0, norm = 0, dot = 0;
  for (std::size_t i = 0; i < found.size(); ++i) {
    const double a = static_cast<double>(found[i]), b = static_cast<double>(expected[i]);
    difference += (a - b) * (a - b);
    own += a * a, norm += b * b, dot += a * b;
  }
  if (difference == 0 && norm == 0) return {};  // zeros on both sides
  return {std::sqrt(difference / norm), dot / std::sqrt(own * norm)};
}

}  // namespace rushes::kernels
