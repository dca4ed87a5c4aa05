#include "kernels/cuda/attention_s8_hopper.h"

#include <ptx/e4m3.h>
#include <ptx/hopper.h>

#include "kernels/cuda/forms.h"
// After hopper.h:
#include "kernels/cuda/attention_s8_hopper_block.h"

namespace rushes::kernels::cuda {
namespace {

RUSHES_KERNEL_BLOCKS(kHopper8Threads, kHopper8Blocks)
attention_s8_hopper_kernel(RUSHES_ARGUMENTS(HopperAttention8Arguments) a) {
  device::hopper8::attention_block(a);
}

}  // namespace

void RUSHES_FORM::add_attention_s8_hopper(KernelTable& table) {
  table.attention_s8_hopper = RUSHES_HANDLE("attention_s8_hopper", false, attention_s8_hopper_kernel);
  table.attention_s8_hopper.only_for = 90;
}

}  // namespace rushes::kernels::cuda
