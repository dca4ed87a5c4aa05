#include "kernels/cuda/attention.h"

#include <ptx/warp.h>

#include "kernels/cuda/forms.h"
// After warp.h:
#include "kernels/cuda/attention_block.h"

namespace rushes::kernels::cuda {
namespace {

template <int kWidth>
RUSHES_KERNEL(kAttentionThreads<kWidth>)
attention_kernel(RUSHES_ARGUMENTS(AttentionArguments) a) {
  device::attention_block<kWidth>(a, *reinterpret_cast<device::SharedTiles<kWidth>*>(device::shared_memory()),
                                  device::block_x(), device::block_y(), device::block_z());
}

static_assert(sizeof(device::SharedTiles<64>) == attention_shared_bytes(64) &&
              sizeof(device::SharedTiles<128>) == attention_shared_bytes(128));

}  // namespace

void RUSHES_FORM::add_attention(KernelTable& table) {
  table.attention_64 = RUSHES_HANDLE("attention_64", false, attention_kernel<64>);
  table.attention_128 = RUSHES_HANDLE("attention_128", false, attention_kernel<128>);
}

}  // namespace rushes::kernels::cuda
