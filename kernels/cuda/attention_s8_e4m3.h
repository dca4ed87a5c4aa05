// What attention_s8_block.h does in e4m3.
//
// Include <ptx/e4m3.h> first.
#pragma once

#include "kernels/cuda/attention_s8_block.h"

namespace rushes::kernels::device {

// sum = sum rescale + p v. Each step's product begins at zero, because its sum has fewer bits than fp32.
template <int kWidth>
RUSHES_DEVICE void add_values8(WarpState8<kWidth>& state, const float (&s)[kKeys / 8][4],
                               const std::uint8_t (&v)[kWidth][kKeys + 16], const float (&rescale)[2],
                               int lane) {
  constexpr int kSteps = kKeys / 32;
  const int matrix = lane / 8, row = lane % 8;
  std::uint32_t p[kSteps][4];
  RUSHES_UNROLL
  for (int step = 0; step < kSteps; ++step) {
    RUSHES_UNROLL
    for (int i = 0; i < 4; ++i) {  // rows l / 4 and + 8 of 16 keys, then of 16 more: value_place()
      const float(&low)[4] = s[step * 4 + i / 2 * 2], (&high)[4] = s[step * 4 + i / 2 * 2 + 1];
      const int at = i % 2 * 2;
      p[step][i] = RUSHES_MUTATION(58) ? pack_e4m3(low[at], high[at], low[at + 1], high[at + 1])
                                       : pack_e4m3(low[at], low[at + 1], high[at], high[at + 1]);
    }
  }
  RUSHES_UNROLL
  for (int n = 0; n < kWidth / 16; ++n) {
    float d[2][4] = {};
    RUSHES_UNROLL
    for (int step = 0; step < kSteps; ++step) {
      std::uint32_t b[4];
      load_matrices(b, &v[n * 16 + matrix / 2 * 8 + row][step * 32 + matrix % 2 * 16]);
      multiply_add_e4m3(d[0], p[step], b[0], b[1]);
      multiply_add_e4m3(d[1], p[step], b[2], b[3]);
    }
    RUSHES_UNROLL
    for (int half = 0; half < 2; ++half) RUSHES_UNROLL
    for (int i = 0; i < 4; ++i) {
      float& sum = state.sum[2 * n + half][i];
      sum = sum * (RUSHES_MUTATION(59) ? 1.0f : rescale[i / 2]) + d[half][i];
    }
  }
}

}  // namespace rushes::kernels::device
