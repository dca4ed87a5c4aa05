// Kernels that compute each element alone. All tensors are dense; `count` in elements.
//
// Thread contract: plain values.
#pragma once

#include <cstdint>

#include "kernels/cuda/kernel.h"
#include "kernels/cuda/vector.h"

namespace rushes::kernels::cuda {

inline constexpr std::uint32_t kElementThreads = 256;
// Threads walk over the elements in steps of the whole grid.
inline LaunchShape element_shape(std::int64_t count) {
  const std::int64_t blocks = (count + kElementThreads - 1) / kElementThreads;
  return {{static_cast<std::uint32_t>(blocks < 1      ? 1
                                      : blocks > 8192 ? 8192
                                                      : blocks),
           1, 1},
          kElementThreads};
}

struct FillArguments {
  void* x = nullptr;
  std::int64_t count = 0;
  float value = 0;
};

// What a map computes; `x`, `y`, `out` of one shape [count / cols, cols], r the row and c the column.
enum Map {
  kMapAffine,    // out = act(x scale[c] + shift[c]) + y; scale, shift and y are optional
  kMapGeluGate,  // out = gelu_tanh(x) y
  kMapClamp,     // out = x, at least a and at most b
  kMapAddGated,  // out = y + gate[r, c] x; gate is optional
  kMaps
};

struct MapArguments {
  Vector x = {}, y = {}, out = {};
  std::int64_t count = 0;
  int cols = 1;
  int x_stride = 0;  // elements from row to row of x; 0: cols
  bool wide = false;
  const float *scale = nullptr, *shift = nullptr;
  RowParameters gate = {};
  int activation = 0;
  float a = 1, b = 0;
};

}  // namespace rushes::kernels::cuda
