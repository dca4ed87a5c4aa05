#include "kernels/eight_bit_gate.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace rushes::kernels {

namespace {

std::vector<float> values_of(Backend& backend, const Tensor& x) {
  std::vector<float> values(static_cast<std::size_t>(x.elements()));
  backend.download(x, values.data());
  return values;
}

EightBitVerdict compare(const std::vector<float>& found, const std::vector<float>& expected,
                        const EightBitLimits& limits) {
  double difference = 0, own = 0, norm = 0, dot = 0;
  for (std::size_t i = 0; i < found.size(); ++i) {
    const double a = static_cast<double>(found[i]), b = static_cast<double>(expected[i]);
    difference += (a - b) * (a - b);
    own += a * a, norm += b * b, dot += a * b;
  }
  if (difference == 0 && norm == 0) return {0, 1, limits};  // zeros on both sides
  return {std::sqrt(difference / norm), dot / std::sqrt(own * norm), limits};
}

std::vector<float> sampled(Backend& backend, const Tensor& q, const Tensor& k, const Tensor& v,
                           const AttentionOptions& options) {
  const Tensor y = backend.empty(backend.operand_dtype(), q.shape());
  backend.attention(q, k, v, y, options);
  return values_of(backend, some_rows(backend, y.reshape({q.dim(0) * q.dim(1), q.dim(2) * q.dim(3)})));
}

std::vector<float> product(Backend& backend, const Tensor& x, const Linear& weights) {
  const Tensor y = backend.empty(DType::kF32, {x.dim(0), weights.out_features});
  backend.linear(x, weights, y);
  return values_of(backend, y);
}

}  // namespace

Tensor some_rows(Backend& backend, const Tensor& x) {
  const std::int64_t rows = x.dim(0), count = std::min<std::int64_t>(rows, kGateRows);
  std::vector<std::int32_t> index;
  for (std::int64_t i = 0; i < count; ++i) index.push_back(static_cast<std::int32_t>(i * rows / count));
  const Tensor some = backend.empty(x.dtype(), {count, x.dim(1)});
  backend.gather_rows(x, backend.upload(host_tensor(index, {count})), some);
  return some;
}

std::string EightBitVerdict::text(int layer) const {
  char line[200];
  std::snprintf(line, sizeof line, "layer %d: %s in 8 bits differs by %.1e (cosine %.5f) from bf16, ", layer,
                limits.what, distance, cosine);
  if (near_enough()) return std::string(line) + "near enough";
  char most[80];
  std::snprintf(most, sizeof most, "more than %.0e (%.4f): it stays in bf16", limits.distance, limits.cosine);
  return std::string(line) + most;
}

EightBitVerdict judge_eight_bit(Backend& eight_bit, Backend& bf16, const Tensor& q, const Tensor& k,
                                const Tensor& v, const AttentionOptions& options) {
  return compare(sampled(eight_bit, q, k, v, options), sampled(bf16, q, k, v, options), kAttentionLimits);
}

std::optional<EightBitVerdict> judge_eight_bit_product(Backend& eight_bit, Backend& bf16, const Tensor& x,
                                                       const Linear& weights) {
  const LinearPtr rounded = eight_bit.in_8_bits(weights);
  if (!rounded) return std::nullopt;
  const Tensor rows = some_rows(bf16, x);
  return compare(product(eight_bit, rows, *rounded), product(bf16, rows, weights), kProductLimits);
}

}  // namespace rushes::kernels
