#include "worker/model/transformer_block.h"

#include <array>
#include <cmath>

namespace rushes::worker {

using kernels::Activation;
using kernels::Backend;
using kernels::DType;
using kernels::Tensor;

namespace {

Tensor heads_view(const Tensor& x, const BlockSizes& sizes) {
  return x.reshape({1, x.dim(0), sizes.heads, sizes.head_dim});
}

kernels::AttentionOptions scaled(const BlockSizes& sizes) {
  kernels::AttentionOptions options;
  options.scale = static_cast<float>(1.0 / std::sqrt(static_cast<double>(sizes.head_dim)));
  return options;
}

// norm(W x) as keys, W x as values; into the tensors that are there.
void keys_and_values(Backend& backend, const kernels::Linear& k, const Tensor& norm, const kernels::Linear& v,
                     const BlockSizes& sizes, const Tensor& x, Tensor& keys, Tensor& values) {
  const kernels::Shape flat = {x.dim(0), sizes.dim};
  const Tensor raw = backend.empty(DType::kF32, flat);
  if (keys.empty()) keys = heads_view(backend.empty(backend.operand_dtype(), flat), sizes);
  if (values.empty()) values = heads_view(backend.empty(backend.operand_dtype(), flat), sizes);
  backend.linear(x, k, raw);
  backend.rms_norm(raw, norm, kNormEps, keys.reshape(flat));
  backend.linear(x, v, values.reshape(flat));
}

}  // namespace

CrossAttention load_cross_attention(Weights& weights, const std::string& prefix, const BlockSizes& sizes) {
  const std::int64_t dim = sizes.dim;
  CrossAttention layer;
  layer.q = weights.linear(prefix + "q", dim, dim);
  layer.k = weights.linear(prefix + "k", dim, dim);
  layer.v = weights.linear(prefix + "v", dim, dim);
  layer.o = weights.linear(prefix + "o", dim, dim);
  layer.norm_q = weights.tensor(prefix + "norm_q.weight", {dim});
  layer.norm_k = weights.tensor(prefix + "norm_k.weight", {dim});
  if (weights.has(prefix + "k_img.weight")) {
    layer.k_img = weights.linear(prefix + "k_img", dim, dim);
    layer.v_img = weights.linear(prefix + "v_img", dim, dim);
    layer.norm_k_img = weights.tensor(prefix + "norm_k_img.weight", {dim});
  }
  return layer;
}

CrossKeys cross_keys(Backend& backend, const CrossAttention& layer, const BlockSizes& sizes,
                     const Tensor& text, const Tensor& image, CrossKeys into) {
  keys_and_values(backend, *layer.k, layer.norm_k, *layer.v, sizes, text, into.k, into.v);
  if (layer.k_img && !image.empty())
    keys_and_values(backend, *layer.k_img, layer.norm_k_img, *layer.v_img, sizes, image, into.k_img,
                    into.v_img);
  return into;
}

Tensor cross_attention(Backend& backend, const CrossAttention& layer, const BlockSizes& sizes, Tensor x,
                       const CrossKeys& keys,
                       const std::function<void(const Tensor& x, const kernels::Linear& weights)>& probe) {
  const DType operand = backend.operand_dtype();
  const kernels::Shape shape = x.shape();
  Tensor raw = backend.empty(DType::kF32, shape), q = backend.empty(operand, shape);
  if (probe) probe(x, *layer.q);
  backend.linear(x, *layer.q, raw);
  backend.rms_norm(raw, layer.norm_q, kNormEps, q);
  x = {};
  // With an image the two results are summed before they are rounded to the operand dtype.
  const bool image = !keys.k_img.empty();
  if (!image) raw = {};
  const Tensor attended = image ? std::move(raw) : backend.empty(operand, shape);
  backend.attention(heads_view(q, sizes), keys.k, keys.v, heads_view(attended, sizes), scaled(sizes));
  if (image) {
    const Tensor second = backend.empty(DType::kF32, shape);
    backend.attention(heads_view(q, sizes), keys.k_img, keys.v_img, heads_view(second, sizes), scaled(sizes));
    backend.combine({{1.0f, attended}, {1.0f, second}}, attended);
  }
  q = {};
  if (probe) probe(attended, *layer.o);
  const Tensor y = backend.empty(DType::kF32, shape);
  backend.linear(attended, *layer.o, y);
  return y;
}

Block load_block(Weights& weights, const std::string& prefix, const BlockSizes& sizes) {
  const std::int64_t dim = sizes.dim;
  Block block;
  block.modulation = weights.tensor(prefix + "modulation", {1, 6, dim}, {6, dim});
  block.q = weights.linear(prefix + "self_attn.q", dim, dim);
  block.k = weights.linear(prefix + "self_attn.k", dim, dim);
  block.v = weights.linear(prefix + "self_attn.v", dim, dim);
  block.o = weights.linear(prefix + "self_attn.o", dim, dim);
  block.norm_q = weights.tensor(prefix + "self_attn.norm_q.weight", {dim});
  block.norm_k = weights.tensor(prefix + "self_attn.norm_k.weight", {dim});
  block.norm3_weight = weights.tensor(prefix + "norm3.weight", {dim});
  block.norm3_bias = weights.tensor(prefix + "norm3.bias", {dim});
  block.cross = load_cross_attention(weights, prefix + "cross_attn.", sizes);
  block.ffn_in = weights.linear(prefix + "ffn.0", sizes.ffn_dim, dim);
  block.ffn_out = weights.linear(prefix + "ffn.2", dim, sizes.ffn_dim);
  return block;
}

void round_products(Backend& backend, Block& block) {
  for (kernels::LinearPtr* weights : {&block.q, &block.k, &block.v, &block.o, &block.cross.q, &block.cross.o,
                                      &block.ffn_in, &block.ffn_out})
    if (auto rounded = backend.in_8_bits(**weights)) *weights = std::move(rounded);
}

namespace {

// What rows that only feed `weights` are best made in.
DType rows_for(const Backend& backend, const kernels::Linear& weights) {
  return weights.eight_bit ? DType::kF8E4M3 : backend.operand_dtype();
}

void multiply(Backend& backend, const Block& block, const BlockInputs& inputs, const Tensor& x,
              const kernels::Linear& weights, const Tensor& y, Activation act = Activation::kNone) {
  if (inputs.product_probe) inputs.product_probe(block.layer, x, weights);
  backend.linear(x, weights, y, act);
}

// What follows gives each tensor back as soon as it is read: those of [tokens, dim] are most of a step's memory.

// W x with its heads normed and rotated, in the operand dtype.
Tensor project(Backend& backend, const Block& block, const BlockSizes& sizes, const BlockInputs& inputs,
               const Tensor& x, const kernels::Linear& weights, const Tensor& norm) {
  const Tensor raw = backend.empty(DType::kF32, x.shape());
  multiply(backend, block, inputs, x, weights, raw);
  const Tensor heads = heads_view(backend.empty(backend.operand_dtype(), x.shape()), sizes);
  backend.rms_norm_rope(heads_view(raw, sizes), norm, kNormEps, inputs.rope, heads);
  return heads;
}

// softmax(q k^T / sqrt(D)) v with q, k normed and rotated; `normed` and the result [tokens, dim].
Tensor attend(Backend& backend, const Block& block, const BlockSizes& sizes, const BlockInputs& inputs,
              Tensor normed) {
  const kernels::Shape shape = normed.shape();
  const Tensor q = project(backend, block, sizes, inputs, normed, *block.q, block.norm_q);
  const Tensor k = project(backend, block, sizes, inputs, normed, *block.k, block.norm_k);
  const Tensor values = backend.empty(backend.operand_dtype(), shape), v = heads_view(values, sizes);
  multiply(backend, block, inputs, normed, *block.v, values);
  normed = {};
  kernels::AttentionOptions options = scaled(sizes);
  options.eight_bit = block.eight_bit;
  if (inputs.probe) inputs.probe(block.layer, q, k, v, options);
  const Tensor attended = backend.empty(backend.operand_dtype(), shape);
  backend.attention(q, k, v, heads_view(attended, sizes), options);
  return attended;
}

// kF32 [tokens, dim].
Tensor self_attention(Backend& backend, const Block& block, const BlockSizes& sizes,
                      const BlockInputs& inputs, Tensor normed) {
  const Tensor attended = attend(backend, block, sizes, inputs, std::move(normed));
  const Tensor y = backend.empty(DType::kF32, attended.shape());
  multiply(backend, block, inputs, attended, *block.o, y);
  return y;
}

Tensor feed_forward(Backend& backend, const Block& block, const BlockSizes& sizes, const BlockInputs& inputs,
                    Tensor normed) {
  const kernels::Shape shape = normed.shape();
  const Tensor hidden = backend.empty(backend.operand_dtype(), {shape[0], sizes.ffn_dim});
  multiply(backend, block, inputs, normed, *block.ffn_in, hidden, Activation::kGeluTanh);
  normed = {};
  const Tensor y = backend.empty(DType::kF32, shape);
  multiply(backend, block, inputs, hidden, *block.ffn_out, y);
  return y;
}

}  // namespace

void norm_stream(Backend& backend, ResidualStream& stream, const Tensor& weight, const Tensor& bias,
                 const kernels::Modulation& modulation, const Tensor& y) {
  if (stream.update.empty()) {
    backend.layer_norm(stream.x, weight, bias, modulation, kNormEps, y);
  } else {
    backend.add_gated_layer_norm(stream.x, stream.update, stream.gate, weight, bias, modulation, kNormEps, y);
  }
  stream.update = stream.gate = Tensor();
}

const Tensor& complete(Backend& backend, const BlockInputs& inputs, ResidualStream& stream) {
  if (!stream.update.empty()) backend.add_gated(stream.x, stream.update, stream.gate, inputs.group);
  stream.update = stream.gate = Tensor();
  return stream.x;
}

void run_block(Backend& backend, const Block& block, const BlockSizes& sizes, const BlockInputs& inputs,
               const CrossKeys& keys, ResidualStream& stream) {
  std::array<Tensor, 6> m;  // [G, dim] each
  for (std::int64_t i = 0; i < 6; ++i) {
    Tensor& row = m[static_cast<std::size_t>(i)];
    row = backend.empty(DType::kF32, inputs.e0.at(i).shape());
    backend.channel_affine(inputs.e0.at(i), {}, block.modulation.at(i), row);
  }
  const auto normed = [&](const kernels::Linear& feeds, const Tensor& weight, const Tensor& bias,
                          const kernels::Modulation& modulation) {
    Tensor y = backend.empty(rows_for(backend, feeds), stream.x.shape());
    norm_stream(backend, stream, weight, bias, modulation, y);
    return y;
  };
  stream.update =
      self_attention(backend, block, sizes, inputs, normed(*block.q, {}, {}, {m[0], m[1], inputs.group}));
  stream.gate = m[2];

  std::function<void(const Tensor&, const kernels::Linear&)> probe;
  if (inputs.product_probe)
    probe = [&](const Tensor& x, const kernels::Linear& weights) {
      inputs.product_probe(block.layer, x, weights);
    };
  stream.update = cross_attention(
      backend, block.cross, sizes,
      normed(*block.cross.q, block.norm3_weight, block.norm3_bias, {{}, {}, inputs.group}), keys, probe);

  stream.update =
      feed_forward(backend, block, sizes, inputs, normed(*block.ffn_in, {}, {}, {m[3], m[4], inputs.group}));
  stream.gate = m[5];
}

}  // namespace rushes::worker
