// Attention on an NVIDIA GPU (compute capability 8.0 and later): bf16 operands, fp32 softmax and sums.
//
// y = softmax(scale q k^T) v per batch entry and head over all keys or over a list of key tiles; heads of width 64 or
// 128, any lengths. FlashAttention-2's scheme (Dao, arXiv 2307.08691): one block of four warps keeps 64 queries in
// registers and walks over the keys, 64 at a time, through two stages of shared memory.
//
// Thread contract: plain values.
#pragma once

#include <cstdint>

#include "kernels/cuda/kernel.h"

namespace rushes::kernels::cuda {

// Pointers are device memory, bf16, dense [B, L, heads, width], 16-byte aligned.
struct AttentionArguments {
  const std::uint16_t *q = nullptr, *k = nullptr, *v = nullptr;
  std::uint16_t* y = nullptr;
  int heads = 1, lq = 0, lk = 0;
  float scale = 1.0f;
  // KeyTilePlan in device memory: `first` [heads * query tiles + 1] and `tile`; both null: dense.
  const std::int32_t *first = nullptr, *tile = nullptr;
  int query_tile = 0, key_tile = 0;  // dense: lq, lk
};

inline constexpr int kAttentionThreads = 128;
inline constexpr int kAttentionQueries = 64;  // of a block; 16 of a warp
// Shared memory of a block: two stages of 64 keys and values, rows padded by 16 bytes.
constexpr std::uint32_t attention_shared_bytes(int width) {
  return static_cast<std::uint32_t>(2 * 2 * 64 * (width + 8) * 2);
}
inline LaunchShape attention_shape(const AttentionArguments& a, int batch, int width) {
  const int tiles = (a.lq + a.query_tile - 1) / a.query_tile;
  const int blocks = tiles * ((a.query_tile + kAttentionQueries - 1) / kAttentionQueries);
  // Blocks of queries are the fastest index: neighbours share one head's keys in the L2 cache.
  return {{static_cast<std::uint32_t>(blocks), static_cast<std::uint32_t>(a.heads),
           static_cast<std::uint32_t>(batch)},
          kAttentionThreads,
          attention_shared_bytes(width)};
}

}  // namespace rushes::kernels::cuda
