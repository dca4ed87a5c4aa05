#include "kernels/cuda/exact.h"

#include <ptx/warp.h>

#include "kernels/cuda/forms.h"
// After warp.h:
#include "kernels/cuda/vector_access.h"

namespace rushes::kernels::cuda {
namespace {

// Everything is read before anything is added: four reads are under way at once.
template <int kWide>
RUSHES_DEVICE void combine_all(const CombineArguments& a) {
  for (std::int64_t i = device::first_element() * kWide; i < a.count; i += device::element_step() * kWide) {
    float v[kCombined][kWide], sum[kWide];
    RUSHES_UNROLL
    for (int n = 0; n < kCombined; ++n)
      if (n < a.terms) device::load<kWide>(v[n], a.x[n], i);
    RUSHES_UNROLL
    for (int j = 0; j < kWide; ++j) sum[j] = a.factor[0] * v[0][j];
    RUSHES_UNROLL
    for (int n = 1; n < kCombined; ++n) {
      if (n >= a.terms) break;
      RUSHES_UNROLL
      for (int j = 0; j < kWide; ++j) sum[j] = sum[j] + a.factor[n] * v[n][j];
    }
    device::store<kWide>(sum, a.out, i);
  }
}

RUSHES_KERNEL(kElementThreads) combine_kernel(RUSHES_ARGUMENTS(CombineArguments) a) {
  if (a.wide) {
    combine_all<8>(a);
  } else {
    combine_all<1>(a);
  }
}

RUSHES_KERNEL(kElementThreads) noise_kernel(RUSHES_ARGUMENTS(NoiseArguments) a) {
  for (std::int64_t i = device::first_element(); i < a.count; i += device::element_step()) {
    const std::int64_t line = i / a.cols, channel = line / a.rows;
    const std::int64_t row = line - channel * a.rows, column = i - line * a.cols;
    a.x[channel * a.channel_step + row * a.cols + column] =
        gaussian_at(a.key, a.channel + static_cast<std::uint32_t>(channel), a.frame,
                    a.row + static_cast<std::uint32_t>(row), a.column + static_cast<std::uint32_t>(column));
  }
}

}  // namespace

void RUSHES_FORM::add_exact(KernelTable& table) {
  table.combine = RUSHES_HANDLE("combine", true, combine_kernel);
  table.noise = RUSHES_HANDLE("noise", true, noise_kernel);
}

}  // namespace rushes::kernels::cuda
