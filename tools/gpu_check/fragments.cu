#include "tools/gpu_check/fragments.h"

#include <ptx/warp.h>

// After warp.h:
#include "tools/gpu_check/fragment_codes.h"

namespace rushes::gpu_check {
namespace {

using namespace kernels::device;

RUSHES_DEVICE std::uint32_t pair(int low, int high) {
  return pack_bf16(static_cast<float>(low), static_cast<float>(high));
}

RUSHES_KERNEL(32)
mma_kernel(RUSHES_ARGUMENTS(FragmentArguments) a) {
  const int lane = thread_index(), chosen = block_x() * a.stride;
  std::uint32_t left[4];
  RUSHES_UNROLL
  for (int i = 0; i < 4; ++i) {
    const int place = lane * 8 + i * 2;
    left[i] = pair(place == chosen, place + 1 == chosen);
  }
  float d[4] = {};
  const int code = lane * 4 + 1;
  multiply_add(d, left, pair(code, code + 1), pair(code + 2, code + 3));
  RUSHES_UNROLL
  for (int i = 0; i < 4; ++i) a.out[block_x() * kMmaWords + lane * 4 + i] = static_cast<std::uint32_t>(d[i]);
}

RUSHES_KERNEL(32)
mma_s8_kernel(RUSHES_ARGUMENTS(FragmentArguments) a) {
  const int lane = thread_index(), chosen = block_x() * a.stride;
  const auto choice = [&](int place) { return place == chosen ? 1 : 0; };
  const auto code = [&](int place) { return digit_of(place, a.digit, kInt8Base); };
  std::uint32_t left[4];
  RUSHES_UNROLL
  for (int i = 0; i < 4; ++i) left[i] = four_bytes(lane * 16 + i * 4, choice);
  std::int32_t d[4] = {};
  multiply_add_s8(d, left, four_bytes(lane * 8, code), four_bytes(lane * 8 + 4, code));
  RUSHES_UNROLL
  for (int i = 0; i < 4; ++i) a.out[block_x() * kMmaWords + lane * 4 + i] = static_cast<std::uint32_t>(d[i]);
}

RUSHES_KERNEL(32)
matrices_kernel(RUSHES_ARGUMENTS(FragmentArguments) a) {
  const int lane = thread_index();
  auto* rows = reinterpret_cast<std::uint16_t*>(shared_memory());  // 32 rows of 8
  RUSHES_UNROLL
  for (int i = 0; i < 8; ++i) rows[lane * 8 + i] = static_cast<std::uint16_t>(lane * 8 + i);
  sync_block();
  std::uint32_t plain[4], transposed[4];
  load_matrices(plain, rows + lane * 8);
  load_matrices_transposed(transposed, rows + lane * 8);
  RUSHES_UNROLL
  for (int i = 0; i < 4; ++i) {
    a.out[lane * 4 + i] = plain[i];
    a.out[kMatricesWords / 2 + lane * 4 + i] = transposed[i];
  }
}

}  // namespace

void RUSHES_FORM::add_fragments(FragmentTable& table) {
  table.mma = RUSHES_HANDLE("fragments_mma", false, mma_kernel);
  table.mma_s8 = RUSHES_HANDLE("fragments_mma_s8", false, mma_s8_kernel);
  table.matrices = RUSHES_HANDLE("fragments_matrices", false, matrices_kernel);
}

}  // namespace rushes::gpu_check
