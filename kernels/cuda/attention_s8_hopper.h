// Attention in 8 bits on Hopper (compute capability 9.0), over operands that kernels/cuda/quantise.h rounded: heads of width
// 128, all keys or lists of key tiles of a multiple of 128. Formulas and layouts are those of kernels/eight_bit.h.
//
// The simple scheme of SageAttention2's kernel for Hopper (arXiv 2411.10958): a block is one warpgroup with 64 queries;
// several blocks share a multiprocessor, so that one computes exponentials while another multiplies. A step has 128 keys,
// in a ring of two stages that one thread fills (TMA). q k^T: wgmma in int8, exact; p v: wgmma in e4m3 with p in
// registers, each step's sum added up in fp32. The last step comes first: it alone has keys to mask.
//
// Thread contract: plain values.
#pragma once

#include "kernels/cuda/attention_s8.h"
#include "kernels/cuda/tensor_map.h"

namespace rushes::kernels::cuda {

inline constexpr int kHopper8Threads = 128, kHopper8Blocks = 3;  // of a multiprocessor
inline constexpr int kHopper8Queries = 64, kHopper8Keys = 128, kHopper8Width = 128;
// Shared memory: queries, two stages of keys, two of values, barriers.
inline constexpr int kHopper8QueryBytes = kHopper8Queries * kHopper8Width;
inline constexpr int kHopper8TileBytes = kHopper8Keys * kHopper8Width;  // of keys, and of values
inline constexpr int kHopper8SharedBytes = kHopper8QueryBytes + 4 * kHopper8TileBytes + 64;

struct HopperAttention8Arguments {
  TensorMap q, k, v;
  Attention8Arguments a;
};

constexpr bool hopper_attention8_takes(const AttentionArguments& a, int width) {
  return width == kHopper8Width && attention8_takes(a, width) && (!a.first || a.key_tile % kHopper8Keys == 0);
}
// The maps of a's tensors; a cudaError_t.
int hopper_attention8_arguments(DeviceApi& api, const Attention8Arguments& a, int batch,
                                HopperAttention8Arguments* to);
LaunchShape hopper_attention8_shape(const Attention8Arguments& a, int batch);
// As launch_attention8(), with the operands of the form kValuesE4m3.
int launch_hopper_attention8(DeviceApi& api, void* stream, const AttentionArguments& a, int batch,
                             std::byte* memory);

}  // namespace rushes::kernels::cuda
