// Kernels that move numbers from place to place, converting between fp32 and bf16.
//
// Thread contract: plain values.
#pragma once

#include <cstdint>

#include "kernels/cuda/elementwise.h"
#include "kernels/cuda/vector.h"

namespace rushes::kernels::cuda {

inline constexpr int kMostDimensions = 8;

// y[sum of i_d y_step[d]] = x[sum of i_d x_step[d]] for every index i below `extent`; a step of 0 repeats. `count` is
// the product of the extents. Wide: runs of eight along the last dimension.
struct StridedArguments {
  Vector x = {}, y = {};
  std::int64_t count = 0;
  int dimensions = 1;
  bool wide = false;
  std::int64_t extent[kMostDimensions] = {}, x_step[kMostDimensions] = {}, y_step[kMostDimensions] = {};
};

// y[r] = table[index[r]]; NaN where the index lies outside the table.
struct GatherArguments {
  Vector table = {}, y = {};
  const std::int32_t* index = nullptr;
  std::int64_t count = 0;  // of y
  std::int64_t table_rows = 0;
  int cols = 1;
};

// y[i] = mean of x[i, 0..group).
struct GroupMeanArguments {
  Vector x = {}, y = {};
  std::int64_t count = 0;  // of y
  int group = 1;
};

}  // namespace rushes::kernels::cuda
