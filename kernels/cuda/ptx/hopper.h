// What sm_90a adds to warp.h: barriers in shared memory, the tensor memory accelerator (TMA), matrix products of a
// warpgroup, clusters.
//
// Device code only. PTX ISA 8.0: mbarrier, cp.async.bulk.tensor, wgmma, setmaxnreg, barrier.cluster. The software device
// of the tests has the same names: tests/kernels/emulator/ptx/hopper.h.
//
// A product is asynchronous: between wgmma_ss/wgmma_rs and the wgmma_wait of its group nobody touches d or a's
// registers. Registers that were written since the last product pass through wgmma_fence first.
#pragma once

#include <ptx/warp.h>

#include "kernels/cuda/tensor_map.h"

// One block of a multiprocessor: registers are moved between its warpgroups (setmaxnreg).
#define RUSHES_KERNEL_ALONE(threads) __global__ void __launch_bounds__(threads, 1)
// `blocks` blocks of a multiprocessor at a time.
#define RUSHES_KERNEL_BLOCKS(threads, blocks) __global__ void __launch_bounds__(threads, blocks)
#define RUSHES_UNROLL_NONE _Pragma("unroll 1")

#include <ptx/wgmma.h>

namespace rushes::kernels::device {

RUSHES_DEVICE std::uint32_t shared_address(const void* shared) {
  return static_cast<std::uint32_t>(__cvta_generic_to_shared(shared));
}
// A value that all lanes hold alike, in a uniform register.
RUSHES_DEVICE int uniform(int value) { return __shfl_sync(0xffffffffu, value, 0); }
RUSHES_DEVICE std::uint32_t shuffle_xor_bits(std::uint32_t value, int mask) {
  return __shfl_xor_sync(0xffffffffu, value, mask);
}
RUSHES_DEVICE float fast_reciprocal(float x) {
  float y;
  asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}
// 16 bytes to global memory.
RUSHES_DEVICE void store_16(void* to, const std::uint32_t (&words)[4]) {
  *static_cast<uint4*>(to) = make_uint4(words[0], words[1], words[2], words[3]);
}

// ---- barriers in shared memory: a phase ends when all its arrivals and all its bytes are there.

using Mbarrier = std::uint64_t;

RUSHES_DEVICE void mbarrier_init(Mbarrier* barrier, int arrivals) {
  asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(shared_address(barrier)), "r"(arrivals)
               : "memory");
}
// By the thread that initialised them, before another thread, TMA or block uses them.
RUSHES_DEVICE void fence_mbarrier_init() {
  asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
  asm volatile("fence.proxy.async;" ::: "memory");
}
RUSHES_DEVICE void mbarrier_arrive(Mbarrier* barrier) {
  asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(shared_address(barrier)) : "memory");
}
// At the same barrier of block `rank` of the cluster.
RUSHES_DEVICE void mbarrier_arrive_at(Mbarrier* barrier, int rank) {
  asm volatile(
      "{ .reg .b32 there; mapa.shared::cluster.u32 there, %0, %1; "
      "mbarrier.arrive.release.cluster.shared::cluster.b64 _, [there]; }" ::"r"(shared_address(barrier)),
      "r"(rank)
      : "memory");
}
RUSHES_DEVICE void mbarrier_arrive_expect(Mbarrier* barrier, int bytes) {
  asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(shared_address(barrier)),
               "r"(bytes)
               : "memory");
}
// Until the phase of this parity has ended; the first phase is 0, the one "before" it has ended at once.
RUSHES_DEVICE void mbarrier_wait(Mbarrier* barrier, int parity) {
  std::uint32_t done;
  do {
    asm volatile(
        "{ .reg .pred p; mbarrier.try_wait.parity.shared::cta.b64 p, [%1], %2; selp.u32 %0, 1, 0, p; }"
        : "=r"(done)
        : "r"(shared_address(barrier)), "r"(parity)
        : "memory");
  } while (!done);
}

// ---- tensor memory accelerator

