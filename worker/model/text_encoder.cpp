#include "worker/model/text_encoder.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace rushes::worker {

using kernels::DType;
using kernels::Tensor;

namespace {

constexpr float kEps = 1e-6f;
constexpr double kMaxDistance = 128;

}  // namespace

std::int32_t relative_bucket(std::int64_t relative, std::int64_t buckets) {
  const std::int64_t half = buckets / 2, exact = half / 2;
  const std::int64_t side = relative > 0 ? half : 0, distance = std::abs(relative);
  if (distance < exact) return static_cast<std::int32_t>(side + distance);
  const float span = static_cast<float>(std::log(kMaxDistance / static_cast<double>(exact)));
  const float scaled = std::log(static_cast<float>(distance) / static_cast<float>(exact)) / span *
                       static_cast<float>(half - exact);
  const std::int64_t large = exact + static_cast<std::int64_t>(scaled);
  return static_cast<std::int32_t>(side + std::min(large, half - 1));
}

void TextEncoder::read(Weights& weights) {
  TextEncoderSizes& s = sizes_;
  const kernels::Shape embedding = weights.shape("token_embedding.weight", 2);
  const kernels::Shape query = weights.shape("blocks.0.attn.q.weight", 2);
  const kernels::Shape table = weights.shape("blocks.0.pos_embedding.embedding.weight", 2);
  s.vocabulary = embedding[0];
  s.dim = embedding[1];
  s.attention_dim = query[0];
  s.ffn_dim = weights.shape("blocks.0.ffn.fc1.weight", 2)[0];
  s.buckets = table[0];
  s.heads = table[1];
  if (s.attention_dim % s.heads || s.buckets % 4)
    weights.error("tensor 'blocks.0.pos_embedding.embedding.weight': " + shape_text(table) +
                  " does not fit an attention width of " + std::to_string(s.attention_dim));
  while (weights.has("blocks." + std::to_string(s.layers) + ".norm1.weight")) ++s.layers;
  if (weights.failed()) return;

  const kernels::HostTensor stored = weights.take("token_embedding.weight", embedding);
  embedding_ = weights.backend().upload(stored);
  norm_ = weights.tensor("norm.weight", {s.dim});
  for (std::int64_t i = 0; i < s.layers; ++i) {
    const std::string prefix = "blocks." + std::to_string(i) + ".";
    Layer layer;
    layer.norm1 = weights.tensor(prefix + "norm1.weight", {s.dim});
    layer.norm2 = weights.tensor(prefix + "norm2.weight", {s.dim});
    layer.q = weights.linear(prefix + "attn.q", s.attention_dim, s.dim, false);
    layer.k = weights.linear(prefix + "attn.k", s.attention_dim, s.dim, false);
    layer.v = weights.linear(prefix + "attn.v", s.attention_dim, s.dim, false);
    layer.o = weights.linear(prefix + "attn.o", s.dim, s.attention_dim, false);
    layer.gate = weights.linear(prefix + "ffn.gate.0", s.ffn_dim, s.dim, false);
    layer.fc1 = weights.linear(prefix + "ffn.fc1", s.ffn_dim, s.dim, false);
    layer.fc2 = weights.linear(prefix + "ffn.fc2", s.dim, s.ffn_dim, false);
    const kernels::HostTensor positions = weights.take(prefix + "pos_embedding.embedding.weight", table);
    if (weights.failed()) return;
    layer.positions = kernels::widen(positions);
    layers_.push_back(std::move(layer));
  }
}

Result<TextEncoder> TextEncoder::load(kernels::Backend& backend, const TensorFile& file) {
  return guarded(file.path(), [&]() -> Result<TextEncoder> {
    Weights weights(file, backend);
    TextEncoder encoder;
    encoder.backend_ = &backend;
    encoder.read(weights);
    if (auto ok = weights.finish(); !ok) return tl::unexpected(ok.error());
    return encoder;
  });
}

