// Kernels that show which number of an operand each thread's register holds, for matrix instructions and for what loads
// their operands. Run on a GPU and on the software device they must give equal words: kernels/cuda relies on these layouts,
// and the emulator was written from their description.
//
// Operands are codes of their own place, so that a product says what met: one operand is 1 at one place (the block's
// number) and 0 elsewhere, the other one counts. Large codes come as digits, one run for each: of base 64 in bf16, 100 in
// int8, 16 in e4m3, all exact.
//
// Thread contract: plain values.
#pragma once

#include <cstdint>

#include "kernels/cuda/kernel.h"
#include "kernels/cuda/tensor_map.h"

namespace rushes::gpu_check {

struct FragmentArguments {
  std::uint32_t* out = nullptr;
  int stride = 1;  // block i asks for place i * stride
  int digit = 0;   // which digit of the codes, from the lowest
  kernels::cuda::TensorMap map = {};
};

inline constexpr int kBase = 64, kInt8Base = 100, kE4m3Base = 16;  // of the digits
// m16n8k16: block = a place of A (lane, register, half); out [block][lane][4].
inline constexpr int kMmaPlaces = 256;
inline constexpr int kMmaWords = 128;
// m16n8k32, in int8 and in e4m3: block = a place of A (lane, register, byte); out [block][lane][4].
inline constexpr int kByteMmaPlaces = 512;
// ldmatrix and its transposed form: out [2][lane][4].
inline constexpr int kMatricesWords = 256;
// wgmma m64n128k16. ss: A [64][64 columns] and B [128][64 columns] in shared memory, rows of 128 bytes, swizzled; block = a
// place of B. rs: A in registers, B [2 halves][16][64 columns] read transposed. out [block][thread][64].
inline constexpr int kWgmmaThreads = 128;
inline constexpr int kWgmmaWords = kWgmmaThreads * 64;
inline constexpr int kSsPlaces = 128 * 64, kRsPlaces = 2 * 16 * 64;
// wgmma m64n128k32 in 8 bits, both K-major, rows of 128 bytes: ss in int8, rs in e4m3; block = a place of B.
inline constexpr int kBytePlaces = 128 * 128;
// A box of the tensor memory accelerator: 64 rows of 128 bytes, the last ones outside the tensor; out [64 * 32].
inline constexpr int kBoxRows = 64, kBoxBegin = 8, kBoxLength = 60;
inline constexpr int kBoxWords = kBoxRows * 32;

template <typename T>
using Kernel = kernels::cuda::Kernel<T>;
struct FragmentTable {
  Kernel<FragmentArguments> mma, mma_s8, matrices;
  Kernel<FragmentArguments> mma_e4m3;                                             // compute capability 8.9
  Kernel<FragmentArguments> wgmma_ss, wgmma_rs, wgmma_ss_s8, wgmma_rs_e4m3, box;  // compute capability 9.0
};

namespace compiled {
void add_fragments(FragmentTable& table);
void add_fragments_f8(FragmentTable& table);
void add_fragments_hopper(FragmentTable& table);
}  // namespace compiled
namespace emulated {
void add_fragments(FragmentTable& table);
void add_fragments_f8(FragmentTable& table);
void add_fragments_hopper(FragmentTable& table);
}  // namespace emulated

}  // namespace rushes::gpu_check
