// Codes of places as bytes of operands.
//
// Include <ptx/warp.h> first.
#pragma once

#include <cstdint>

namespace rushes::gpu_check {

// From 1 to `base`.
RUSHES_DEVICE int digit_of(int code, int digit, int base) {
  for (; digit > 0; --digit) code /= base;
  return code % base + 1;
}
// byte(i) for i from `first` on, four of them.
template <typename Byte>
RUSHES_DEVICE std::uint32_t four_bytes(int first, Byte byte) {
  std::uint32_t word = 0;
  RUSHES_UNROLL
  for (int i = 0; i < 4; ++i) word |= (static_cast<std::uint32_t>(byte(first + i)) & 0xffu) << 8 * i;
  return word;
}

}  // namespace rushes::gpu_check
