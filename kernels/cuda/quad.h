// An exchange between the four threads that share rows of a product.
//
// Include <ptx/hopper.h> first.
#pragma once

#include <cstdint>

namespace rushes::kernels::device {

// Lane i of four gets word i of each: afterwards word j came from lane j.
RUSHES_DEVICE void transpose_quad(std::uint32_t (&w)[4]) {
  const int lane = thread_index() % 4;
  RUSHES_UNROLL
  for (int mask = 1; mask < 4; mask *= 2) {
    const bool high = lane & mask;
    RUSHES_UNROLL
    for (int i = 0; i < 4; ++i) {
      if (i & mask) continue;
      const std::uint32_t other = shuffle_xor_bits(high ? w[i] : w[i + mask], mask);
      if (high) {
        w[i] = other;
      } else {
        w[i + mask] = other;
      }
    }
  }
}

}  // namespace rushes::kernels::device
