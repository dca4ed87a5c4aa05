// fp32 tiles for every instruction set (Highway compiles this file once per target).
#include "kernels/cpu/gemm.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/gemm_f32.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace rushes::kernels::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;
using Floats = hn::ScalableTag<float>;

// 32 registers hold 14 x 2 sums, two columns of B and spare; 16 registers hold 6 x 2.
constexpr int kRows = HWY_TARGET <= HWY_AVX3 ? 14 : 6;

template <int kTileRows, int kVectors>
void tile(const float* HWY_RESTRICT a, std::int64_t lda, const Segment* segments, std::int64_t count,
          const float* HWY_RESTRICT b, float* HWY_RESTRICT c, std::int64_t ldc, bool accumulate) {
  const Floats d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  hn::Vec<Floats> sum[kTileRows][kVectors];
#pragma GCC unroll 16
  for (int r = 0; r < kTileRows; ++r)
#pragma GCC unroll 2
    for (int v = 0; v < kVectors; ++v) sum[r][v] = hn::Zero(d);
  for (std::int64_t s = 0; s < count; ++s) {
    const float* from = a + segments[s].offset;
    for (const float* end = from + segments[s].units; from != end; ++from, b += kVectors * lanes) {
      hn::Vec<Floats> column[kVectors];
#pragma GCC unroll 2
      for (int v = 0; v < kVectors; ++v) column[v] = hn::LoadU(d, b + v * lanes);
#pragma GCC unroll 16
      for (int r = 0; r < kTileRows; ++r) {
        const auto x = hn::Set(d, from[r * lda]);
#pragma GCC unroll 2
        for (int v = 0; v < kVectors; ++v) sum[r][v] = hn::MulAdd(x, column[v], sum[r][v]);
      }
    }
  }
#pragma GCC unroll 16
  for (int r = 0; r < kTileRows; ++r)
#pragma GCC unroll 2
    for (int v = 0; v < kVectors; ++v) {
      float* to = c + r * ldc + v * lanes;
      hn::StoreU(accumulate ? hn::Add(hn::LoadU(d, to), sum[r][v]) : sum[r][v], d, to);
    }
}

template <int kTileRows>
void add_tiles(GemmKernels& kernels) {
  kernels.tile[1][kTileRows] = tile<kTileRows, 1>;
  kernels.tile[2][kTileRows] = tile<kTileRows, 2>;
  if constexpr (kTileRows > 1) add_tiles<kTileRows - 1>(kernels);
}

GemmKernels gemm_kernels() {
  GemmKernels kernels;
  kernels.rows = kRows;
  kernels.lanes = static_cast<std::int64_t>(hn::Lanes(Floats()));
  add_tiles<kRows>(kernels);
  return kernels;
}

void round_floats(const float* HWY_RESTRICT x, std::int64_t count, float* HWY_RESTRICT out) {
  const auto* in = reinterpret_cast<const std::uint32_t*>(x);
  auto* bits = reinterpret_cast<std::uint32_t*>(out);
  for (std::int64_t i = 0; i < count; ++i) {
    const std::uint32_t value = in[i];
    const std::uint32_t rounded = (value + 0x7fffu + ((value >> 16) & 1u)) & 0xffff0000u;
    bits[i] = (value & 0x7fffffffu) > 0x7f800000u ? ((value & 0xffff0000u) | 0x400000u) : rounded;
  }
}

void round_halves(const float* HWY_RESTRICT x, std::int64_t count, std::uint16_t* HWY_RESTRICT out) {
  const auto* in = reinterpret_cast<const std::uint32_t*>(x);
  for (std::int64_t i = 0; i < count; ++i) {
    const std::uint32_t value = in[i];
    const std::uint32_t rounded = (value + 0x7fffu + ((value >> 16) & 1u)) >> 16;
    out[i] =
        static_cast<std::uint16_t>((value & 0x7fffffffu) > 0x7f800000u ? ((value >> 16) | 0x40u) : rounded);
  }
}

}  // namespace rushes::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace rushes::kernels {

HWY_EXPORT(gemm_kernels);
HWY_EXPORT(round_floats);
HWY_EXPORT(round_halves);

GemmKernels f32_gemm_kernels() { return HWY_DYNAMIC_DISPATCH(gemm_kernels)(); }

void round_to_bf16(const float* x, std::int64_t count, float* out) {
  HWY_DYNAMIC_DISPATCH(round_floats)(x, count, out);
}

void round_to_bf16(const float* x, std::int64_t count, std::uint16_t* out) {
  HWY_DYNAMIC_DISPATCH(round_halves)(x, count, out);
}

}  // namespace rushes::kernels
#endif