// [heads, 2n - 1]: entry d + n - 1 belongs to key - query = d.
Tensor TextEncoder::relative_bias(const Layer& layer, std::int64_t length) {
  const std::int64_t width = 2 * length - 1;
  std::vector<float> bias(static_cast<std::size_t>(sizes_.heads * width));
  for (std::int64_t d = 0; d < width; ++d) {
    const std::int64_t bucket = relative_bucket(d - (length - 1), sizes_.buckets);
    for (std::int64_t h = 0; h < sizes_.heads; ++h)
      bias[static_cast<std::size_t>(h * width + d)] =
          layer.positions[static_cast<std::size_t>(bucket * sizes_.heads + h)];
  }
  return backend_->upload(kernels::host_tensor(bias, {sizes_.heads, width}));
}

void TextEncoder::run_layer(const Layer& layer, const Tensor& mask, const Tensor& x) {
  const DType operand = backend_->operand_dtype();
  const std::int64_t n = x.dim(0);
  const Tensor normed = backend_->empty(operand, x.shape()), update = backend_->empty(DType::kF32, x.shape());
  {
    const kernels::Shape heads = {1, n, sizes_.heads, sizes_.attention_dim / sizes_.heads};
    const auto make = [&] { return backend_->empty(operand, {n, sizes_.attention_dim}); };
    const Tensor q = make(), k = make(), v = make(), attended = make();
    backend_->rms_norm(x, layer.norm1, kEps, normed);
    backend_->linear(normed, *layer.q, q);
    backend_->linear(normed, *layer.k, k);
    backend_->linear(normed, *layer.v, v);
    kernels::AttentionOptions options;  // scale 1
    options.relative_bias = relative_bias(layer, n);
    options.key_mask = mask;
    backend_->attention(q.reshape(heads), k.reshape(heads), v.reshape(heads), attended.reshape(heads),
                        options);
    backend_->linear(attended, *layer.o, update);
    backend_->add_gated(x, update, {});
  }
  const Tensor gate = backend_->empty(operand, {n, sizes_.ffn_dim});
  const Tensor value = backend_->empty(operand, {n, sizes_.ffn_dim});
  backend_->rms_norm(x, layer.norm2, kEps, normed);
  backend_->linear(normed, *layer.gate, gate);
  backend_->linear(normed, *layer.fc1, value);
  backend_->gelu_gate(gate, value, value);
  backend_->linear(value, *layer.fc2, update);
  backend_->add_gated(x, update, {});
}

Result<std::vector<float>> TextEncoder::encode(std::span<const std::int32_t> ids,
                                               std::span<const std::int32_t> mask) {
  const auto n = static_cast<std::int64_t>(ids.size());
  if (ids.empty()) return fail(ErrorKind::kInvalid, "text encoder: no token");
  for (std::int32_t id : ids)
    if (id < 0 || id >= sizes_.vocabulary)
      return fail(ErrorKind::kInvalid, "text encoder: token " + std::to_string(id) +
                                           " is outside the vocabulary of " +
                                           std::to_string(sizes_.vocabulary));
  if (!mask.empty() &&
      (mask.size() != ids.size() || std::all_of(mask.begin(), mask.end(), [](auto m) { return m == 0; })))
    return fail(ErrorKind::kInvalid, "text encoder: the mask does not fit the tokens");
  return guarded("text encoder", [&]() -> Result<std::vector<float>> {
    const auto upload = [&](std::span<const std::int32_t> values, kernels::Shape shape) {
      return backend_->upload(
          kernels::host_tensor(std::vector<std::int32_t>(values.begin(), values.end()), std::move(shape)));
    };
    const Tensor x = backend_->empty(DType::kF32, {n, sizes_.dim});
    backend_->gather_rows(embedding_, upload(ids, {n}), x);
    const Tensor keys = mask.empty() ? Tensor() : upload(mask, {1, n});
    for (const Layer& layer : layers_) run_layer(layer, keys, x);
    const Tensor out = backend_->empty(DType::kF32, x.shape());
    backend_->rms_norm(x, norm_, kEps, out);
    std::vector<float> states(static_cast<std::size_t>(n * sizes_.dim));
    backend_->download(out, states.data());
    return states;
  });
}

}  // namespace rushes::worker
