// kernels/cuda/ptx/hopper.h on the software device: the same names; see tests/kernels/emulator/async.h.
#pragma once

#include <ptx/warp.h>

#include <cstring>

#include "kernels/cuda/tensor_map.h"
#include "tests/kernels/emulator/async.h"

#define RUSHES_KERNEL_ALONE(threads) void
#define RUSHES_KERNEL_BLOCKS(threads, blocks) void
#define RUSHES_UNROLL_NONE

namespace rushes::kernels::device {

using emulator::machine;

inline int uniform(int value) { return value; }
inline std::uint32_t shuffle_xor_bits(std::uint32_t value, int mask) {
  const auto& board = emulator::show("shuffle_xor", &value, 1);
  return board.words[emulator::self().lane() ^ static_cast<std::uint32_t>(mask)][0];
}
inline float fast_reciprocal(float x) { return 1.0f / x; }
inline void store_16(void* to, const std::uint32_t (&words)[4]) { std::memcpy(to, words, 16); }

using Mbarrier = std::uint64_t;

inline void mbarrier_init(Mbarrier* barrier, int arrivals) {
  machine().barrier_init(machine().offset(barrier), arrivals);
}
inline void fence_mbarrier_init() { machine().fence_barrier_init(); }
inline void mbarrier_arrive(Mbarrier* barrier) {
  machine().barrier_arrive(machine().offset(barrier), emulator::self().block->rank, 0);
}
inline void mbarrier_arrive_at(Mbarrier* barrier, int rank) {
  machine().barrier_arrive(machine().offset(barrier), static_cast<std::uint32_t>(rank), 0);
}
inline void mbarrier_arrive_expect(Mbarrier* barrier, int bytes) {
  machine().barrier_arrive(machine().offset(barrier), emulator::self().block->rank, bytes);
}
inline void mbarrier_wait(Mbarrier* barrier, int parity) {
  machine().barrier_wait(machine().offset(barrier), parity);
}

inline void tma_prefetch(const cuda::TensorMap*) {}
inline void tma_load_multicast(void* to, const cuda::TensorMap* map, Mbarrier* barrier, int x, int row,
                               int part, int head, int batch, std::uint16_t blocks) {
  emulator::Copy copy{};
  std::memcpy(&copy.map, map->bytes, sizeof copy.map);
  const int start[5] = {x, row, part, head, batch};
  std::memcpy(copy.start, start, sizeof start);
  copy.to = machine().offset(to), copy.barrier = machine().offset(barrier);
  copy.blocks = blocks;
  machine().load(copy);
}
inline void tma_load(void* to, const cuda::TensorMap* map, Mbarrier* barrier, int x, int row, int part,
                     int head, int batch) {
  tma_load_multicast(to, map, barrier, x, row, part, head, batch,
                     static_cast<std::uint16_t>(1u << emulator::self().block->rank));
}
inline void fence_proxy_async() { machine().fence_proxy(); }
inline void store_shared_16(void* to, const std::uint32_t (&words)[4]) {
  machine().stored(machine().offset(to), 16);
  store_16(to, words);
}

enum class Swizzle : std::uint64_t { k128 = 1, k64 = 2 };
inline std::uint64_t matrix_descriptor(const void* start, int block_bytes, int group_bytes,
                                       Swizzle swizzle = Swizzle::k128) {
  return static_cast<std::uint64_t>(machine().offset(start) >> 4 & 0x3fff) |
         static_cast<std::uint64_t>(block_bytes >> 4) << 16 |
         static_cast<std::uint64_t>(group_bytes >> 4) << 32 | static_cast<std::uint64_t>(swizzle) << 62;
}
template <typename... Arrays>
inline void wgmma_fence(Arrays&...) {
  machine().product_fence();
}
inline void wgmma_commit() { machine().commit(); }
template <int kPending, typename T, int kCount>
inline void wgmma_wait(T (&)[kCount]) {
  machine().wait_products(kPending);
}
template <int kCount>
inline void wgmma_ss(float (&d)[kCount], std::uint64_t a, std::uint64_t b, bool add) {
  machine().issue({2 * kCount, false, add, a, b}, d, nullptr);
}
template <int kCount>
inline void wgmma_rs(float (&d)[kCount], const std::uint32_t* a, std::uint64_t b, bool add) {
  machine().issue({2 * kCount, true, add, 0, b}, d, a);
}
template <int kCount>
inline void wgmma_ss_s8(std::int32_t (&d)[kCount], std::uint64_t a, std::uint64_t b, bool add) {
  machine().issue({2 * kCount, false, add, a, b, emulator::Numbers::kS8}, d, nullptr);
}
template <int kCount>
inline void wgmma_rs_e4m3(float (&d)[kCount], const std::uint32_t* a, std::uint64_t b, bool add) {
  machine().issue({2 * kCount, true, add, 0, b, emulator::Numbers::kE4m3}, d, a);
}

template <int kThreads>
inline void named_barrier_sync(int id) {
  machine().named_arrive(id, kThreads, true);
}
template <int kThreads>
inline void named_barrier_arrive(int id) {
  machine().named_arrive(id, kThreads, false);
}
template <int kRegisters>
inline void release_registers() {
  machine().set_registers(kRegisters);
}
template <int kRegisters>
inline void claim_registers() {
  machine().set_registers(kRegisters);
}
inline int cluster_rank() { return static_cast<int>(emulator::self().block->rank); }
inline void cluster_arrive() { machine().cluster_arrive(); }
inline void cluster_wait() { machine().cluster_wait(); }

}  // namespace rushes::kernels::device
