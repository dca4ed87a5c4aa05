// Every GPU kernel that the host starts, by name; made by kernel_table.cu in each form (kernels/cuda/kernel.h).
//
// Thread contract: immutable.
#pragma once

#include "kernels/cuda/attention.h"
#include "kernels/cuda/attention_hopper.h"
#include "kernels/cuda/elementwise.h"
#include "kernels/cuda/exact.h"
#include "kernels/cuda/movement.h"
#include "kernels/cuda/rows.h"

namespace rushes::kernels::cuda {

struct KernelTable {
  Kernel<FillArguments> fill[2];  // by Word
  Kernel<MapArguments> map[kMaps];
  Kernel<CombineArguments> combine;
  Kernel<NoiseArguments> noise;
  Kernel<StridedArguments> strided;
  Kernel<GatherArguments> gather;
  Kernel<GroupMeanArguments> group_mean;
  Kernel<NormArguments> norm[kNorms];
  Kernel<SoftmaxArguments> softmax;
  Kernel<AttentionArguments> attention_64, attention_128;
  Kernel<HopperAttentionArguments> attention_hopper[kHopperForms];  // compute capability 9.0
};

}  // namespace rushes::kernels::cuda
