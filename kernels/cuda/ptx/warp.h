// What kernels ask of the machine: where a thread is, copies into shared memory, matrix fragments, warp operations.
//
// Device code only (compute capability 8.0). PTX ISA 8.x: cp.async, ldmatrix, mma.sync.m16n8k16,
// m16n8k32. The software device
// of the tests has the same names: tests/kernels/emulator/ptx/warp.h. kernels include <ptx/warp.h>; the compiler's
// include path chooses.
#pragma once

#include <cuda_bf16.h>

#include <cstdint>

#include "kernels/cuda/kernel.h"

#define RUSHES_DEVICE __device__ __forceinline__
#define RUSHES_UNROLL _Pragma("unroll")
// RUSHES_KERNEL(most threads of a block) name(RUSHES_ARGUMENTS(Struct) a) { ... }
#define RUSHES_KERNEL(threads) __global__ void __launch_bounds__(threads)
#define RUSHES_ARGUMENTS(Struct) const __grid_constant__ Struct
// A KernelTable entry: kernel_handle("name", kIndependent, kernel<int, float>).
#define RUSHES_HANDLE(name, independent, ...) \
  ::rushes::kernels::device::kernel_handle(name, independent, __VA_ARGS__)
// Keeps the two forms of the kernels apart where one program has both.
#define RUSHES_FORM compiled
// Mistakes that the tests plant in the emulated form (tests/kernels/cuda_*_mutation_test.cpp).
#define RUSHES_MUTATION(number) false

namespace rushes::kernels::device {

template <typename Arguments>
cuda::Kernel<Arguments> kernel_handle(const char* name, bool independent, void (*kernel)(const Arguments)) {
  cuda::Kernel<Arguments> handle;
  handle.name = name;
  handle.function = reinterpret_cast<const void*>(kernel);
  handle.argument_bytes = sizeof(Arguments);
  handle.independent = independent;
  return handle;
}

RUSHES_DEVICE int thread_index() { return static_cast<int>(threadIdx.x); }
RUSHES_DEVICE int block_threads() { return static_cast<int>(blockDim.x); }
RUSHES_DEVICE int block_x() { return static_cast<int>(blockIdx.x); }
RUSHES_DEVICE int block_y() { return static_cast<int>(blockIdx.y); }
RUSHES_DEVICE int block_z() { return static_cast<int>(blockIdx.z); }
RUSHES_DEVICE int grid_x() { return static_cast<int>(gridDim.x); }
RUSHES_DEVICE unsigned char* shared_memory() {  // dynamic, aligned to 1024 bytes
  extern __shared__ __align__(1024) unsigned char memory[];
  return memory;
}
RUSHES_DEVICE void sync_block() { __syncthreads(); }
RUSHES_DEVICE float shuffle_xor(float value, int mask) { return __shfl_xor_sync(0xffffffffu, value, mask); }

RUSHES_DEVICE float bf16_value(std::uint16_t bits) {
  return __uint_as_float(static_cast<std::uint32_t>(bits) << 16);
}
RUSHES_DEVICE std::uint16_t bf16_bits(float value) {
  return __bfloat16_as_ushort(__float2bfloat16_rn(value));
}

// The software device refuses an address that is not a multiple of 16; a GPU does so by itself.
RUSHES_DEVICE void expect_aligned(const void* /*at*/) {}

// 2^x to about 2 ulp.
RUSHES_DEVICE float fast_exp2(float x) {
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}

RUSHES_DEVICE float fast_log2(float x) {
  float y;
  asm("lg2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}

// The same value, which the compiler takes for a new one: what is computed from it is computed again in each turn of a
// loop instead of taking registers all along.
RUSHES_DEVICE int renewed(int value) {
  asm volatile("" : "+r"(value));
  return value;
}

// To nearest, ties to even; NaN becomes 0.
RUSHES_DEVICE int nearest_int(float x) { return __float2int_rn(x); }

// Two floats as bf16, `low` in the low half.
RUSHES_DEVICE std::uint32_t pack_bf16(float low, float high) {
  const __nv_bfloat162 pair = __floats2bfloat162_rn(low, high);
  return *reinterpret_cast<const std::uint32_t*>(&pair);
}

// 16 bytes from global to shared memory, zeros unless `valid`; done after the wait for its group.
RUSHES_DEVICE void copy_async_16(void* shared, const void* global, bool valid) {
  const auto to = static_cast<std::uint32_t>(__cvta_generic_to_shared(shared));
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(to), "l"(global), "r"(valid ? 16 : 0));
}
RUSHES_DEVICE void commit_copies() { asm volatile("cp.async.commit_group;"); }
template <int kPending>  // groups that may still be under way
RUSHES_DEVICE void wait_copies() {
  asm volatile("cp.async.wait_group %0;" ::"n"(kPending) : "memory");
}

// Four 8x8 matrices of 16-bit numbers; lane 8 i + j gives the address of row j of matrix i. Lane l receives
// elements (l / 4, 2 (l % 4) + {0, 1}) of each; transposed: (2 (l % 4) + {0, 1}, l / 4).
RUSHES_DEVICE void load_matrices(std::uint32_t (&r)[4], const void* row) {
  const auto from = static_cast<std::uint32_t>(__cvta_generic_to_shared(row));
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(from)
               : "memory");
}
RUSHES_DEVICE void load_matrices_transposed(std::uint32_t (&r)[4], const void* row) {
  const auto from = static_cast<std::uint32_t>(__cvta_generic_to_shared(row));
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(from)
               : "memory");
}

// d += a b, a 16x16 by rows, b 16x8 by columns. Lane l, row l / 4, column pair 2 (l % 4): a = (row, pair),
// (row + 8, pair), (row, pair + 8), (row + 8, pair + 8); b = k pair and k pair + 8 of column l / 4; d = pairs
// of row and row + 8.
RUSHES_DEVICE void multiply_add(float (&d)[4], const std::uint32_t (&a)[4], std::uint32_t b0,
                                std::uint32_t b1) {
  asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
      "{%0, %1, %2, %3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

// d += a b in int8 with exact sums, a 16x32 by rows, b 32x8 by columns. As above with four bytes of k in a register: a =
// (row, k 4 (l % 4)...), (row + 8, the same), (row, the same + 16), (row + 8, the same + 16); b alike of column l / 4.
RUSHES_DEVICE void multiply_add_s8(std::int32_t (&d)[4], const std::uint32_t (&a)[4], std::uint32_t b0,
                                   std::uint32_t b1) {
  asm("mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
      "{%0, %1, %2, %3};"
      : "+r"(d[0]), "+r"(d[1]), "+r"(d[2]), "+r"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

}  // namespace rushes::kernels::device
