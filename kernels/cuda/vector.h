// Operands of the kernels: where numbers lie and how each is stored.
//
// Thread contract: plain values.
#pragma once

#include <cstdint>

#include "kernels/cuda/kernel.h"

namespace rushes::kernels::cuda {

// kWordE4m3: rows rounded to 8 bits (kernels/eight_bit_rows.h), in matrix products alone.
enum Word { kWordF32 = 0, kWordBf16 = 1, kWordE4m3 = 2 };

// Dense numbers in device memory. int32 travels as kWordF32 where a kernel only moves it.
struct Vector {
  void* data = nullptr;
  Word word = kWordF32;
};

// Rows of parameters (Modulation): row `group[r]` for row r; without `group` row r, or the only one. A group outside
// [0, groups) gives NaN: the host cannot look at device memory without waiting.
struct RowParameters {
  const float* data = nullptr;  // [groups, cols]; null: none
  const std::int32_t* group = nullptr;
  std::int64_t groups = 0;
};

}  // namespace rushes::kernels::cuda
