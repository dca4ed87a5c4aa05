// Kernels whose results have the bits of the CPU: every product and every sum is rounded by itself, none is fused.
//
// Their source is compiled with -fmad=false (nvcc) and -ffp-contract=off (the software device).
//
// Thread contract: plain values.
#pragma once

#include <cstdint>

#include "kernels/cuda/elementwise.h"
#include "kernels/cuda/vector.h"
#include "kernels/philox.h"

namespace rushes::kernels::cuda {

// out = ((f0 x0 + f1 x1) + f2 x2) + f3 x3, `terms` of them. `out` may be any of the x.
inline constexpr int kCombined = 4;
struct CombineArguments {
  Vector x[kCombined] = {}, out = {};
  float factor[kCombined] = {};
  int terms = 1;
  bool wide = false;
  std::int64_t count = 0;
};

// The noise of one frame: x[c, y, w] = gaussian_at(key, channel + c, frame, row + y, column + w), channels `channel_step`
// elements apart.
struct NoiseArguments {
  float* x = nullptr;
  std::int64_t count = 0, rows = 1, cols = 1;  // count: channels * rows * cols
  std::int64_t channel_step = 0;
  PhiloxKey key = {};
  std::uint32_t channel = 0, frame = 0, row = 0, column = 0;
};

}  // namespace rushes::kernels::cuda
