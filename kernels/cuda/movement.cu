#include "kernels/cuda/movement.h"

#include <ptx/warp.h>

#include "kernels/cuda/forms.h"
// After warp.h:
#include "kernels/cuda/vector_access.h"

namespace rushes::kernels::cuda {
namespace {

// Index: 32 bits where the count allows, because a division of 64 bits costs five times as much.
template <typename Index, int kWide>
RUSHES_DEVICE void copy_elements(const StridedArguments& a) {
  for (std::int64_t i = device::first_element() * kWide; i < a.count; i += device::element_step() * kWide) {
    auto rest = static_cast<Index>(i);
    std::int64_t from = 0, to = 0;
    for (int d = a.dimensions - 1; d >= 0; --d) {
      const auto extent = static_cast<Index>(a.extent[d]);
      const Index next = rest / extent, at = rest - next * extent;
      from += static_cast<std::int64_t>(at) * a.x_step[d];
      to += static_cast<std::int64_t>(at) * a.y_step[d];
      rest = next;
    }
    float v[kWide];
    device::load<kWide>(v, a.x, from);
    device::store<kWide>(v, a.y, to);
  }
}

RUSHES_KERNEL(kElementThreads) strided_kernel(RUSHES_ARGUMENTS(StridedArguments) a) {
  if (a.count >> 32) {
    copy_elements<std::uint64_t, 1>(a);
  } else if (a.wide) {
    copy_elements<std::uint32_t, 8>(a);
  } else {
    copy_elements<std::uint32_t, 1>(a);
  }
}

RUSHES_KERNEL(kElementThreads) gather_kernel(RUSHES_ARGUMENTS(GatherArguments) a) {
  for (std::int64_t i = device::first_element(); i < a.count; i += device::element_step()) {
    const std::int64_t row = i / a.cols, from = a.index[row];
    float v[1] = {NAN};
    if (from >= 0 && from < a.table_rows) device::load<1>(v, a.table, from * a.cols + (i - row * a.cols));
    device::store<1>(v, a.y, i);
  }
}

RUSHES_KERNEL(kElementThreads) group_mean_kernel(RUSHES_ARGUMENTS(GroupMeanArguments) a) {
  for (std::int64_t i = device::first_element(); i < a.count; i += device::element_step()) {
    float sum[1] = {0.0f}, v[1];
    for (int j = 0; j < a.group; ++j) {
      device::load<1>(v, a.x, i * a.group + j);
      sum[0] += v[0];
    }
    sum[0] /= static_cast<float>(a.group);
    device::store<1>(sum, a.y, i);
  }
}

}  // namespace

void RUSHES_FORM::add_movement(KernelTable& table) {
  table.strided = RUSHES_HANDLE("strided", true, strided_kernel);
  table.gather = RUSHES_HANDLE("gather", true, gather_kernel);
  table.group_mean = RUSHES_HANDLE("group_mean", true, group_mean_kernel);
}

}  // namespace rushes::kernels::cuda
