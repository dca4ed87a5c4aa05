#include "kernels/cuda/attention_s8.h"

#include <ptx/warp.h>

#include "kernels/cuda/forms.h"
// After warp.h:
#include "kernels/cuda/attention_s8_block.h"

namespace rushes::kernels::cuda {
namespace {

template <int kWidth>
RUSHES_KERNEL(kAttentionThreads<kWidth>)
attention_s8_kernel(RUSHES_ARGUMENTS(Attention8Arguments) a) {
  device::attention8_block<kWidth>(
      a, *reinterpret_cast<device::SharedTiles8<kWidth, false>*>(device::shared_memory()), device::block_x(),
      device::block_y(), device::block_z());
}

static_assert(sizeof(device::SharedTiles8<64, false>) == attention8_shared_bytes(kValuesBf16, 64) &&
              sizeof(device::SharedTiles8<128, false>) == attention8_shared_bytes(kValuesBf16, 128));

}  // namespace

void RUSHES_FORM::add_attention_s8(KernelTable& table) {
  table.attention_s8[kValuesBf16][0] = RUSHES_HANDLE("attention_s8_64", false, attention_s8_kernel<64>);
  table.attention_s8[kValuesBf16][1] = RUSHES_HANDLE("attention_s8_128", false, attention_s8_kernel<128>);
}

}  // namespace rushes::kernels::cuda
