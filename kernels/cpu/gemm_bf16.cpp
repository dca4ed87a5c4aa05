// bf16 tiles by VDPBF16PS: each step multiplies pairs and adds both products to an fp32 sum. (Highway 1.0 has
// no such operation.) The instruction rounds to nearest even and flushes denormals, on every processor alike.
#include <immintrin.h>

#include "kernels/cpu/gemm.h"

#pragma GCC push_options
#pragma GCC target("avx512f,avx512bw,avx512vl,avx512bf16")

namespace rushes::kernels {

namespace {

template <int kTileRows, int kVectors>
void tile(const float* __restrict a, std::int64_t lda, const Segment* segments, std::int64_t count,
          const float* __restrict b, float* __restrict c, std::int64_t ldc, bool accumulate) {
  __m512 sum[kTileRows][kVectors];
#pragma GCC unroll 16
  for (int r = 0; r < kTileRows; ++r)
#pragma GCC unroll 2
    for (int v = 0; v < kVectors; ++v) sum[r][v] = _mm512_setzero_ps();
  for (std::int64_t s = 0; s < count; ++s) {
    const float* from = a + segments[s].offset;
    for (const float* end = from + segments[s].units; from != end; ++from, b += kVectors * 16) {
      __m512bh column[kVectors];
#pragma GCC unroll 2
      for (int v = 0; v < kVectors; ++v) column[v] = (__m512bh)_mm512_loadu_ps(b + v * 16);
#pragma GCC unroll 16
      for (int r = 0; r < kTileRows; ++r) {
        const __m512bh x = (__m512bh)_mm512_set1_ps(from[r * lda]);
#pragma GCC unroll 2
        for (int v = 0; v < kVectors; ++v) sum[r][v] = _mm512_dpbf16_ps(sum[r][v], x, column[v]);
      }
    }
  }
#pragma GCC unroll 16
  for (int r = 0; r < kTileRows; ++r)
#pragma GCC unroll 2
    for (int v = 0; v < kVectors; ++v) {
      float* to = c + r * ldc + v * 16;
      _mm512_storeu_ps(to, accumulate ? _mm512_add_ps(_mm512_loadu_ps(to), sum[r][v]) : sum[r][v]);
    }
}

template <int kTileRows>
void add_tiles(GemmKernels& kernels) {
  kernels.tile[1][kTileRows] = tile<kTileRows, 1>;
  kernels.tile[2][kTileRows] = tile<kTileRows, 2>;
  if constexpr (kTileRows > 1) add_tiles<kTileRows - 1>(kernels);
}

}  // namespace

}  // namespace rushes::kernels

#pragma GCC pop_options

namespace rushes::kernels {

std::optional<GemmKernels> bf16_gemm_kernels() {
  if (!__builtin_cpu_supports("avx512bf16") || !__builtin_cpu_supports("avx512bw")) return std::nullopt;
  GemmKernels kernels;
  kernels.rows = kMaxTileRows;
  kernels.lanes = 16;
  kernels.per_unit = 2;
  add_tiles<kMaxTileRows>(kernels);
  return kernels;
}

}  // namespace rushes::kernels
