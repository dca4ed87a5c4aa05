#include "tools/gpu_check/fragments.h"

#include <ptx/e4m3.h>
#include <ptx/hopper.h>

// After hopper.h:
#include "tools/gpu_check/fragment_codes.h"

namespace rushes::gpu_check {
namespace {

using namespace kernels::device;

constexpr int kRow = 128;  // bytes of a swizzled row

// Eight numbers of 16 bits at `place` of a tile: a code's digit, or 1 at the chosen place.
RUSHES_DEVICE void store_codes(unsigned char* tile, int place, int digit) {
  std::uint32_t words[4];
  RUSHES_UNROLL
  for (int i = 0; i < 4; ++i) {
    const int low = place + 2 * i, high = low + 1;
    words[i] = pack_bf16(static_cast<float>((digit ? low / kBase : low % kBase) + 1),
                         static_cast<float>((digit ? high / kBase : high % kBase) + 1));
  }
  store_shared_16(tile + place * 2, words);
}
RUSHES_DEVICE void store_choice(unsigned char* tile, int place, int chosen) {
  std::uint32_t words[4];
  RUSHES_UNROLL
  for (int i = 0; i < 4; ++i)
    words[i] = pack_bf16(static_cast<float>(place + 2 * i == chosen),
                         static_cast<float>(place + 2 * i + 1 == chosen));
  store_shared_16(tile + place * 2, words);
}
RUSHES_DEVICE void write_out(std::uint32_t* out, const float (&d)[64]) {
  std::uint32_t* to = out + block_x() * kWgmmaWords + thread_index() * 64;
  RUSHES_UNROLL
  for (int i = 0; i < 64; ++i) to[i] = static_cast<std::uint32_t>(d[i]);
}

RUSHES_KERNEL_ALONE(kWgmmaThreads)
wgmma_ss_kernel(RUSHES_ARGUMENTS(FragmentArguments) a) {
  constexpr int kLeft = 64 * 64;
  unsigned char* left = shared_memory();
  unsigned char* right = left + kLeft * 2;
  for (int place = thread_index() * 8; place < kLeft; place += kWgmmaThreads * 8)
    store_codes(left, place, a.digit);
  for (int place = thread_index() * 8; place < kSsPlaces; place += kWgmmaThreads * 8)
    store_choice(right, place, block_x() * a.stride);
  fence_proxy_async();
  sync_block();
  float d[64];
  RUSHES_UNROLL
  for (int i = 0; i < 64; ++i) d[i] = 0.0f;
  wgmma_fence(d);
  wgmma_ss(d, matrix_descriptor(left, 16, 8 * kRow), matrix_descriptor(right, 16, 8 * kRow), false);
  wgmma_commit();
  wgmma_wait<0>(d);
  write_out(a.out, d);
}

RUSHES_KERNEL_ALONE(kWgmmaThreads)
wgmma_rs_kernel(RUSHES_ARGUMENTS(FragmentArguments) a) {
  unsigned char* right = shared_memory();
  for (int place = thread_index() * 8; place < kRsPlaces; place += kWgmmaThreads * 8)
    store_choice(right, place, block_x() * a.stride);
  std::uint32_t left[4];
  RUSHES_UNROLL
  for (int i = 0; i < 4; ++i) {
    const int low = thread_index() * 8 + 2 * i, high = low + 1;
    left[i] = pack_bf16(static_cast<float>((a.digit ? low / kBase : low % kBase) + 1),
                        static_cast<float>((a.digit ? high / kBase : high % kBase) + 1));
  }
  fence_proxy_async();
  sync_block();
  float d[64];
  RUSHES_UNROLL
  for (int i = 0; i < 64; ++i) d[i] = 0.0f;
  wgmma_fence(d, left);
  wgmma_rs(d, left, matrix_descriptor(right, 16 * kRow, 8 * kRow), true);
  wgmma_commit();
  wgmma_wait<0>(d);
  write_out(a.out, d);
}

// A tile of `count` bytes: byte(place) for each place.
template <typename Byte>
RUSHES_DEVICE void store_tile(unsigned char* tile, int count, Byte byte) {
  for (int place = thread_index() * 16; place < count; place += kWgmmaThreads * 16) {
    std::uint32_t words[4];
    RUSHES_UNROLL
    for (int i = 0; i < 4; ++i) words[i] = four_bytes(place + 4 * i, byte);
    store_shared_16(tile + place, words);
  }
}

RUSHES_KERNEL_ALONE(kWgmmaThreads)
wgmma_ss_s8_kernel(RUSHES_ARGUMENTS(FragmentArguments) a) {
  constexpr int kLeft = 64 * kRow;
  unsigned char* left = shared_memory();
  unsigned char* right = left + kLeft;
  const int chosen = block_x() * a.stride;
  store_tile(left, kLeft, [&](int place) { return digit_of(place, a.digit, kInt8Base); });
  store_tile(right, kBytePlaces, [&](int place) { return place == chosen ? 1 : 0; });
  fence_proxy_async();
  sync_block();
  std::int32_t d[64];
  RUSHES_UNROLL
  for (int i = 0; i < 64; ++i) d[i] = 0;
  wgmma_fence(d);
  wgmma_ss_s8(d, matrix_descriptor(left, 16, 8 * kRow), matrix_descriptor(right, 16, 8 * kRow), false);
  wgmma_commit();
  wgmma_wait<0>(d);
  std::uint32_t* to = a.out + block_x() * kWgmmaWords + thread_index() * 64;
  RUSHES_UNROLL
  for (int i = 0; i < 64; ++i) to[i] = static_cast<std::uint32_t>(d[i]);
}

RUSHES_KERNEL_ALONE(kWgmmaThreads)
wgmma_rs_e4m3_kernel(RUSHES_ARGUMENTS(FragmentArguments) a) {
  unsigned char* right = shared_memory();
  const int chosen = block_x() * a.stride;
  store_tile(right, kBytePlaces,
             [&](int place) { return pack_e4m3(place == chosen ? 1.0f : 0.0f, 0, 0, 0); });
  std::uint32_t left[4];
  RUSHES_UNROLL
  for (int i = 0; i < 4; ++i)
    left[i] = four_bytes(thread_index() * 16 + 4 * i, [&](int code) {
      return pack_e4m3(static_cast<float>(digit_of(code, a.digit, kE4m3Base)), 0, 0, 0);
    });
  fence_proxy_async();
  sync_block();
  float d[64];
  RUSHES_UNROLL
  for (int i = 0; i < 64; ++i) d[i] = 0.0f;
  wgmma_fence(d, left);
  wgmma_rs_e4m3(d, left, matrix_descriptor(right, 16, 8 * kRow), true);
  wgmma_commit();
  wgmma_wait<0>(d);
  write_out(a.out, d);
}

RUSHES_KERNEL_ALONE(kWgmmaThreads)
box_kernel(RUSHES_ARGUMENTS(FragmentArguments) a) {
  unsigned char* tile = shared_memory();
  auto* barrier = reinterpret_cast<Mbarrier*>(tile + kBoxWords * 4);
  if (thread_index() == 0) {
    mbarrier_init(barrier, 1);
    fence_mbarrier_init();
  }
  sync_block();
  if (thread_index() == 0) {
    mbarrier_arrive_expect(barrier, kBoxWords * 4);
    tma_load(tile, &a.map, barrier, 0, kBoxBegin, 0, 0, 0);
  }
  mbarrier_wait(barrier, 0);
  const auto* words = reinterpret_cast<const std::uint32_t*>(tile);
  for (int i = thread_index(); i < kBoxWords; i += kWgmmaThreads) a.out[i] = words[i];
}

}  // namespace

void RUSHES_FORM::add_fragments_hopper(FragmentTable& table) {
  table.wgmma_ss = RUSHES_HANDLE("fragments_wgmma_ss", false, wgmma_ss_kernel);
  table.wgmma_rs = RUSHES_HANDLE("fragments_wgmma_rs", false, wgmma_rs_kernel);
  table.wgmma_ss_s8 = RUSHES_HANDLE("fragments_wgmma_ss_s8", false, wgmma_ss_s8_kernel);
  table.wgmma_rs_e4m3 = RUSHES_HANDLE("fragments_wgmma_rs_e4m3", false, wgmma_rs_e4m3_kernel);
  table.box = RUSHES_HANDLE("fragments_box", false, box_kernel);
}

}  // namespace rushes::gpu_check
