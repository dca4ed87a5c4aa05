#include "kernels/cuda/elementwise.h"

#include <ptx/warp.h>

#include "kernels/cuda/forms.h"

namespace rushes::kernels::cuda {
namespace {

RUSHES_DEVICE std::int64_t first_element() {
  return static_cast<std::int64_t>(device::block_x()) * device::block_threads() + device::thread_index();
}
RUSHES_DEVICE std::int64_t element_step() {
  return static_cast<std::int64_t>(device::grid_x()) * device::block_threads();
}

RUSHES_DEVICE void store(float* to, float value) { *to = value; }
RUSHES_DEVICE void store(std::uint16_t* to, float value) { *to = device::bf16_bits(value); }

template <typename T>
RUSHES_KERNEL(kElementThreads)
fill_kernel(RUSHES_ARGUMENTS(FillArguments) a) {
  for (std::int64_t i = first_element(); i < a.count; i += element_step())
    store(static_cast<T*>(a.x) + i, a.value);
}

}  // namespace

void RUSHES_FORM::add_elementwise(KernelTable& table) {
  table.fill[kWordF32] = RUSHES_HANDLE("fill_f32", true, fill_kernel<float>);
  table.fill[kWordBf16] = RUSHES_HANDLE("fill_bf16", true, fill_kernel<std::uint16_t>);
}

}  // namespace rushes::kernels::cuda
