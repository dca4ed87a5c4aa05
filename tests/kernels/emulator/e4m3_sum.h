// How the software device multiplies numbers in e4m3.
//
// Thread contract: pure functions.
#pragma once

#include <array>
#include <bit>
#include <cstdint>

#include "kernels/tensor.h"

namespace rushes::emulator {

// A sum of products of e4m3 keeps a sign, 8 bits of exponent and 13 behind the point (SageAttention2, arXiv 2411.10958,
// measured on Ada and Hopper).
inline constexpr int kE4m3SumBits = 13;

inline float e4m3_sum(double exact) {
  const auto bits = std::bit_cast<std::uint32_t>(static_cast<float>(exact));
  return std::bit_cast<float>(bits & ~((1u << (23 - kE4m3SumBits)) - 1));
}

inline float e4m3_value(std::uint8_t bits) {
  static const std::array<float, 256> values = [] {
    std::array<float, 256> table{};
    for (std::size_t i = 0; i < table.size(); ++i)
      table[i] = kernels::f8e4m3_to_float(static_cast<std::uint8_t>(i));
    return table;
  }();
  return values[bits];
}

}  // namespace rushes::emulator
