#include "kernels/cpu/packed.h"

#include <algorithm>
#include <cstring>

namespace rushes::kernels {

std::vector<ColumnBlock> column_blocks(std::int64_t columns, std::int64_t units, std::int64_t lanes) {
  std::vector<ColumnBlock> blocks;
  std::int64_t offset = 0;
  for (std::int64_t column = 0; column < columns;) {
    const std::int64_t left = columns - column;
    const int vectors = left > lanes ? 2 : 1;
    blocks.push_back({column, std::min(left, vectors * lanes), vectors, offset});
    column += vectors * lanes;
    offset += vectors * lanes * units;
  }
  return blocks;
}

PackedMatrix pack_weights(Backend& backend, const GemmKernels& kernels, Operands operands, const float* w,
                          std::int64_t n, std::int64_t k) {
  PackedMatrix packed;
  packed.rows = n;
  packed.units = k / kernels.per_unit;
  packed.blocks = column_blocks(n, packed.units, kernels.lanes);
  const ColumnBlock& last = packed.blocks.back();
  packed.storage = backend.empty(DType::kF32, {last.offset + last.vectors * kernels.lanes * packed.units});
  backend.fill(packed.storage, 0.0f);
  // Each weight row in units, then scattered to its column.
  std::vector<float> row(static_cast<std::size_t>(packed.units));
  for (const ColumnBlock& block : packed.blocks) {
    const std::int64_t width = block.vectors * kernels.lanes;
    float* to = host_data<float>(packed.storage) + block.offset;
    for (std::int64_t j = 0; j < block.columns; ++j) {
      const float* from = w + (block.column + j) * k;
      if (operands == Operands::kF32) {
        std::copy_n(from, k, row.begin());
      } else if (operands == Operands::kRounded) {
        round_to_bf16(from, k, row.data());
      } else {
        std::vector<std::uint16_t> halves(static_cast<std::size_t>(k));
        round_to_bf16(from, k, halves.data());
        std::memcpy(row.data(), halves.data(), halves.size() * sizeof(std::uint16_t));
      }
      for (std::int64_t u = 0; u < packed.units; ++u) to[u * width + j] = row[static_cast<std::size_t>(u)];
    }
  }
  return packed;
}

SegmentGroups group_segments(const std::vector<Segment>& segments, const std::vector<std::int64_t>& skipped) {
  SegmentGroups groups;
  std::int64_t in_group = kUnitsPerSum, before = 0;
  for (std::size_t i = 0; i < segments.size(); ++i) {
    Segment rest = segments[i];
    const std::int64_t gap = skipped.empty() ? 0 : skipped[i];
    before += gap;
    if (gap) in_group = kUnitsPerSum;  // B is contiguous inside a group
    while (rest.units > 0) {
      if (in_group >= kUnitsPerSum) {
        groups.first.push_back(static_cast<std::int64_t>(groups.segments.size()));
        groups.units.push_back(before);
        in_group = 0;
      }
      const std::int64_t taken = std::min(rest.units, kUnitsPerSum - in_group);
      groups.segments.push_back({rest.offset, taken});
      rest.offset += taken;
      rest.units -= taken;
      in_group += taken;
      before += taken;
    }
  }
  groups.first.push_back(static_cast<std::int64_t>(groups.segments.size()));
  return groups;
}

void run_rows(const GemmKernels& kernels, const float* a, std::int64_t lda, std::int64_t rows,
              const SegmentGroups& groups, const float* packed, const ColumnBlock& block, TileOutput output) {
  alignas(64) float sums[kMaxTileRows * kMaxTileVectors * 16];
  const std::int64_t width = block.vectors * kernels.lanes;
  const std::int64_t tiles = (rows + kernels.rows - 1) / kernels.rows;
  if (output.bias) output.bias += block.column;
  if (output.residual) output.residual += block.column;
  output.y += block.column;
  float* const y = output.y;
  const float* const residual = output.residual;
  for (std::int64_t i = 0; i < tiles; ++i) {
    const std::int64_t begin = rows * i / tiles, count = rows * (i + 1) / tiles - begin;
    const TileKernel tile =
        kernels.tile[static_cast<std::size_t>(block.vectors)][static_cast<std::size_t>(count)];
    if (groups.segments.empty()) std::fill_n(sums, count * width, 0.0f);
    for (std::size_t g = 0; g + 1 < groups.first.size(); ++g) {
      tile(a + begin * lda, lda, groups.segments.data() + groups.first[g],
           groups.first[g + 1] - groups.first[g], packed + block.offset + groups.units[g] * width, sums,
           width, g > 0);
    }
    output.y = y + begin * output.stride;
    if (residual) output.residual = residual + begin * output.stride;
    finish_tile(sums, width, count, block.columns, output);
  }
}

}  // namespace rushes::kernels