RUSHES_DEVICE void tma_prefetch(const cuda::TensorMap* map) {
  asm volatile("prefetch.tensormap [%0];" ::"l"(map) : "memory");
}
// The box at (x, row, part, head, batch) of a 5-D map; its bytes arrive at `barrier`. `to`: 1024-byte aligned.
RUSHES_DEVICE void tma_load(void* to, const cuda::TensorMap* map, Mbarrier* barrier, int x, int row, int part,
                            int head, int batch) {
  asm volatile(
      "cp.async.bulk.tensor.5d.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4, %5, "
      "%6, %7}], "
      "[%2];" ::"r"(shared_address(to)),
      "l"(map), "r"(shared_address(barrier)), "r"(x), "r"(row), "r"(part), "r"(head), "r"(batch)
      : "memory");
}
// Into the same place, with the same barrier, of every block of the cluster whose bit is set.
RUSHES_DEVICE void tma_load_multicast(void* to, const cuda::TensorMap* map, Mbarrier* barrier, int x, int row,
                                      int part, int head, int batch, std::uint16_t blocks) {
  asm volatile(
      "cp.async.bulk.tensor.5d.shared::cluster.global.mbarrier::complete_tx::bytes.multicast::cluster [%0], "
      "[%1, {%3, %4, %5, %6, %7}], [%2], %8;" ::"r"(shared_address(to)),
      "l"(map), "r"(shared_address(barrier)), "r"(x), "r"(row), "r"(part), "r"(head), "r"(batch), "h"(blocks)
      : "memory");
}
// After writes to shared memory that TMA or a product reads.
RUSHES_DEVICE void fence_proxy_async() { asm volatile("fence.proxy.async.shared::cta;" ::: "memory"); }
RUSHES_DEVICE void store_shared_16(void* to, const std::uint32_t (&words)[4]) { store_16(to, words); }

// ---- products of a warpgroup

enum class Swizzle : std::uint64_t { k128 = 1, k64 = 2 };
// An operand in shared memory, in rows of 128 bytes swizzled over 1024. K-major (both operands of wgmma_ss): rows are
// the operand's, `group_bytes` from eight rows to the next eight; `block_bytes` is not used; 16 of K are 32 bytes,
// of 8-bit operands 32 of K. Those are K-major always.
// MN-major (b of wgmma_rs): rows are K, `group_bytes` from eight of K to the next eight, `block_bytes` from 64 columns
// to the next 64.
RUSHES_DEVICE std::uint64_t matrix_descriptor(const void* start, int block_bytes, int group_bytes,
                                              Swizzle swizzle = Swizzle::k128) {
  return static_cast<std::uint64_t>(shared_address(start) >> 4 & 0x3fff) |
         static_cast<std::uint64_t>(block_bytes >> 4) << 16 |
         static_cast<std::uint64_t>(group_bytes >> 4) << 32 | static_cast<std::uint64_t>(swizzle) << 62;
}
// Keeps the compiler from moving uses of registers over what follows.
template <int kCount>
RUSHES_DEVICE void pin(float (&values)[kCount]) {
  RUSHES_UNROLL
  for (int i = 0; i < kCount; ++i) asm volatile("" : "+f"(values[i])::"memory");
}
template <int kCount>
RUSHES_DEVICE void pin(std::uint32_t (&values)[kCount]) {
  RUSHES_UNROLL
  for (int i = 0; i < kCount; ++i) asm volatile("" : "+r"(values[i])::"memory");
}
template <int kCount>
RUSHES_DEVICE void pin(std::int32_t (&values)[kCount]) {
  RUSHES_UNROLL
  for (int i = 0; i < kCount; ++i) asm volatile("" : "+r"(values[i])::"memory");
}
// Before products that use registers written since the last one.
template <typename... Arrays>
RUSHES_DEVICE void wgmma_fence(Arrays&... arrays) {
  (pin(arrays), ...);
  asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
}
RUSHES_DEVICE void wgmma_commit() { asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory"); }
// Until at most kPending groups are under way; `done` is what they have finished.
template <int kPending, typename T, int kCount>
RUSHES_DEVICE void wgmma_wait(T (&done)[kCount]) {
  asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(kPending) : "memory");
  pin(done);
}

// ---- the threads of a block and of a cluster

// Barriers 1 to 15; 0 is sync_block. A round ends when kThreads have arrived; sync also waits for it.
template <int kThreads>
RUSHES_DEVICE void named_barrier_sync(int id) {
  asm volatile("bar.sync %0, %1;" ::"r"(id), "n"(kThreads) : "memory");
}
template <int kThreads>
RUSHES_DEVICE void named_barrier_arrive(int id) {
  asm volatile("bar.arrive %0, %1;" ::"r"(id), "n"(kThreads) : "memory");
}
// By a whole warpgroup: registers of each of its threads from here on.
template <int kRegisters>
RUSHES_DEVICE void release_registers() {
  asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(kRegisters));
}
template <int kRegisters>
RUSHES_DEVICE void claim_registers() {
  asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(kRegisters));
}
RUSHES_DEVICE int cluster_rank() {
  int rank;
  asm volatile("mov.u32 %0, %%cluster_ctarank;" : "=r"(rank));
  return rank;
}
RUSHES_DEVICE void cluster_arrive() { asm volatile("barrier.cluster.arrive.release;" ::: "memory"); }
RUSHES_DEVICE void cluster_wait() { asm volatile("barrier.cluster.wait.acquire;" ::: "memory"); }

}  // namespace rushes::kernels::device
