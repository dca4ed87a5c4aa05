// Blocked attention with online softmax: for a block of queries and each tile of keys in turn, S = q K^T and
// O = O * rescale + P V, both by the tiles of gemm.h, so that fp32 and bf16 share one algorithm. Sums are
// fp32.
//
// K and V are packed once per call, per (batch, head, key tile): K transposed, [units of D][keys]; V as it
// is, [units of keys][D]. Key tiles are walked in ascending order, so the result does not depend on who runs
// a block.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "kernels/check.h"
#include "kernels/cpu/cpu_backend.h"

namespace rushes::kernels {

namespace {

constexpr std::int64_t kKeyTile = 128;   // keys per step where no plan says otherwise
constexpr std::int64_t kQueryRows = 56;  // queries per block, at most

std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

// Sizes and packed operands of one call.
struct Job {
  AttentionSizes s;
  const GemmKernels* tiles = nullptr;
  Operands operands = Operands::kF32;
  std::int64_t key_tile = kKeyTile, key_tiles = 0;
  std::int64_t width_units = 0;                       // units of one q or k row
  std::int64_t k_tile_floats = 0, v_tile_floats = 0;  // one packed tile
  std::vector<ColumnBlock> key_blocks, value_blocks;  // of a full tile
  float* packed_k = nullptr;                          // [B, heads, key tiles][k_tile_floats]
  float* packed_v = nullptr;

  std::int64_t tile_units() const { return ceil_div(key_tile, tiles->per_unit); }
  std::int64_t tile_index(std::int64_t b, std::int64_t h, std::int64_t tile) const {
    return (b * s.heads + h) * key_tiles + tile;
  }
};

std::int64_t packed_floats(const std::vector<ColumnBlock>& blocks, std::int64_t units, std::int64_t lanes) {
  return blocks.back().offset + blocks.back().vectors * lanes * units;
}

// `count` fp32 numbers as units, zero behind the last.
void to_units(const float* from, std::int64_t count, Operands operands, std::int64_t units, float* to) {
  to[units - 1] = 0.0f;
  if (operands == Operands::kF32) {
    std::copy_n(from, count, to);
  } else if (operands == Operands::kRounded) {
    round_to_bf16(from, count, to);
  } else {
    round_to_bf16(from, count, reinterpret_cast<std::uint16_t*>(to));
  }
}

void pack_key_tile(const Job& job, const float* keys, std::int64_t count, float* to) {
  const std::int64_t stride = job.s.heads * job.s.width, lanes = job.tiles->lanes;
  std::fill_n(to, job.k_tile_floats, 0.0f);
  std::vector<float> row(static_cast<std::size_t>(job.width_units));
  for (const ColumnBlock& block : job.key_blocks) {
    const std::int64_t columns = block.vectors * lanes;
    for (std::int64_t j = block.column; j < std::min(count, block.column + block.columns); ++j) {
      to_units(keys + j * stride, job.s.width, job.operands, job.width_units, row.data());
      float* column = to + block.offset + (j - block.column);
      for (std::int64_t u = 0; u < job.width_units; ++u)
        column[u * columns] = row[static_cast<std::size_t>(u)];
    }
  }
}

void pack_value_tile(const Job& job, const float* values, std::int64_t count, float* to) {
  const std::int64_t stride = job.s.heads * job.s.width, lanes = job.tiles->lanes;
  std::fill_n(to, job.v_tile_floats, 0.0f);
  std::vector<std::uint16_t> halves(static_cast<std::size_t>(job.s.width));
  for (const ColumnBlock& block : job.value_blocks) {
    const std::int64_t columns = block.vectors * lanes;
    for (std::int64_t j = 0; j < count; ++j) {
      const float* from = values + j * stride + block.column;
      if (job.operands == Operands::kF32) {
        std::copy_n(from, block.columns, to + block.offset + j * columns);
      } else if (job.operands == Operands::kRounded) {
        round_to_bf16(from, block.columns, to + block.offset + j * columns);
      } else {  // keys 2i and 2i + 1 side by side
        round_to_bf16(from, block.columns, halves.data());
        auto* pairs = reinterpret_cast<std::uint16_t*>(to + block.offset + (j / 2) * columns);
        for (std::int64_t d = 0; d < block.columns; ++d)
          pairs[2 * d + j % 2] = halves[static_cast<std::size_t>(d)];
      }
    }
  }
}

// One block of queries of one head.
class QueryBlock {
 public:
  explicit QueryBlock(const Job& job)
      : job_(job),
        q_(static_cast<std::size_t>(kQueryRows * job.width_units)),
        scores_(static_cast<std::size_t>(kQueryRows * score_stride())),
        p_(static_cast<std::size_t>(kQueryRows * job.tile_units())),
        sums_(static_cast<std::size_t>(kQueryRows * out_stride())),
        max_(kQueryRows),
        total_(kQueryRows) {}

