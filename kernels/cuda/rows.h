// Kernels over whole rows: norms and softmax. The order of every sum is fixed.
//
// A block of eight warps computes 8 / warps rows, `warps` (1, 2, 4 or 8) of them together one row: each thread adds its
// own columns in order, lanes meet by a tree of shuffles, warps in the order of their numbers.
//
// Thread contract: plain values.
#pragma once

#include <cstdint>

#include "kernels/cuda/kernel.h"
#include "kernels/cuda/vector.h"

namespace rushes::kernels::cuda {

inline constexpr std::uint32_t kRowThreads = 256;
inline constexpr int kRowWarps = 8;
inline constexpr int kLaneColumns = 32;  // of a wide row that a lane keeps in registers

// As few warps as hold the row in registers; longer rows are read again.
inline int row_warps(std::int64_t cols) {
  int warps = 1;
  while (warps < kRowWarps && warps * 32 * kLaneColumns < cols) warps *= 2;
  return warps;
}
inline LaunchShape row_shape(std::int64_t rows, int warps) {
  const std::int64_t per_block = kRowWarps / warps;
  return {{static_cast<std::uint32_t>((rows + per_block - 1) / per_block), 1, 1},
          kRowThreads,
          kRowWarps * sizeof(float)};
}

enum Norm {
  kLayerNorm,          // y = (x - mean) / sqrt(var + eps) [* weight + bias] [* (1 + scale)] [+ shift]
  kAddGatedLayerNorm,  // x += gate[r, c] update, then the same; gate is optional
  kRmsNorm,            // y = x / sqrt(mean(x^2) + eps) * weight
  kRmsNormRope,        // and pairs of columns rotated by the angles of row r % length
  kChannelNorm,        // y = act(x / max(||x||, 1e-12) * sqrt(cols) * weight)
  kNorms
};
// The same rows rounded to 8 bits (kernels/eight_bit_rows.h), and rows as they are.
enum RowsE4m3 { kLayerNormE4m3, kAddGatedLayerNormE4m3, kRoundedE4m3, kRowsE4m3 };
struct NormArguments {
  Vector x = {}, y = {};
  std::int64_t rows = 0;
  int cols = 1, warps = 1;
  bool wide = false;
  const float *weight = nullptr, *bias = nullptr;
  RowParameters shift = {}, scale = {}, gate = {};
  Vector update = {};
  float eps = 0;
  int activation = 0;
  const float* table = nullptr;  // [length, width / 2, 2] = (cos, sin)
  int length = 1, width = 2;
  float* y_scale = nullptr;  // [rows], of rows in kWordE4m3
};

// p[n, i, j] = softmax over j of scale s[n, i, j] + bias; rows of s and p are `stride` apart, a multiple of 8, and keys
// from lk to there become 0. n counts heads (of batch entry `batch`) or, with one head, batch entries; i is query
// first_query + i. `p` may be `s`. A row without any key is NaN.
struct SoftmaxArguments {
  const float* s = nullptr;
  Vector p = {};
  std::int64_t rows = 0;  // entries * queries
  int queries = 1, first_query = 0;
  int lq = 1, lk = 1, stride = 8, warps = 1;
  int heads = 1, batch = 0;
  float scale = 1;
  const float* relative_bias = nullptr;                  // [heads, lq + lk - 1]
  const std::int32_t* key_mask = nullptr;                // [B, lk]
  const std::int32_t *first = nullptr, *tile = nullptr;  // KeyTilePlan
  int query_tile = 1, key_tile = 1;
};

}  // namespace rushes::kernels::cuda
