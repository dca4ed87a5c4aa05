#include "kernels/cuda/attention_hopper.h"

#include <ptx/hopper.h>

#include "kernels/cuda/forms.h"
// After hopper.h:
#include "kernels/cuda/attention_hopper_block.h"

namespace rushes::kernels::cuda {
namespace {

template <int kWidth, int kKeys, int kCluster, bool kListed>
RUSHES_KERNEL_ALONE(kHopperThreads)
attention_hopper_kernel(RUSHES_ARGUMENTS(HopperAttentionArguments) a) {
  device::hopper::attention_block<device::hopper::Form<kWidth, kKeys, kCluster, kListed>>(a);
}

template <HopperIndex kIndex>
Kernel<HopperAttentionArguments> handle(const char* name) {
  constexpr HopperForm kForm = kHopperForm[kIndex];
  Kernel<HopperAttentionArguments> made = RUSHES_HANDLE(
      name, false, attention_hopper_kernel<kForm.width, kForm.keys, kForm.cluster, kForm.listed>);
  made.only_for = 90;
  return made;
}

}  // namespace

void RUSHES_FORM::add_attention_hopper(KernelTable& table) {
  table.attention_hopper[kHopper128] = handle<kHopper128>("attention_hopper_128");
  table.attention_hopper[kHopper128Cluster] = handle<kHopper128Cluster>("attention_hopper_128_cluster");
  table.attention_hopper[kHopper128Listed] = handle<kHopper128Listed>("attention_hopper_128_listed");
  table.attention_hopper[kHopper64] = handle<kHopper64>("attention_hopper_64");
  table.attention_hopper[kHopper64Listed] = handle<kHopper64Listed>("attention_hopper_64_listed");
}

}  // namespace rushes::kernels::cuda
