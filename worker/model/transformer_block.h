// One block of the Wan diffusion transformer: self attention, cross attention, feed-forward, each with its
// norm.
//
// m = modulation + e0 = (shift1, scale1, gate1, shift2, scale2, gate2);
// x += gate1 · SA(LN(x)(1 + scale1) + shift1); x += CA(LN3(x)); x += gate2 · FFN(LN(x)(1 + scale2) + shift2).
// Source: Wan2.1 wan/modules/model.py, WanAttentionBlock and WanI2VCrossAttention. The residual
// stream is fp32 throughout, as in the official code after its first gated add.
//
// Thread contract: as the backend, one thread at a time.
#pragma once

#include <functional>
#include <string>

#include "kernels/backend.h"
#include "worker/model/weights.h"

namespace rushes::worker {

inline constexpr float kNormEps = 1e-6f;  // every norm of the transformer but those of img_emb

// Sizes that all blocks share.
struct BlockSizes {
  std::int64_t dim = 0, ffn_dim = 0, heads = 0, head_dim = 0;
};

// Queries come from the video tokens, keys and values from the text and, with I2V weights, from the image:
// two attentions with one q, summed before the one output projection.
struct CrossAttention {
  kernels::LinearPtr q, k, v, o, k_img, v_img;
  kernels::Tensor norm_q, norm_k, norm_k_img;  // kF32 [dim], over all heads together
};

// Keys and values of one block, [1, tokens, heads, head_dim]: they depend on the prompt only and are computed
// once for all steps of all takes.
struct CrossKeys {
  kernels::Tensor k, v, k_img, v_img;
};

CrossAttention load_cross_attention(Weights& weights, const std::string& prefix, const BlockSizes& sizes);

// text [text_len, dim]; image [tokens, dim] or empty (then an I2V layer attends to the text only). Written
// into the tensors of `into` where they are given.
CrossKeys cross_keys(kernels::Backend& backend, const CrossAttention& layer, const BlockSizes& sizes,
                     const kernels::Tensor& text, const kernels::Tensor& image, CrossKeys into = {});

// o(attention(q(x), text) + attention(q(x), image)), kF32 [tokens, dim]. `x` is given back as soon as it is read. `probe`
// (may be empty) is shown x and weights of its two products.
kernels::Tensor cross_attention(
    kernels::Backend& backend, const CrossAttention& layer, const BlockSizes& sizes, kernels::Tensor x,
    const CrossKeys& keys,
    const std::function<void(const kernels::Tensor& x, const kernels::Linear& weights)>& probe = {});

// Is shown a block's self-attention before it is computed: its number, operands and options.
using AttentionProbe =
    std::function<void(int layer, const kernels::Tensor& q, const kernels::Tensor& k,
                       const kernels::Tensor& v, const kernels::AttentionOptions& options)>;

// Is shown a block's product of the video tokens before it is computed: x [tokens, K] and the weights.
using ProductProbe = std::function<void(int layer, const kernels::Tensor& x, const kernels::Linear& weights)>;

struct Block {
  int layer = 0;               // its number
  bool eight_bit = true;       // its self-attention, where the backend computes in 8 bits
  kernels::Tensor modulation;  // kF32 [6, dim]
  kernels::LinearPtr q, k, v, o;
  kernels::Tensor norm_q, norm_k;
  kernels::Tensor norm3_weight, norm3_bias;
  CrossAttention cross;
  kernels::LinearPtr ffn_in, ffn_out;
};

Block load_block(Weights& weights, const std::string& prefix, const BlockSizes& sizes);
// The weights that video tokens are multiplied by, in 8 bits from now on where the backend computes such products. Those
// of the text's keys and values stay: they are computed once a prompt.
void round_products(kernels::Backend& backend, Block& block);

// What all blocks of one forward pass share.
struct BlockInputs {
  kernels::Tensor e0;     // kF32 [6, G, dim], one row per distinct timestep
  kernels::Tensor group;  // kI32 [tokens] or empty when G = 1: which timestep a token has
  kernels::Tensor rope;   // kF32 [tokens, head_dim / 2, 2]
  AttentionProbe probe;   // may be empty, as the next
  ProductProbe product_probe;
};

// The residual stream, and what is still to be added to it: the norm that follows adds it in its own pass.
struct ResidualStream {
  kernels::Tensor x;             // kF32 [tokens, dim]
  kernels::Tensor update, gate;  // `update` is empty where x is complete; `gate` as of Backend::add_gated
};
// LN(x) of the complete stream into `y`; weight, bias and modulation as of Backend::layer_norm.
void norm_stream(kernels::Backend& backend, ResidualStream& stream, const kernels::Tensor& weight,
                 const kernels::Tensor& bias, const kernels::Modulation& modulation,
                 const kernels::Tensor& y);
// x of the complete stream.
const kernels::Tensor& complete(kernels::Backend& backend, const BlockInputs& inputs, ResidualStream& stream);

// The stream may be left incomplete.
void run_block(kernels::Backend& backend, const Block& block, const BlockSizes& sizes,
               const BlockInputs& inputs, const CrossKeys& keys, ResidualStream& stream);

}  // namespace rushes::worker
