// Kernels that round q, k and v to 8 bits for attention: formulas, layouts and the order of sums are those of
// kernels/eight_bit.h.
//
// q, k and v are bf16, dense [B, L, heads, width], 16-byte aligned, width 64 or 128; all pointers are device memory.
// Statistics of k and v come first, in two steps; then the rows of q and k, and the values (compute capability 8.9).
//
// Thread contract: plain values.
#pragma once

#include <cstdint>

#include "kernels/cuda/kernel.h"
#include "kernels/eight_bit.h"

namespace rushes::kernels::cuda {

// partial [B, heads, chunks of kChunkKeys, 2, width]: sums of k, then the largest magnitudes of v.
struct ChunkStatisticsArguments {
  const std::uint16_t *k = nullptr, *v = nullptr;
  float* partial = nullptr;
  int heads = 1, lk = 0;
};
// mean, v_scale [B, heads, width].
struct StatisticsArguments {
  const float* partial = nullptr;
  float *mean = nullptr, *v_scale = nullptr;
  int heads = 1, lk = 0, chunks = 1;
};
// Rows in int8: a scale for each (queries), or for each kKeyGroup of them after `mean` is taken from them (keys).
struct RoundRowsArguments {
  const std::uint16_t* x = nullptr;  // [B, length, heads, width]
  const float* mean = nullptr;       // [B, heads, width]; keys only
  std::int8_t* to = nullptr;
  float* scale = nullptr;  // [B, heads, scales]
  int heads = 1, length = 0;
  int scales = 0;       // queries: length; keys: padded_keys(length) / kKeyGroup
  float factor = 1.0f;  // of the scales that are written; the rows are rounded by the scales without it
};
struct RoundValuesArguments {
  const std::uint16_t* v = nullptr;
  const float* v_scale = nullptr;
  std::uint8_t* to = nullptr;  // [B, heads, width, padded_keys(lk)]
  int heads = 1, lk = 0;
};

inline constexpr int kRoundThreads = 128;  // of rows: a warp has kKeyGroup of them
inline constexpr int kRoundRows = kRoundThreads / 32 * kKeyGroup;
inline constexpr int kValueThreads = 256;
inline constexpr int kValueKeys = 128;        // of a block
inline constexpr int kValuePitch = 128 + 16;  // bytes of a channel in shared memory

constexpr int chunks(int keys) { return (keys + kChunkKeys - 1) / kChunkKeys; }
inline LaunchShape quantise_shape(int blocks, int heads, int batch, int threads, int shared_bytes) {
  LaunchShape shape;
  shape.grid[0] = static_cast<std::uint32_t>(blocks), shape.grid[1] = static_cast<std::uint32_t>(heads);
  shape.grid[2] = static_cast<std::uint32_t>(batch);
  shape.threads = static_cast<std::uint32_t>(threads);
  shape.shared_bytes = static_cast<std::uint32_t>(shared_bytes);
  return shape;
}
inline LaunchShape chunk_statistics_shape(const ChunkStatisticsArguments& a, int batch, int width) {
  return quantise_shape(chunks(a.lk), a.heads, batch, kChunkRows * width / 8, kChunkRows * width * 8);
}
inline LaunchShape statistics_shape(const StatisticsArguments& a, int batch, int width) {
  return quantise_shape(1, a.heads, batch, width, 0);
}
inline LaunchShape round_rows_shape(const RoundRowsArguments& a, int batch) {
  const int rows = a.mean ? a.scales * kKeyGroup : a.length;
  return quantise_shape((rows + kRoundRows - 1) / kRoundRows, a.heads, batch, kRoundThreads, 0);
}
inline LaunchShape round_values_shape(const RoundValuesArguments& a, int batch, int width) {
  return quantise_shape(padded_keys(a.lk) / kValueKeys, a.heads, batch, kValueThreads, width * kValuePitch);
}

}  // namespace rushes::kernels::cuda