  void begin(const float* queries, std::int64_t rows) {
    rows_ = rows;
    const std::int64_t stride = job_.s.heads * job_.s.width;
    for (std::int64_t r = 0; r < rows; ++r) {
      to_units(queries + r * stride, job_.s.width, job_.operands, job_.width_units,
               q_.data() + r * job_.width_units);
    }
    std::fill(sums_.begin(), sums_.end(), 0.0f);
    std::fill(max_.begin(), max_.end(), -std::numeric_limits<float>::infinity());
    std::fill(total_.begin(), total_.end(), 0.0f);
  }

  // `bias` points at the entry of (first query, first key of the tile), `mask` at the tile's first key; may
  // be null.
  void add_tile(const float* k, const float* v, std::int64_t keys, float scale, const float* bias,
                const float* mask) {
    product(q_.data(), job_.width_units, job_.width_units, k, job_.key_blocks, keys, scores_.data(),
            score_stride(), false);
    const std::int64_t units = ceil_div(keys, job_.tiles->per_unit);
    for (std::int64_t r = 0; r < rows_; ++r) {
      float* s = scores_.data() + r * score_stride();
      const auto at = static_cast<std::size_t>(r);
      const float rescale =
          softmax_row(s, keys, scale, bias ? bias - r : nullptr, mask, max_[at], total_[at]);
      to_units(s, keys, job_.operands, units, p_.data() + r * job_.tile_units());
      if (rescale != 1.0f) {
        float* sum = sums_.data() + r * out_stride();
        const RowTerm term{rescale, sum};
        combine_row({&term, 1}, out_stride(), sum);
      }
    }
    product(p_.data(), job_.tile_units(), units, v, job_.value_blocks, job_.s.width, sums_.data(),
            out_stride(), true);
  }

  void finish(float* out) const {
    const std::int64_t stride = job_.s.heads * job_.s.width;
    for (std::int64_t r = 0; r < rows_; ++r) {
      const RowTerm sum{1.0f / total_[static_cast<std::size_t>(r)], sums_.data() + r * out_stride()};
      combine_row({&sum, 1}, job_.s.width, out + r * stride);
    }
  }

 private:
  std::int64_t padded(std::int64_t columns) const {
    return ceil_div(columns, job_.tiles->lanes) * job_.tiles->lanes;
  }
  std::int64_t score_stride() const { return padded(job_.key_tile); }
  std::int64_t out_stride() const { return padded(job_.s.width); }

  // c (+)= a b over the blocks that hold the first `columns` columns.
  void product(const float* a, std::int64_t lda, std::int64_t units, const float* b,
               const std::vector<ColumnBlock>& blocks, std::int64_t columns, float* c, std::int64_t ldc,
               bool accumulate) const {
    const Segment whole{0, units};
    const std::int64_t count = ceil_div(rows_, job_.tiles->rows);
    for (const ColumnBlock& block : blocks) {
      if (block.column >= columns) break;
      for (std::int64_t i = 0; i < count; ++i) {
        const std::int64_t row = rows_ * i / count, height = rows_ * (i + 1) / count - row;
        job_.tiles->tile[static_cast<std::size_t>(block.vectors)][static_cast<std::size_t>(height)](
            a + row * lda, lda, &whole, 1, b + block.offset, c + row * ldc + block.column, ldc, accumulate);
      }
    }
  }

