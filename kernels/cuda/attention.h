// Attention on an NVIDIA GPU (compute capability 8.0 and later): bf16 operands, fp32 softmax and sums.
//
// y = softmax(scale q k^T) v per batch entry and head over all keys or over a list of key tiles; heads of
// width 64 or 128, any lengths. FlashAttention-2's scheme (Dao, arXiv 2307.08691): one block of four warps
// keeps 64 queries in registers and walks over the keys, 64 at a time, through two stages of shared memory.
//
// The CUDA run time is linked statically: a program with this library starts on a machine without a driver,
// where cuda_device_count() is 0.
//
// Thread contract: callable from any thread; work is queued on `stream`.
#pragma once

#include <cstdint>

#include "config/result.h"

namespace rushes::kernels {

// Pointers are device memory, bf16, dense [B, L, heads, width], 16-byte aligned.
struct CudaAttention {
  const void *q = nullptr, *k = nullptr, *v = nullptr;
  void* y = nullptr;
  int batch = 1, heads = 1, lq = 0, lk = 0, width = 128;
  float scale = 1.0f;
  // KeyTilePlan in device memory (int32): `first` [heads * query tiles + 1] and `tile`; both null: dense.
  const std::int32_t *first = nullptr, *tile = nullptr;
  int query_tile = 128, key_tile = 128;
};

int cuda_device_count();  // of devices that can run these kernels
// `stream` is a cudaStream_t, null for the default one. kInvalid for a width without a kernel, kInternal for
// a launch that fails.
Status cuda_attention(const CudaAttention& arguments, void* stream);

}  // namespace rushes::kernels
