// Runs the attention kernels on a device by hand, for their tests.
#pragma once

#include <string>

#include "kernels/cuda/device_api.h"
#include "kernels/cuda/kernel_table.h"
#include "tests/kernels/attention_cases.h"

namespace rushes::kernels::cuda {

struct AttentionResult {
  int error = kSuccess;  // of the run
  std::vector<float> y, log_sum;
};
// The portable kernel. Without `with_log_sum` a kernel is given no place for it.
AttentionResult run_portable(DeviceApi& api, const AttentionCase& c, bool with_log_sum = true);
AttentionResult run_hopper(DeviceApi& api, const AttentionCase& c, bool cluster, bool with_log_sum = true);

// ln(sum of exp(scale q k)) by row, [B, heads, lq].
std::vector<float> expected_log_sum(const AttentionCase& c);

}  // namespace rushes::kernels::cuda
