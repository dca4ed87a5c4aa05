// kernels/cuda/ptx/e4m3.h on the software device: the same names.
//
// Sums of products are exact; a sum that is given back has emulator::kE4m3SumBits bits behind its point, the rest cut off,
// as on a GPU.
#pragma once

#include <ptx/warp.h>

#include "tests/kernels/emulator/e4m3_sum.h"

namespace rushes::kernels::device {

inline std::uint32_t pack_e4m3(float x0, float x1, float x2, float x3) {
  return float_to_f8e4m3(x0) | static_cast<std::uint32_t>(float_to_f8e4m3(x1)) << 8 |
         static_cast<std::uint32_t>(float_to_f8e4m3(x2)) << 16 |
         static_cast<std::uint32_t>(float_to_f8e4m3(x3)) << 24;
}

inline void multiply_add_e4m3(float (&d)[4], const std::uint32_t (&a)[4], std::uint32_t b0,
                              std::uint32_t b1) {
  const std::uint32_t words[6] = {a[0], a[1], a[2], a[3], b0, b1};
  const auto& board = emulator::show("mma e4m3", words, 6);
  const std::uint32_t lane = emulator::self().lane();
  const auto byte = [](std::uint32_t word, std::uint32_t i) {
    return emulator::e4m3_value(static_cast<std::uint8_t>(word >> 8 * i));
  };
  for (std::uint32_t i = 0; i < 4; ++i) {
    const std::uint32_t row = lane / 4 + 8 * (i / 2), column = 2 * (lane % 4) + i % 2;
    double sum = static_cast<double>(d[i]);
    for (std::uint32_t k = 0; k < 32; ++k)
      sum += static_cast<double>(byte(board.words[row % 8 * 4 + k % 16 / 4][row / 8 + 2 * (k / 16)], k % 4)) *
             static_cast<double>(byte(board.words[column * 4 + k % 16 / 4][4 + k / 16], k % 4));
    d[i] = emulator::e4m3_sum(sum);
  }
}

}  // namespace rushes::kernels::device
