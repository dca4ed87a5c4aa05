// The logarithm of a row's sum where attention computes in 8 bits: see kernels/cuda/attention_s8.h.
//
// Include <ptx/warp.h> first.
#pragma once

#include "kernels/cuda/attention_s8.h"
#include "kernels/eight_bit.h"

namespace rushes::kernels::device {

// Writes ln(sum of exp(scale q k)) of row `row`, if it is below `end`. The four threads that share a row (`quad`: which of
// them) call it together, all of a warp alike. `top`: the largest of the row's scores over smoothed keys, in units of
// log2; `total`: the sum of 2^(kWeightBits + score - top).
RUSHES_DEVICE void store_log_sum8(const cuda::Attention8Arguments& a, int width, std::int64_t heads_before,
                                  int batch, int head, int row, int end, int quad, float top, float total) {
  const int known = row < a.lq ? row : a.lq - 1;
  const std::uint16_t* q =
      a.q16 + ((static_cast<std::int64_t>(batch) * a.lq + known) * a.heads + head) * width;
  const float* mean = a.k_mean + heads_before * width;
  float dot = 0.0f;
  for (int channel = quad; channel < width; channel += 4) dot += bf16_value(q[channel]) * mean[channel];
  dot += shuffle_xor(dot, 1);
  dot += shuffle_xor(dot, 2);
  if (row < end && quad == 0)
    a.log_sum[heads_before * a.lq + row] =
        (RUSHES_MUTATION(60) ? 0.0f : a.scale * dot) + (top + fast_log2(total) - kWeightBits) * cuda::kLn2;
}

}  // namespace rushes::kernels::device
