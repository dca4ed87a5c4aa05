// Runs the attention kernels on a device by hand, for their tests.
#pragma once

#include <string>

#include "kernels/cuda/device_api.h"
#include "kernels/cuda/kernel_table.h"
#include "tests/kernels/attention_cases.h"

namespace rushes::kernels::cuda {

// The portable kernel.
std::vector<float> run_portable(DeviceApi& api, const AttentionCase& c);

struct HopperResult {
  int error = kSuccess;  // of the run
  std::vector<float> y, log_sum;
};
// Without `with_log_sum` the kernel is given no place for it.
HopperResult run_hopper(DeviceApi& api, const AttentionCase& c, bool cluster, bool with_log_sum = true);

// ln(sum of exp(scale q k)) by row, [B, heads, lq].
std::vector<float> expected_log_sum(const AttentionCase& c);

}  // namespace rushes::kernels::cuda
