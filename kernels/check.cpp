#include "kernels/check.h"

#include <stdexcept>

namespace rushes::kernels {

void refuse(const char* op, const std::string& what) {
  throw std::invalid_argument(std::string("kernels: ") + op + ": " + what);
}

void require(bool condition, const char* op, const std::string& what) {
  if (!condition) refuse(op, what);
}

void require_float(const char* op, const char* name, const Tensor& x, DType operand) {
  if (x.empty()) refuse(op, std::string(name) + " is empty");
  if (x.dtype() != DType::kF32 && x.dtype() != operand) {
    refuse(op,
           std::string(name) + " is " + dtype_name(x.dtype()) + ", expected f32 or " + dtype_name(operand));
  }
}

void require_parameter(const char* op, const char* name, const Tensor& x, std::int64_t size) {
  if (x.empty() || x.dtype() != DType::kF32 || x.elements() != size) {
    refuse(op, std::string(name) + " " + (x.empty() ? "is empty" : to_string(x.shape())) +
                   ", expected f32 [" + std::to_string(size) + "]");
  }
}

void require_same_shape(const char* op, const Tensor& x, const Tensor& y) {
  if (x.shape() != y.shape())
    refuse(op, "shapes differ: " + to_string(x.shape()) + ", " + to_string(y.shape()));
}

Rows rows_of(const char* op, const Tensor& x) {
  if (x.rank() < 1 || x.dim(-1) < 1) refuse(op, "no channels in " + to_string(x.shape()));
  return {x.elements() / x.dim(-1), x.dim(-1)};
}

Rows check_map(const char* op, const Tensor& x, const Tensor& y, DType operand) {
  require_float(op, "input", x, operand);
  require_float(op, "output", y, operand);
  require_same_shape(op, x, y);
  return rows_of(op, x);
}

LinearSizes check_linear(const Tensor& x, const Linear& w, const Tensor& y, DType operand) {
  if (!w.eight_bit || x.empty() || x.dtype() != DType::kF8E4M3) require_float("linear", "x", x, operand);
  require_float("linear", "y", y, operand);
  const Rows in = rows_of("linear", x);
  const Rows out = rows_of("linear", y);
  if (in.cols != w.in_features || out.cols != w.out_features || in.rows != out.rows) {
    refuse("linear", "x " + to_string(x.shape()) + " with weights " +
                         to_string({w.out_features, w.in_features}) + " into y " + to_string(y.shape()));
  }
  return {in.rows, in.cols, out.cols};
}

ConvSizes check_conv3d(const Tensor& x, const Conv3d& w, const Padding& p, const Tensor& y,
                       const Tensor& residual, DType operand) {
  require_float("conv3d", "x", x, operand);
  require_float("conv3d", "y", y, operand);
  require(x.rank() == 4 && y.rank() == 4, "conv3d", "expected [T, H, W, C], found " + to_string(x.shape()));
  require(p.front >= 0 && p.top >= 0 && p.bottom >= 0 && p.left >= 0 && p.right >= 0, "conv3d",
          "negative padding");
  ConvSizes s{x.dim(0), x.dim(1), x.dim(2), x.dim(3), 0, 0, 0, w.out_channels};
  s.to = (p.front + s.t - w.kernel_t) / w.stride_t + 1;
  s.ho = (p.top + s.h + p.bottom - w.kernel_h) / w.stride_h + 1;
  s.wo = (p.left + s.w + p.right - w.kernel_w) / w.stride_w + 1;
  const bool fits = p.front + s.t >= w.kernel_t && p.top + s.h + p.bottom >= w.kernel_h &&
                    p.left + s.w + p.right >= w.kernel_w && s.cin == w.in_channels;
  if (!fits || y.shape() != Shape{s.to, s.ho, s.wo, s.cout}) {
    refuse("conv3d", "x " + to_string(x.shape()) + " with a kernel " +
                         to_string({w.out_channels, w.in_channels, w.kernel_t, w.kernel_h, w.kernel_w}) +
                         " gives " + to_string({s.to, s.ho, s.wo, s.cout}) + ", found y " +
                         to_string(y.shape()));
  }
  if (!residual.empty()) {
    require_float("conv3d", "residual", residual, operand);
    require_same_shape("conv3d", y, residual);
  }
  return s;
}

AttentionSizes check_attention(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& y,
                               const AttentionOptions& options, DType operand) {
  const char* op = "attention";
  require_float(op, "q", q, operand);
  require_float(op, "k", k, operand);
  require_float(op, "v", v, operand);
  require_float(op, "y", y, operand);
  require(q.rank() == 4, op, "expected q [B, Lq, heads, D], found " + to_string(q.shape()));
  const AttentionSizes s{q.dim(0), q.dim(1), k.rank() == 4 ? k.dim(1) : 0, q.dim(2), q.dim(3)};
  require_same_shape(op, q, y);
  require_same_shape(op, k, v);
  if (k.shape() != Shape{s.batch, s.lk, s.heads, s.width} || s.lk < 1 || s.width < 1) {
    refuse(op, "q " + to_string(q.shape()) + " against k " + to_string(k.shape()));
  }
  if (!options.relative_bias.empty()) {
    const Tensor& bias = options.relative_bias;
    require(bias.dtype() == DType::kF32 && bias.shape() == Shape{s.heads, s.lq + s.lk - 1}, op,
            "relative_bias " + to_string(bias.shape()) + ", expected [heads, Lq + Lk - 1]");
  }
  if (!options.key_mask.empty()) {
    const Tensor& mask = options.key_mask;
    require(mask.dtype() == DType::kI32 && mask.shape() == Shape{s.batch, s.lk}, op,
            "key_mask " + to_string(mask.shape()) + ", expected i32 [B, Lk]");
  }
  return s;
}

void check_key_tile_plan(const KeyTilePlan& plan) {
  const char* op = "prepare_key_tiles";
  const auto tile_size_ok = [](std::int64_t size) { return size >= 16 && size <= 256 && size % 16 == 0; };
  require(tile_size_ok(plan.query_tile) && tile_size_ok(plan.key_tile), op,
          "tile sizes are multiples of 16 from 16 to 256");
  require(plan.heads >= 1 && plan.query_length >= 1 && plan.key_length >= 1, op, "empty geometry");
  const std::int64_t query_tiles = (plan.query_length + plan.query_tile - 1) / plan.query_tile;
  const std::int64_t key_tiles = (plan.key_length + plan.key_tile - 1) / plan.key_tile;
  require(static_cast<std::int64_t>(plan.first.size()) == plan.heads * query_tiles + 1 &&
              plan.first[0] == 0 && plan.first.back() == static_cast<std::int64_t>(plan.tile.size()),
          op, "`first` must run from 0 to the number of entries, heads * query tiles + 1 long");
  for (std::size_t i = 0; i + 1 < plan.first.size(); ++i) {
    require(plan.first[i] < plan.first[i + 1] && plan.first[i + 1] <= plan.first.back(), op,
            "query tile " + std::to_string(i) + " has no key tile");
    for (std::int32_t j = plan.first[i]; j < plan.first[i + 1]; ++j) {
      const auto at = static_cast<std::size_t>(j);
      require(plan.tile[at] >= 0 && plan.tile[at] < key_tiles, op, "key tile out of range");
      require(j == plan.first[i] || plan.tile[at - 1] < plan.tile[at], op, "key tiles must ascend");
    }
  }
}

void check_row_groups(const char* op, const Tensor& parameters, const Tensor& group, Rows rows) {
  if (parameters.empty()) return;
  require(parameters.dtype() == DType::kF32 && parameters.rank() == 2 && parameters.dim(1) == rows.cols, op,
          "row parameters " + to_string(parameters.shape()) + ", expected f32 [G, " +
              std::to_string(rows.cols) + "]");
  const std::int64_t groups = parameters.dim(0);
  if (!group.empty()) {
    require(group.dtype() == DType::kI32 && group.elements() == rows.rows && groups >= 1, op,
            "group " + to_string(group.shape()) + ", expected i32 [" + std::to_string(rows.rows) + "]");
  } else {
    require(
        groups == 1 || groups == rows.rows, op,
        std::to_string(groups) + " parameter rows for " + std::to_string(rows.rows) + " rows need `group`");
  }
}

Rows check_layer_norm(const Tensor& x, const Tensor& weight, const Tensor& bias, const Modulation& modulation,
                      const Tensor& y, DType operand) {
  const char* op = "layer_norm";
  require(!x.empty() && x.dtype() == DType::kF32, op, "x must be f32");
  if (y.empty() || y.dtype() != DType::kF8E4M3) require_float(op, "output", y, operand);
  require_same_shape(op, x, y);
  const Rows rows = rows_of(op, x);
  require(weight.empty() == bias.empty(), op, "weight and bias come together");
  if (!weight.empty()) {
    require_parameter(op, "weight", weight, rows.cols);
    require_parameter(op, "bias", bias, rows.cols);
  }
  check_row_groups(op, modulation.shift, modulation.group, rows);
  check_row_groups(op, modulation.scale, modulation.group, rows);
  return rows;
}

void check_fill_noise(const Tensor& x, const std::vector<NoiseSource>& frames) {
  const char* op = "fill_noise";
  require(!x.empty() && x.dtype() == DType::kF32 && x.rank() == 4, op,
          "expected f32 [C, T, H, W], found " + to_string(x.shape()));
  require(static_cast<std::int64_t>(frames.size()) == x.dim(1), op,
          std::to_string(frames.size()) + " sources for the frames of " + to_string(x.shape()));
}

void check_combine(const std::vector<Term>& terms, const Tensor& out, DType operand) {
  const char* op = "combine";
  require(!terms.empty() && terms.size() <= kMostTerms, op,
          std::to_string(terms.size()) + " terms, expected 1 to " + std::to_string(kMostTerms));
  for (const Term& term : terms) check_map(op, term.x, out, operand);
}

Rows check_add_gated(const Tensor& x, const Tensor& y, const Tensor& gate, const Tensor& group,
                     DType operand) {
  const Rows rows = check_map("add_gated", x, y, operand);
  require(x.dtype() == DType::kF32, "add_gated", "x must be f32");
  check_row_groups("add_gated", gate, group, rows);
  return rows;
}

void check_rms_norm_rope(const Tensor& x, const Tensor& weight, const Tensor& table, const Tensor& y,
                         DType operand) {
  const char* op = "rms_norm_rope";
  check_map(op, x, y, operand);
  require(x.rank() == 4 && x.dim(3) % 2 == 0, op,
          "expected [B, L, heads, D], D even: " + to_string(x.shape()));
  require_parameter(op, "weight", weight, x.dim(2) * x.dim(3));
  require(!table.empty() && table.dtype() == DType::kF32 && table.shape() == Shape{x.dim(1), x.dim(3) / 2, 2},
          op, "table must be f32 [L, D/2, 2] for x " + to_string(x.shape()));
}

void check_copy_box(const Tensor& source, const Shape& source_start, const Tensor& target,
                    const Shape& target_start, const Shape& extent) {
  const char* op = "copy_box";
  require(!source.empty() && !target.empty(), op, "an empty tensor");
  require((source.dtype() == DType::kI32) == (target.dtype() == DType::kI32), op, "i32 copies to i32 only");
  const std::size_t rank = extent.size();
  require(rank >= 1 && source.shape().size() == rank && target.shape().size() == rank &&
              source_start.size() == rank && target_start.size() == rank,
          op, "ranks differ");
  for (std::size_t i = 0; i < rank; ++i) {
    require(extent[i] >= 0 && source_start[i] >= 0 && target_start[i] >= 0 &&
                source_start[i] + extent[i] <= source.shape()[i] &&
                target_start[i] + extent[i] <= target.shape()[i],
            op,
            "box " + to_string(extent) + " leaves " + to_string(source.shape()) + " or " +
                to_string(target.shape()));
  }
}

void check_permute(const Tensor& x, const std::vector<int>& order, const Tensor& y) {
  const char* op = "permute";
  require(!x.empty() && !y.empty() && x.dtype() == y.dtype(), op, "dtypes differ");
  require(order.size() == x.shape().size() && x.rank() == y.rank() && x.rank() <= 8, op, "ranks differ");
  unsigned seen = 0;
  for (std::size_t i = 0; i < order.size(); ++i) {
    require(order[i] >= 0 && order[i] < x.rank() && !(seen & (1u << order[i])), op, "not a permutation");
    seen |= 1u << order[i];
    require(y.shape()[i] == x.dim(order[i]), op, to_string(x.shape()) + " into " + to_string(y.shape()));
  }
}

void check_upsample(const Tensor& x, const Tensor& y, DType operand) {
  const char* op = "upsample_nearest_2x";
  require_float(op, "x", x, operand);
  require_float(op, "y", y, operand);
  require(x.rank() == 4 && y.shape() == Shape{x.dim(0), 2 * x.dim(1), 2 * x.dim(2), x.dim(3)}, op,
          to_string(x.shape()) + " into " + to_string(y.shape()));
}

std::int64_t check_group(const char* op, const Tensor& grouped, const Tensor& single, DType operand) {
  require_float(op, "grouped", grouped, operand);
  require_float(op, "single", single, operand);
  const Rows rows = rows_of(op, grouped);
  require(rows.rows == single.elements(), op,
          to_string(grouped.shape()) + " and " + to_string(single.shape()));
  return rows.cols;
}

Rows check_gather(const Tensor& table, const Tensor& index, const Tensor& y, DType operand) {
  const char* op = "gather_rows";
  require(!table.empty() && table.rank() == 2 && table.dtype() != DType::kI32, op,
          "table must be float [V, C]");
  require(!index.empty() && index.dtype() == DType::kI32, op, "index must be i32");
  require_float(op, "y", y, operand);
  const Rows rows = rows_of(op, y);
  require(rows.cols == table.dim(1) && rows.rows == index.elements(), op,
          to_string(table.shape()) + " by " + to_string(index.shape()) + " into " + to_string(y.shape()));
  return rows;
}

namespace {

void check_bias(const char* op, const HostTensor& bias, std::int64_t size) {
  if (!bias.empty() && bias.shape != Shape{size}) {
    refuse(op, "bias " + to_string(bias.shape) + ", expected [" + std::to_string(size) + "]");
  }
}

}  // namespace

void check_linear_weights(const HostTensor& weight, const HostTensor& bias) {
  const char* op = "prepare_linear";
  require(!weight.empty() && weight.shape.size() == 2 && element_count(weight.shape) > 0, op,
          "weight " + to_string(weight.shape) + ", expected [N, K]");
  check_bias(op, bias, weight.shape[0]);
}

void check_conv3d_weights(const HostTensor& weight, const HostTensor& bias, Strides strides) {
  const char* op = "prepare_conv3d";
  require(!weight.empty() && (weight.shape.size() == 5 || weight.shape.size() == 4) &&
              element_count(weight.shape) > 0,
          op,
          "weight " + to_string(weight.shape) + ", expected [Cout, Cin, kt, kh, kw] or [Cout, Cin, kh, kw]");
  require(strides.t >= 1 && strides.h >= 1 && strides.w >= 1, op, "strides must be at least 1");
  check_bias(op, bias, weight.shape[0]);
}

}  // namespace rushes::kernels
