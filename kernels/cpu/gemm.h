// The one inner loop behind linear, conv3d and attention: a small tile of C += A B, held in registers.
//
// A is read as rows of 4-byte units: one fp32 number, or two neighbouring bf16 numbers (the operand pairs of
// VDPBF16PS). A row need not be contiguous: it is a list of segments, so that a convolution reads its taps in
// place (in a channels-last image the taps of one kernel row are contiguous). B is packed per block of
// columns: [units][vectors * lanes] 4-byte units.
//
// Every element of C is one chain of fused multiply-adds in the order of the segments, whatever the tile's
// height: bits do not depend on how rows are split into tiles.
//
// Thread contract: pure functions on disjoint C.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

namespace rushes::kernels {

struct Segment {
  std::int64_t offset = 0;  // units from the row's start
  std::int64_t units = 0;
};

constexpr int kMaxTileRows = 14;
constexpr int kMaxTileVectors = 2;

// rows of A are `lda` units apart; c is [rows][vectors * lanes], rows `ldc` floats apart; starts from 0
// unless `accumulate`.
using TileKernel = void (*)(const float* a, std::int64_t lda, const Segment* segments, std::int64_t count,
                            const float* b, float* c, std::int64_t ldc, bool accumulate);

struct GemmKernels {
  int rows = 0;            // tallest tile
  std::int64_t lanes = 0;  // fp32 numbers in a vector
  int per_unit = 1;        // operands in a unit: 1 fp32 or 2 bf16
  std::array<std::array<TileKernel, kMaxTileRows + 1>, kMaxTileVectors + 1> tile{};  // [vectors][rows]
};

GemmKernels f32_gemm_kernels();                  // the best of AVX-512, AVX2 and SSE2 here
std::optional<GemmKernels> bf16_gemm_kernels();  // none without AVX512_BF16

// Rounds to bf16, to nearest even, into packed 16-bit numbers or back into fp32.
void round_to_bf16(const float* x, std::int64_t count, std::uint16_t* out);
void round_to_bf16(const float* x, std::int64_t count, float* out);

}  // namespace rushes::kernels
