#include <ptx/e4m3.h>

#include "kernels/cuda/forms.h"
#include "kernels/cuda/quantise.h"
// After e4m3.h:
#include "kernels/cuda/quantise_access.h"

namespace rushes::kernels::cuda {
namespace {

// A block transposes kValueKeys keys. A thread reads eight channels of the four keys that neighbour each other behind
// value_place(): 2 t, 2 t + 1, 2 t + 8, 2 t + 9 of 16.
template <int kWidth>
RUSHES_KERNEL(kValueThreads)
round_values_kernel(RUSHES_ARGUMENTS(RoundValuesArguments) a) {
  constexpr int kLanes = kWidth / 8, kQuads = kValueKeys / 4, kPieces = kValueKeys / 16;
  const int head = device::block_y(), batch = device::block_z(), first = device::block_x() * kValueKeys;
  const std::int64_t heads_before = static_cast<std::int64_t>(batch) * a.heads + head;
  unsigned char* tile = device::shared_memory();  // [kWidth][kValuePitch]
  RUSHES_UNROLL
  for (int n = device::thread_index(); n < kLanes * kQuads; n += kValueThreads) {
    const int column = n % kLanes * 8, quad = n / kLanes;
    float v[4][8];
    RUSHES_UNROLL
    for (int i = 0; i < 4; ++i) {
      const int key = first + quad / 4 * 16 + quad % 4 * 2 + i % 2 + i / 2 * (RUSHES_MUTATION(53) ? 4 : 8);
      RUSHES_UNROLL
      for (int c = 0; c < 8; ++c) v[i][c] = 0.0f;
      if (key < a.lk)
        device::load_bf16(
            v[i], a.v + ((static_cast<std::int64_t>(batch) * a.lk + key) * a.heads + head) * kWidth + column);
    }
    RUSHES_UNROLL
    for (int c = 0; c < 8; ++c) {
      const float inverse = 1.0f / a.v_scale[heads_before * kWidth + column + c];
      *reinterpret_cast<std::uint32_t*>(tile + (column + c) * kValuePitch + quad * 4) =
          device::pack_e4m3(v[0][c] * inverse, v[1][c] * inverse, v[2][c] * inverse, v[3][c] * inverse);
    }
  }
  if (!RUSHES_MUTATION(54)) device::sync_block();
  const std::int64_t padded = static_cast<std::int64_t>(device::grid_x()) * kValueKeys;
  for (int n = device::thread_index(); n < kWidth * kPieces; n += kValueThreads) {
    const int channel = n / kPieces, piece = n % kPieces * 16;
    *device::chunk<device::FourWords>(a.to + (heads_before * kWidth + channel) * padded + first + piece) =
        *device::chunk<const device::FourWords>(tile + channel * kValuePitch + piece);
  }
}

}  // namespace

void RUSHES_FORM::add_quantise_f8(KernelTable& table) {
  table.round_values[0] = with_e4m3(RUSHES_HANDLE("round_values_64", false, round_values_kernel<64>));
  table.round_values[1] = with_e4m3(RUSHES_HANDLE("round_values_128", false, round_values_kernel<128>));
}

}  // namespace rushes::kernels::cuda
