// Kernels that compute each element alone. All tensors are dense; `count` in elements.
//
// Thread contract: plain values.
#pragma once

#include <cstdint>

#include "kernels/cuda/kernel.h"

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

}  // namespace rushes::kernels::cuda
