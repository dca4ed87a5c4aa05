// Numbers as the quantising kernels read, measure and write them.
//
// Include <ptx/warp.h> first.
#pragma once

#include <cmath>
#include <cstdint>

#include "kernels/cuda/kernel.h"
#include "kernels/cuda/vector_access.h"
#include "kernels/eight_bit.h"

namespace rushes::kernels::device {

RUSHES_DEVICE void load_bf16(float (&x)[8], const std::uint16_t* from) {
  load<8>(x, {const_cast<std::uint16_t*>(from), cuda::kWordBf16}, 0);
}
// NaN is larger than anything.
RUSHES_DEVICE float larger(float top, float x) { return x > top || x != x ? x : top; }
template <int kLanes>
RUSHES_DEVICE float largest_of_lanes(float x) {
  RUSHES_UNROLL
  for (int mask = 1; mask < kLanes; mask *= 2) x = larger(x, shuffle_xor(x, mask));
  return x;
}
RUSHES_DEVICE float scale_of(float top, float largest) { return top < kSmallest ? 1.0f : top / largest; }

struct alignas(8) TwoWords {
  std::uint32_t v[2];
};
// Eight numbers, rounded after a product with `inverse`; `to` is 8-byte aligned.
RUSHES_DEVICE void store_int8(std::int8_t* to, const float (&x)[8], float inverse) {
  TwoWords words{};
  RUSHES_UNROLL
  for (int i = 0; i < 8; ++i)
    words.v[i / 4] |= (static_cast<std::uint32_t>(nearest_int(x[i] * inverse)) & 0xffu) << 8 * (i % 4);
  *reinterpret_cast<TwoWords*>(to) = words;
}

}  // namespace rushes::kernels::device

namespace rushes::kernels::cuda {

// A kernel with numbers in e4m3: compute capability 8.9.
template <typename Arguments>
Kernel<Arguments> with_e4m3(Kernel<Arguments> kernel) {
  kernel.since = 89;
  return kernel;
}

}  // namespace rushes::kernels::cuda
