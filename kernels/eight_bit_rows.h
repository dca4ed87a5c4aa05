// Matrix products in 8 bits: how their operands are rounded, and that in plain code, which judges the GPU's.
//
// Both operands of y = x w^T are rounded by rows (a token of x, an output channel of w) to e4m3 (OCP 8-bit Floating Point
// Specification, 1.0), with a scale for each row:
//
//   scale[r] = max |x[r, :]| / 448;   codes[r, k] = e4m3(x[r, k] / scale[r])
//   y[r, n]  = x_scale[r] w_scale[n] (sum over k of x_codes[r, k] w_codes[n, k], in fp32) + bias[n], the bias in bf16 where the library adds it
//
// Rounding is to nearest, ties to even; "/ scale" is a product with 1 / scale. A row whose largest magnitude is below
// kSmallest counts as zeros, with scale 1; a NaN or an infinity in a row makes its results NaN.
//
// How near it comes: e4m3 has three bits behind the point, an error of 2.7e-2 (root mean square) of each number within
// 2^-14 of its row's largest; of two operands 3.7e-2, whatever the length, unless the products have a common part.
//
// Layout on a device: codes [R, C], dense; behind them, from the next multiple of kRowAlignment bytes, R scales in fp32.
//
// Thread contract: pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace rushes::kernels {

inline constexpr std::size_t kRowAlignment = 256;

constexpr std::size_t row_scales_at(std::size_t codes) {
  return (codes + kRowAlignment - 1) / kRowAlignment * kRowAlignment;
}

struct RoundedRows {
  std::vector<std::uint8_t> codes;  // [R, C]
  std::vector<float> scale;         // [R]
};
RoundedRows round_rows(std::int64_t rows, std::int64_t cols, const float* x);
std::vector<float> widen(const RoundedRows& rounded);  // codes times scales, [R, C]

}  // namespace rushes::kernels
