#include <ptx/e4m3.h>

#include "kernels/cuda/attention_s8.h"
#include "kernels/cuda/forms.h"
// After e4m3.h:
#include "kernels/cuda/attention_s8_e4m3.h"

namespace rushes::kernels::cuda {
namespace {

template <int kWidth>
RUSHES_KERNEL(kAttentionThreads<kWidth>)
attention_s8_f8_kernel(RUSHES_ARGUMENTS(Attention8Arguments) a) {
  device::attention8_block<kWidth>(
      a, *reinterpret_cast<device::SharedTiles8<kWidth, true>*>(device::shared_memory()), device::block_x(),
      device::block_y(), device::block_z());
}

static_assert(sizeof(device::SharedTiles8<64, true>) == attention8_shared_bytes(kValuesE4m3, 64) &&
              sizeof(device::SharedTiles8<128, true>) == attention8_shared_bytes(kValuesE4m3, 128));

}  // namespace

void RUSHES_FORM::add_attention_s8_f8(KernelTable& table) {
  Kernel<Attention8Arguments>(&form)[2] = table.attention_s8[kValuesE4m3];
  form[0] = RUSHES_HANDLE("attention_s8_f8_64", false, attention_s8_f8_kernel<64>);
  form[1] = RUSHES_HANDLE("attention_s8_f8_128", false, attention_s8_f8_kernel<128>);
  form[0].since = form[1].since = 89;
}

}  // namespace rushes::kernels::cuda
