// Attention in 8 bits on an NVIDIA GPU (compute capability 8.0 and later), over operands that kernels/cuda/quantise.h
// rounded: formulas and layouts are those of kernels/eight_bit.h.
//
// The scheme of attention.h: a block keeps its queries in registers and walks over the keys, 64 at a time, through two
// stages of shared memory. q k^T is exact in int32. p v: from compute capability 8.9 both in e4m3, each step's sum added
// up in fp32; on 8.0 p and v in bf16.
//
// Thread contract: plain values.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/cuda/attention.h"

namespace rushes::kernels::cuda {

class DeviceApi;

// Pointers are device memory, 16-byte aligned; layouts as EightBitOperands, y bf16 [B, Lq, heads, width].
struct Attention8Arguments {
  const std::int8_t *q = nullptr, *k = nullptr;
  const float *q_scale = nullptr, *k_scale = nullptr;
  const std::uint8_t* v = nullptr;     // the form with e4m3
  const float* v_scale = nullptr;      // the form with e4m3
  const std::uint16_t* v16 = nullptr;  // the form with bf16: [B, Lk, heads, width]
  std::uint16_t* y = nullptr;
  float* log_sum = nullptr;  // as AttentionArguments
  // With log_sum, for what smoothing has taken from all scores of a row:
  const std::uint16_t* q16 = nullptr;  // [B, Lq, heads, width] in bf16
  const float* k_mean = nullptr;       // [B, heads, width]
  float scale = 1.0f;
  int heads = 1, lq = 0, lk = 0;
  int padded = 0;  // padded_keys(lk)
  const std::int32_t *first = nullptr,
                     *tile = nullptr;  // as AttentionArguments; key tiles of a multiple of 16
  int query_tile = 0, key_tile = 0;
};

enum Attention8Form { kValuesBf16, kValuesE4m3, kAttention8Forms };

// Shared memory of a block: two stages of 64 keys; rows padded by 16 bytes.
constexpr std::uint32_t attention8_shared_bytes(Attention8Form form, int width) {
  const int keys = 64 * (width + 16), values = form == kValuesE4m3 ? width * (64 + 16) : 64 * (width + 8) * 2;
  return static_cast<std::uint32_t>(2 * (keys + values));
}
inline LaunchShape attention8_shape(Attention8Form form, const Attention8Arguments& a, int batch, int width) {
  AttentionArguments blocks;  // cut as in bf16
  blocks.heads = a.heads, blocks.lq = a.lq, blocks.query_tile = a.query_tile;
  LaunchShape shape = attention_shape(blocks, batch, width);
  shape.shared_bytes = attention8_shared_bytes(form, width);
  return shape;
}

// The form for a compute capability, 80 for 8.0.
constexpr Attention8Form attention8_form(int capability) {
  return capability >= 89 ? kValuesE4m3 : kValuesBf16;
}
// Whether the kernels compute it: width 64 or 128, a positive scale.
constexpr bool attention8_takes(const AttentionArguments& a, int width) {
  return (width == 64 || width == 128) && a.scale > 0.0f;
}

// Memory for the rounded operands and for what leads to them.
std::size_t attention8_bytes(Attention8Form form, const AttentionArguments& a, int batch, int width);
// As `a`, with operands in `memory`: attention8_bytes() of it, 256-byte aligned.
Attention8Arguments attention8_arguments(Attention8Form form, const AttentionArguments& a, int batch,
                                         int width, std::byte* memory);
// Queues what rounds the operands of `a` into `memory`, and the attention over them; a cudaError_t. `stream`: a Stream.
int launch_quantise(DeviceApi& api, void* stream, Attention8Form form, const AttentionArguments& a, int batch,
                    int width, std::byte* memory);
int launch_attention8(DeviceApi& api, void* stream, Attention8Form form, const AttentionArguments& a,
                      int batch, int width, std::byte* memory);

}  // namespace rushes::kernels::cuda
