// Weights and keys in the layout of the tiles (gemm.h), and the loop that runs tiles over a matrix.
//
// Thread contract: packing on the backend's thread; run_rows on disjoint outputs from any.
#pragma once

#include <vector>

#include "kernels/cpu/gemm.h"
#include "kernels/cpu/row_kernels.h"
#include "kernels/host_backend.h"

namespace rushes::kernels {

// How the operands of a product are held.
enum class Operands : std::uint8_t {
  kF32,      // as they are
  kRounded,  // rounded to bf16, multiplied as fp32: bf16 precision without the instruction
  kPairs,    // pairs of bf16
};

// Columns of B: full blocks of two vectors, then one block of two or one for the rest.
struct ColumnBlock {
  std::int64_t column = 0, columns = 0;  // columns that exist; the others are zero
  int vectors = 0;
  std::int64_t offset = 0;  // floats from the start of the packed matrix
};
std::vector<ColumnBlock> column_blocks(std::int64_t columns, std::int64_t units, std::int64_t lanes);

struct PackedMatrix {
  std::int64_t rows = 0;   // N
  std::int64_t units = 0;  // K in units
  std::vector<ColumnBlock> blocks;
  Tensor storage;
  const float* data() const { return host_data<float>(storage); }
};
// w is [n][k], k a multiple of kernels.per_unit.
PackedMatrix pack_weights(Backend& backend, const GemmKernels& kernels, Operands operands, const float* w,
                          std::int64_t n, std::int64_t k);

// Sums of about this many units are formed in registers and then added to the tile: blocked summation keeps
// the error of long products near that of short ones.
constexpr std::int64_t kUnitsPerSum = 256;

// Segments cut into groups of at most kUnitsPerSum units.
struct SegmentGroups {
  std::vector<Segment> segments;
  std::vector<std::int64_t> first;  // group g is segments [first[g], first[g + 1])
  std::vector<std::int64_t> units;  // of B before group g
};
// `skipped[i]`: units of B that lie before segment i and belong to no segment (taps on zero frames); may be
// empty.
SegmentGroups group_segments(const std::vector<Segment>& segments,
                             const std::vector<std::int64_t>& skipped = {});

// y[r, block] = finish(sum over segments of a[r] * block) for `rows` rows; output.y is y at row 0, column 0.
void run_rows(const GemmKernels& kernels, const float* a, std::int64_t lda, std::int64_t rows,
              const SegmentGroups& groups, const float* packed, const ColumnBlock& block, TileOutput output);

}  // namespace rushes::kernels
