#include "kernels/eight_bit_rows.h"

#include <algorithm>
#include <cmath>

#include "kernels/eight_bit.h"
#include "kernels/tensor.h"

namespace rushes::kernels {

RoundedRows round_rows(std::int64_t rows, std::int64_t cols, const float* x) {
  RoundedRows rounded;
  for (std::int64_t r = 0; r < rows; ++r) {
    const float* row = x + r * cols;
    float top = 0.0f;
    for (std::int64_t c = 0; c < cols; ++c) {
      const float size = std::fabs(row[c]);
      if (size > top || std::isnan(size)) top = size;
    }
    const float scale = top < kSmallest ? 1.0f : top / kLargestE4m3, inverse = 1.0f / scale;
    for (std::int64_t c = 0; c < cols; ++c) rounded.codes.push_back(float_to_f8e4m3(row[c] * inverse));
    rounded.scale.push_back(scale);
  }
  return rounded;
}

std::vector<float> widen(const RoundedRows& rounded) {
  const std::size_t rows = rounded.scale.size(), cols = rounded.codes.size() / std::max<std::size_t>(rows, 1);
  std::vector<float> values;
  for (std::size_t r = 0; r < rows; ++r)
    for (std::size_t c = 0; c < cols; ++c)
      values.push_back(f8e4m3_to_float(rounded.codes[r * cols + c]) * rounded.scale[r]);
  return values;
}

}  // namespace rushes::kernels
