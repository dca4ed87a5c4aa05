// Attention on Hopper (compute capability 9.0): the scheme of FlashAttention-3 (Shah et al., arXiv 2407.08608).
//
// y = softmax(scale q k^T) v as in attention.h, with the logarithm of each row's sum on demand. A block has 128 queries
// and three warpgroups: one thread of the first copies tiles of keys and values into two rings of two stages each (TMA);
// the two others multiply 64 queries each (wgmma), taking turns, so that one computes exponentials while the other
// multiplies. Each also starts the next q k^T before it waits for the last p v. A list of key tiles concerns the
// copying thread alone. Two neighbouring blocks may form a cluster, which reads each tile of keys once.
//
// Thread contract: plain values.
#pragma once

#include <cstdint>

#include "kernels/cuda/attention.h"
#include "kernels/cuda/tensor_map.h"

namespace rushes::kernels::cuda {

class DeviceApi;

inline constexpr int kHopperThreads = 384;
inline constexpr int kHopperQueries = 128;  // of a block

// One form of the kernel.
struct HopperForm {
  int width = 128;      // of a head: 64 or 128
  int keys = 128;       // of a step
  int cluster = 1;      // 2: two blocks of queries share the copies; only with width 128
  bool listed = false;  // over lists of key tiles; 128 keys a step

  // How a step's keys are cut into boxes for TMA: 64 columns each, 128 bytes a row.
  constexpr int halves() const { return width / 64; }
  constexpr int box_keys() const { return listed ? 64 : keys; }
  constexpr int box_halves() const { return listed || cluster > 1 ? 1 : halves(); }
  // Shared memory: queries, two stages of keys, two of values, barriers.
  constexpr int query_bytes() const { return kHopperQueries * width * 2; }
  constexpr int tile_bytes() const { return keys * width * 2; }
  constexpr int shared_bytes() const { return query_bytes() + 4 * tile_bytes() + 128; }
};
enum HopperIndex {
  kHopper128,
  kHopper128Cluster,
  kHopper128Listed,
  kHopper64,
  kHopper64Listed,
  kHopperForms
};
inline constexpr HopperForm kHopperForm[kHopperForms] = {
    {128, 176, 1, false}, {128, 176, 2, false}, {128, 128, 1, true}, {64, 176, 1, false}, {64, 128, 1, true}};

struct HopperAttentionArguments {
  TensorMap q, k, v;
  std::uint16_t* y = nullptr;
  float* log_sum = nullptr;  // as AttentionArguments
  int heads = 1, lq = 0, lk = 0;
  float scale = 1.0f;
  const std::int32_t *first = nullptr, *tile = nullptr;  // as AttentionArguments
  int query_tile = 0, key_tile = 0;
};

// Whether the kernel computes it: width 64 or 128, a positive scale, key tiles of a multiple of 64. Query tiles of other
// than multiples of 128 leave a part of each block idle.
constexpr bool hopper_attention_takes(const AttentionArguments& a, int width) {
  return (width == 64 || width == 128) && a.scale > 0.0f && (!a.first || a.key_tile % 64 == 0);
}
inline HopperIndex hopper_attention_index(const AttentionArguments& a, int width, bool cluster) {
  if (width == 64) return a.first ? kHopper64Listed : kHopper64;
  return a.first ? kHopper128Listed : cluster ? kHopper128Cluster : kHopper128;
}

// The map of a tensor [B, length, heads, width]: {64, length, width / 64, heads, B}, so that 64 columns are the 128 bytes
// that one swizzle takes.
TensorMapShape hopper_map_shape(const std::uint16_t* start, int width, int heads, int length, int batch,
                                int box_rows, int box_halves);
// Fills `to` with `a` and the maps of its tensors; a cudaError_t.
int hopper_attention_arguments(DeviceApi& api, HopperIndex index, const AttentionArguments& a, int batch,
                               HopperAttentionArguments* to);
LaunchShape hopper_attention_shape(HopperIndex index, const AttentionArguments& a, int batch);

}  // namespace rushes::kernels::cuda
