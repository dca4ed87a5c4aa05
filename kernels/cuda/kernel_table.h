// Every GPU kernel that the host starts, by name; made by kernel_table.cu in each form (kernels/cuda/kernel.h).
//
// Entries with two indices: [dtype of the input][dtype of the output], Word::kF32 or kBf16.
//
// Thread contract: immutable.
#pragma once

#include "kernels/cuda/attention.h"
#include "kernels/cuda/attention_hopper.h"
#include "kernels/cuda/elementwise.h"

namespace rushes::kernels::cuda {

enum Word { kWordF32 = 0, kWordBf16 = 1 };

struct KernelTable {
  Kernel<FillArguments> fill[2];
  Kernel<AttentionArguments> attention_64, attention_128;
  Kernel<HopperAttentionArguments> attention_hopper[kHopperForms];  // compute capability 9.0
};

}  // namespace rushes::kernels::cuda