  const Job& job_;
  std::int64_t rows_ = 0;
  std::vector<float> q_, scores_, p_, sums_, max_, total_;
};

// Key tiles of (head, query): a plan's list, or all.
struct TileList {
  const std::int32_t* tile = nullptr;  // null: 0, 1, 2, ...
  std::int64_t count = 0;
  std::int64_t at(std::int64_t i) const { return tile ? tile[i] : i; }
};

TileList tile_list(const KeyTilePlan* plan, const Job& job, std::int64_t head, std::int64_t query) {
  if (!plan) return {nullptr, job.key_tiles};
  const std::int64_t row = head * ceil_div(plan->query_length, plan->query_tile) + query / plan->query_tile;
  const auto first = static_cast<std::size_t>(plan->first[static_cast<std::size_t>(row)]);
  return {plan->tile.data() + first,
          plan->first[static_cast<std::size_t>(row) + 1] - plan->first[static_cast<std::size_t>(row)]};
}

}  // namespace

void CpuBackend::attention(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& y,
                           const AttentionOptions& options) {
  Job job;
  job.s = check_attention(q, k, v, y, options, operand_dtype());
  const AttentionSizes& s = job.s;
  const KeyTilePlan* plan = host_plan(options, s.heads, s.lq, s.lk);
  check_host_mask(options, s.batch, s.lk);
  job.operands = operands(precision_);
  job.tiles = &kernels(job.operands);
  if (plan) job.key_tile = plan->key_tile;
  job.key_tiles = ceil_div(s.lk, job.key_tile);
  job.width_units = ceil_div(s.width, job.tiles->per_unit);
  const std::int64_t lanes = job.tiles->lanes;
  job.key_blocks = column_blocks(job.key_tile, job.width_units, lanes);
  job.value_blocks = column_blocks(s.width, job.tile_units(), lanes);
  job.k_tile_floats = packed_floats(job.key_blocks, job.width_units, lanes);
  job.v_tile_floats = packed_floats(job.value_blocks, job.tile_units(), lanes);

  const std::int64_t tiles = s.batch * s.heads * job.key_tiles;
  const Tensor packed_k = empty(DType::kF32, {tiles, job.k_tile_floats});
  const Tensor packed_v = empty(DType::kF32, {tiles, job.v_tile_floats});
  job.packed_k = host_data<float>(packed_k);
  job.packed_v = host_data<float>(packed_v);
  const auto *queries = host_data<float>(q), *keys = host_data<float>(k), *values = host_data<float>(v);
  pool_.run(tiles, [&](std::int64_t task, int) {
    const std::int64_t tile = task % job.key_tiles, h = task / job.key_tiles % s.heads;
    const std::int64_t b = task / job.key_tiles / s.heads, first = tile * job.key_tile;
    const std::int64_t at = ((b * s.lk + first) * s.heads + h) * s.width;
    const std::int64_t count = std::min(job.key_tile, s.lk - first);
    pack_key_tile(job, keys + at, count, job.packed_k + task * job.k_tile_floats);
    pack_value_tile(job, values + at, count, job.packed_v + task * job.v_tile_floats);
  });

  std::vector<float> mask;  // 0 or -inf, added to the scores
  if (!options.key_mask.empty()) {
    const auto* keep = host_data<std::int32_t>(options.key_mask);
    for (std::int64_t i = 0; i < s.batch * s.lk; ++i) {
      mask.push_back(keep[i] ? 0.0f : -std::numeric_limits<float>::infinity());
    }
  }
  const float* bias = options.relative_bias.empty() ? nullptr : host_data<float>(options.relative_bias);
  auto* out = host_data<float>(y);
  // A block never crosses a query tile of the plan.
  const std::int64_t group = plan ? plan->query_tile : s.lq;
  const std::int64_t groups = ceil_div(s.lq, std::max<std::int64_t>(group, 1)),
                     blocks = ceil_div(group, kQueryRows);
  std::vector<QueryBlock> workers(static_cast<std::size_t>(pool_.threads()), QueryBlock(job));
  pool_.run(s.batch * s.heads * groups * blocks, [&](std::int64_t task, int thread) {
    const std::int64_t block = task % blocks, tile_row = task / blocks % groups;
    const std::int64_t h = task / blocks / groups % s.heads, b = task / blocks / groups / s.heads;
    const std::int64_t length = std::min(group, s.lq - tile_row * group);
    const std::int64_t begin = tile_row * group + length * block / blocks;
    const std::int64_t rows = tile_row * group + length * (block + 1) / blocks - begin;
    if (rows == 0) return;
    QueryBlock& worker = workers[static_cast<std::size_t>(thread)];
    const std::int64_t at = ((b * s.lq + begin) * s.heads + h) * s.width;
    worker.begin(queries + at, rows);
    const TileList list = tile_list(plan, job, h, begin);
    for (std::int64_t i = 0; i < list.count; ++i) {
      const std::int64_t tile = list.at(i), first = tile * job.key_tile, index = job.tile_index(b, h, tile);
      const float* entry = bias ? bias + h * (s.lq + s.lk - 1) + first - begin + s.lq - 1 : nullptr;
      worker.add_tile(job.packed_k + index * job.k_tile_floats, job.packed_v + index * job.v_tile_floats,
                      std::min(job.key_tile, s.lk - first), options.scale, entry,
                      mask.empty() ? nullptr : mask.data() + b * s.lk + first);
    }
    worker.finish(out + at);
  });
}

}  // namespace rushes::kernels
