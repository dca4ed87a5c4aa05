// Attention on an NVIDIA GPU (compute capability 8.0 and later): bf16 operands, fp32 softmax and sums.
//
// y = softmax(scale q k^T) v per batch entry and head over all keys or over a list of key tiles; heads of width 64 or
// 128, any lengths. FlashAttention-2's scheme (Dao, arXiv 2307.08691): one block keeps its queries in registers and walks
// over the keys, 64 at a time, through two stages of shared memory.
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
  float* log_sum = nullptr;          // f32 [B, heads, lq]: ln(sum of exp(scale q k)); null: not wanted
};
inline constexpr float kLn2 = 0.6931471805599453f;

// A warp has 16 queries. With width 128 registers leave a multiprocessor eight warps: one block, so that all of them use
// one copy of the keys; with width 64 twelve, in three blocks.
template <int kWidth>
inline constexpr int kAttentionThreads = kWidth == 128 ? 256 : 128;
constexpr int attention_threads(int width) {
  return width == 128 ? kAttentionThreads<128> : kAttentionThreads<64>;
}
constexpr int attention_queries(int width) { return attention_threads(width) / 2; }  // of a block
// Shared memory of a block: two stages of 64 keys and values, rows padded by 16 bytes.
constexpr std::uint32_t attention_shared_bytes(int width) {
  return static_cast<std::uint32_t>(2 * 2 * 64 * (width + 8) * 2);
}
inline LaunchShape attention_shape(const AttentionArguments& a, int batch, int width) {
  const int queries = attention_queries(width);
  const int tiles = (a.lq + a.query_tile - 1) / a.query_tile;
  const int blocks = tiles * ((a.query_tile + queries - 1) / queries);
  // Blocks of queries are the fastest index: neighbours share one head's keys in the L2 cache.
  return {{static_cast<std::uint32_t>(blocks), static_cast<std::uint32_t>(a.heads),
           static_cast<std::uint32_t>(batch)},
          static_cast<std::uint32_t>(attention_threads(width)),
          attention_shared_bytes(width)};
}

}  // namespace rushes::kernels::cuda
