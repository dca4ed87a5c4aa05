// Runs attention in 8 bits on a device by hand, for its tests.
#pragma once

#include "kernels/cuda/attention_s8_hopper.h"
#include "kernels/cuda/device_api.h"
#include "kernels/eight_bit.h"
#include "tests/kernels/attention_cases.h"

namespace rushes::kernels::cuda {

struct EightBitResult {
  int error = kSuccess;       // of the run
  EightBitOperands operands;  // as the device rounded them; v and v_scale are empty with values in bf16
  std::vector<float> y, log_sum;
};
// `hopper`: Hopper's kernel, with the operands of kValuesE4m3.
EightBitResult run_eight_bit(DeviceApi& api, const AttentionCase& c, Attention8Form form,
                             bool hopper = false);

EightBitShape eight_bit_shape(const AttentionCase& c);
// kernels/eight_bit.h of the case: its operands, and attention over them.
EightBitOperands quantise(const AttentionCase& c);
std::vector<float> attend(const AttentionCase& c, const EightBitOperands& operands);

// What a kernel may differ by from attend(), by the rounding of its weights: of e4m3's three bits behind the point 2.5e-2
// (root mean square) where values are noise alone, of bf16's seven 16 times less, and the result's in bf16.
constexpr double eight_bit_tolerance(Attention8Form form) { return form == kValuesE4m3 ? 4e-2 : 5e-3; }

// Rounding values to e4m3 too gives the same again, so that noise alone is further from the reference than what the scheme
// is held to: 2e-2 and a cosine of 0.9995 over many keys with outliers, whose average is not noise alone.
AttentionCase outlier_case(int width, int lq, int lk, int key_tile);  // key_tile 0: dense
// Logarithms of a row's sum, from the reference's: each score differs by the rounding of q and k, a row's sum less.
inline constexpr float kMostLogSumError = 6e-2f;
inline constexpr double kMostOutlierDistance = 2e-2, kLeastOutlierCosine = 0.9995, kMostNoiseDistance = 6e-2;

}  // namespace rushes::kernels::cuda
