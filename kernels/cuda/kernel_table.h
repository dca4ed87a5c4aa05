// Every GPU kernel that the host starts, by name; made by kernel_table.cu in each form (kernels/cuda/kernel.h).
//
// Thread contract: immutable.
#pragma once

#include "kernels/cuda/attention.h"
#include "kernels/cuda/attention_hopper.h"
#include "kernels/cuda/attention_s8.h"
#include "kernels/cuda/attention_s8_hopper.h"
#include "kernels/cuda/elementwise.h"
#include "kernels/cuda/exact.h"
#include "kernels/cuda/movement.h"
#include "kernels/cuda/quantise.h"
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
  Kernel<NormArguments> rows_e4m3[kRowsE4m3];  // compute capability 8.9
  Kernel<SoftmaxArguments> softmax;
  Kernel<AttentionArguments> attention_64, attention_128;
  Kernel<HopperAttentionArguments> attention_hopper[kHopperForms];  // compute capability 9.0
  // By width: 64, 128.
  Kernel<ChunkStatisticsArguments> chunk_statistics[2];
  Kernel<StatisticsArguments> statistics[2];
  Kernel<RoundRowsArguments> round_queries[2], round_keys[2];
  Kernel<RoundValuesArguments> round_values[2];                   // compute capability 8.9
  Kernel<Attention8Arguments> attention_s8[kAttention8Forms][2];  // with e4m3: compute capability 8.9
  Kernel<HopperAttention8Arguments> attention_s8_hopper;          // compute capability 9.0
};

}  // namespace rushes::kernels::cuda
