// UMT5 encoder: token ids in, one state per token out; what the transformer reads as the prompt.
//
// h = token_embedding[ids]; per layer h += o(softmax(q k^T + bias[bucket(j - i)]) v) on RMSNorm(h), without
// 1/sqrt(d), then h += fc2(fc1(x) · gelu_tanh(gate.0(x))) on x = RMSNorm(h); final RMSNorm. No biases; every
// layer has its own table of relative positions. Source: Wan2.1 wan/modules/t5.py. All sizes,
// heads included, are read from the weights.
//
// Thread contract: as the backend, one thread at a time.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "kernels/backend.h"
#include "worker/model/weights.h"

namespace rushes::worker {

struct TextEncoderSizes {
  std::int64_t vocabulary = 0, dim = 0, attention_dim = 0, ffn_dim = 0;
  std::int64_t layers = 0, heads = 0, buckets = 0;
};

// Bucket of the relative position key - query: the lower half for keys at or before the query, the upper half
// for later ones; the first quarter of `buckets` are exact distances, the rest logarithmic up to 128. The
// logarithm is fp32, as in the reference, where the edges fall on exact powers.
std::int32_t relative_bucket(std::int64_t relative, std::int64_t buckets);

class TextEncoder {
 public:
  static Result<TextEncoder> load(kernels::Backend& backend, const TensorFile& file);

  const TextEncoderSizes& sizes() const { return sizes_; }

  // ids [n], each in [0, vocabulary). `mask` (n entries, optional): keys with 0 are not attended; at least
  // one is not 0. Returns the states [n, dim], row-major.
  Result<std::vector<float>> encode(std::span<const std::int32_t> ids,
                                    std::span<const std::int32_t> mask = {});

 private:
  struct Layer {
    kernels::Tensor norm1, norm2;
    kernels::LinearPtr q, k, v, o, gate, fc1, fc2;
    std::vector<float> positions;  // [buckets, heads]
  };
  TextEncoder() = default;
  void read(Weights& weights);
  kernels::Tensor relative_bias(const Layer& layer, std::int64_t length);
  void run_layer(const Layer& layer, const kernels::Tensor& mask, const kernels::Tensor& x);

  kernels::Backend* backend_ = nullptr;
  TextEncoderSizes sizes_;
  kernels::Tensor embedding_, norm_;
  std::vector<Layer> layers_;
};

}  // namespace rushes::worker
