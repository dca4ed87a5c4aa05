#include <algorithm>
#include <cstring>

#include "kernels/check.h"
#include "kernels/cpu/cpu_backend.h"

namespace rushes::kernels {

namespace {

constexpr std::int64_t kRowsPerTask =
    112;  // a multiple of every tile height but 6, and small enough for the L2 cache

struct CpuLinear final : Linear {
  Operands operands = Operands::kF32;
  PackedMatrix packed;
  Tensor bias;
  SegmentGroups groups;
};
struct CpuConv3d final : Conv3d {
  Operands operands = Operands::kF32;
  std::int64_t channel_units = 0;  // units of one tap, input channels padded to whole units
  PackedMatrix packed;             // units in order kt, kh, kw, channel
  Tensor bias;
};

std::int64_t units_for(std::int64_t count, const GemmKernels& kernels) {
  return (count + kernels.per_unit - 1) / kernels.per_unit;
}

// Copies `count` numbers as operands and zeroes the padding that fills the last unit.
void copy_operands(const float* from, std::int64_t count, Operands operands, std::int64_t units, float* to) {
  if (operands == Operands::kF32) {
    std::memcpy(to, from, static_cast<std::size_t>(count) * sizeof(float));
  } else if (operands == Operands::kRounded) {
    round_to_bf16(from, count, to);
  } else {
    auto* halves = reinterpret_cast<std::uint16_t*>(to);
    round_to_bf16(from, count, halves);
    if (count % 2) halves[count] = 0;
    count = (count + 1) / 2;
  }
  std::fill(to + count, to + units, 0.0f);
}

}  // namespace

Tensor CpuBackend::as_operands(const Tensor& x, std::int64_t rows, std::int64_t cols, Operands operands,
                               std::int64_t units) {
  if (operands == Operands::kF32) return x;
  Tensor converted = empty(DType::kF32, {rows, units});
  const auto* in = host_data<float>(x);
  auto* out = host_data<float>(converted);
  run_ranges(rows, cols, [&](std::int64_t begin, std::int64_t end) {
    if (operands == Operands::kPairs && cols % 2 == 0) {  // rows without padding are one run
      copy_operands(in + begin * cols, (end - begin) * cols, operands, (end - begin) * units,
                    out + begin * units);
      return;
    }
    for (std::int64_t r = begin; r < end; ++r)
      copy_operands(in + r * cols, cols, operands, units, out + r * units);
  });
  return converted;
}

LinearPtr CpuBackend::prepare_linear(const HostTensor& weight, const HostTensor& bias,
                                     std::optional<Precision> precision) {
  check_linear_weights(weight, bias);
  auto layer = std::make_shared<CpuLinear>();
  layer->out_features = weight.shape[0];
  layer->in_features = weight.shape[1];
  layer->operands = operands(precision.value_or(precision_));
  const GemmKernels& tiles = kernels(layer->operands);
  const std::int64_t n = layer->out_features, k = layer->in_features;
  const std::int64_t padded = units_for(k, tiles) * tiles.per_unit;
  std::vector<float> w = widen(weight);
  if (padded != k) {
    std::vector<float> wide(static_cast<std::size_t>(n * padded));
    for (std::int64_t i = 0; i < n; ++i) std::copy_n(w.begin() + i * k, k, wide.begin() + i * padded);
    w.swap(wide);
  }
  layer->packed = pack_weights(*this, tiles, layer->operands, w.data(), n, padded);
  layer->groups = group_segments({{0, layer->packed.units}});
  if (!bias.empty()) layer->bias = upload_f32(bias);
  return layer;
}

void CpuBackend::linear(const Tensor& x, const Linear& weights, const Tensor& y, Activation act) {
  const LinearSizes s = check_linear(x, weights, y, operand_dtype());
  const auto* layer = dynamic_cast<const CpuLinear*>(&weights);
  require(layer != nullptr, "linear", "weights of another device");
  const GemmKernels& tiles = kernels(layer->operands);
  const std::int64_t units = layer->packed.units;
  const Tensor operand = as_operands(x, s.rows, s.k, layer->operands, units);
  const auto* a = host_data<float>(operand);
  const auto blocks = static_cast<std::int64_t>(layer->packed.blocks.size());
  const std::int64_t row_tasks = (s.rows + kRowsPerTask - 1) / kRowsPerTask;
  // Columns are split as well where rows alone would leave threads idle.
  const std::int64_t wanted = (4 * pool_.threads() + row_tasks - 1) / std::max<std::int64_t>(row_tasks, 1);
  const std::int64_t column_tasks = pool_.threads() == 1 ? 1 : std::clamp<std::int64_t>(wanted, 1, blocks);
  TileOutput output{layer->bias.empty() ? nullptr : host_data<float>(layer->bias), nullptr,
                    host_data<float>(y), s.n, act};
  pool_.run(row_tasks * column_tasks, [&](std::int64_t task, int) {
    const std::int64_t row = task / column_tasks, column = task % column_tasks;
    const std::int64_t begin = s.rows * row / row_tasks, end = s.rows * (row + 1) / row_tasks;
    TileOutput rows = output;
    rows.y += begin * s.n;
    for (std::int64_t b = blocks * column / column_tasks; b < blocks * (column + 1) / column_tasks; ++b) {
      run_rows(tiles, a + begin * units, units, end - begin, layer->groups, layer->packed.data(),
               layer->packed.blocks[static_cast<std::size_t>(b)], rows);
    }
  });
}

Conv3dPtr CpuBackend::prepare_conv3d(const HostTensor& weight, const HostTensor& bias, Strides strides,
                                     std::optional<Precision> precision) {
  check_conv3d_weights(weight, bias, strides);
  auto layer = std::make_shared<CpuConv3d>();
  Shape s = weight.shape;
  if (s.size() == 4) s.insert(s.begin() + 2, 1);
  layer->out_channels = s[0], layer->in_channels = s[1];
  layer->kernel_t = s[2], layer->kernel_h = s[3], layer->kernel_w = s[4];
  layer->stride_t = strides.t, layer->stride_h = strides.h, layer->stride_w = strides.w;
  layer->operands = operands(precision.value_or(precision_));
  const GemmKernels& tiles = kernels(layer->operands);
  layer->channel_units = units_for(s[1], tiles);
  const std::int64_t taps = s[2] * s[3] * s[4], channels = layer->channel_units * tiles.per_unit;
  const std::vector<float> w = widen(weight);
  std::vector<float> moved(static_cast<std::size_t>(s[0] * taps * channels));
  for (std::int64_t o = 0; o < s[0]; ++o)
    for (std::int64_t i = 0; i < s[1]; ++i)
      for (std::int64_t k = 0; k < taps; ++k)
        moved[static_cast<std::size_t>((o * taps + k) * channels + i)] =
            w[static_cast<std::size_t>((o * s[1] + i) * taps + k)];
  layer->packed = pack_weights(*this, tiles, layer->operands, moved.data(), s[0], taps * channels);
  if (!bias.empty()) layer->bias = upload_f32(bias);
  return layer;
}

Tensor CpuBackend::padded_images(const Tensor& x, const Padding& p, Operands operands, std::int64_t units) {
  const std::int64_t t = x.dim(0), h = x.dim(1), w = x.dim(2), c = x.dim(3);
  const std::int64_t height = h + p.top + p.bottom, width = w + p.left + p.right;
  if (height == h && width == w) return as_operands(x, t * h * w, c, operands, units);
  Tensor images = empty(DType::kF32, {t, height, width, units});
  const auto* in = host_data<float>(x);
  auto* out = host_data<float>(images);
  const bool dense = operands == Operands::kPairs ? c % 2 == 0 : true;  // a row of pixels is one run
  run_ranges(t * height, width * units, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end; ++r) {
      float* to = out + r * width * units;
      const std::int64_t row = r % height - p.top;
      if (row < 0 || row >= h) {
        std::fill_n(to, width * units, 0.0f);
        continue;
      }
      const float* from = in + ((r / height) * h + row) * w * c;
      std::fill_n(to, p.left * units, 0.0f);
      to += p.left * units;
      if (dense) {
        copy_operands(from, w * c, operands, w * units, to);
      } else {
        for (std::int64_t i = 0; i < w; ++i) copy_operands(from + i * c, c, operands, units, to + i * units);
      }
      std::fill_n(to + w * units, p.right * units, 0.0f);
    }
  });
  return images;
}

void CpuBackend::conv3d(const Tensor& x, const Conv3d& weights, const Padding& padding, const Tensor& y,
                        const Tensor& residual) {
  const ConvSizes s = check_conv3d(x, weights, padding, y, residual, operand_dtype());
  const auto* layer = dynamic_cast<const CpuConv3d*>(&weights);
  require(layer != nullptr, "conv3d", "weights of another device");
  const GemmKernels& tiles = kernels(layer->operands);
  const std::int64_t units = layer->channel_units, tap_row = layer->kernel_w * units;
  const Tensor images = padded_images(x, padding, layer->operands, units);
  const std::int64_t width = s.w + padding.left + padding.right, height = s.h + padding.top + padding.bottom;
  const std::int64_t row_units = width * units, frame_units = height * row_units;

  // Taps on the zero frames in front are left out: one list of segments per number of frames that exist.
  std::vector<SegmentGroups> groups(static_cast<std::size_t>(layer->kernel_t) + 1);
  for (std::int64_t missing = 0; missing <= layer->kernel_t; ++missing) {
    std::vector<Segment> segments;
    std::vector<std::int64_t> skipped;
    for (std::int64_t kt = missing; kt < layer->kernel_t; ++kt)
      for (std::int64_t kh = 0; kh < layer->kernel_h; ++kh) {
        segments.push_back({(kt - missing) * frame_units + kh * row_units, tap_row});
        skipped.push_back(segments.size() == 1 ? missing * layer->kernel_h * tap_row : 0);
      }
    groups[static_cast<std::size_t>(missing)] = group_segments(segments, skipped);
  }
  // Without a kernel or stride in space all rows of a frame are one.
  const bool flat = layer->kernel_h == 1 && layer->kernel_w == 1 && layer->stride_h == 1 &&
                    layer->stride_w == 1 && height == s.h && width == s.w;
  const std::int64_t rows = flat ? 1 : s.ho, row_pixels = flat ? s.ho * s.wo : s.wo;
  const std::int64_t pixels = std::max<std::int64_t>(1, row_pixels);
  const std::int64_t rows_per_task = std::max<std::int64_t>(1, 4 * kRowsPerTask / pixels);
  const std::int64_t row_tasks = (rows + rows_per_task - 1) / rows_per_task;
  const std::int64_t pixel_tasks = flat ? (row_pixels + 4 * kRowsPerTask - 1) / (4 * kRowsPerTask) : 1;
  const TileOutput output{layer->bias.empty() ? nullptr : host_data<float>(layer->bias),
                          residual.empty() ? nullptr : host_data<float>(residual), host_data<float>(y),
                          s.cout, Activation::kNone};
  const auto* in = host_data<float>(images);
  pool_.run(s.to * row_tasks * pixel_tasks, [&](std::int64_t task, int) {
    const std::int64_t t = task / (row_tasks * pixel_tasks), part = task % (row_tasks * pixel_tasks);
    const std::int64_t first = t * layer->stride_t - padding.front;
    const SegmentGroups& taps =
        groups[static_cast<std::size_t>(std::clamp<std::int64_t>(-first, 0, layer->kernel_t))];
    const std::int64_t row_task = part / pixel_tasks, pixel_task = part % pixel_tasks;
    const std::int64_t pixel = row_pixels * pixel_task / pixel_tasks;
    const std::int64_t count = row_pixels * (pixel_task + 1) / pixel_tasks - pixel;
    for (const ColumnBlock& block : layer->packed.blocks) {
      for (std::int64_t r = rows * row_task / row_tasks; r < rows * (row_task + 1) / row_tasks; ++r) {
        const float* a = in + std::max<std::int64_t>(first, 0) * frame_units +
                         r * layer->stride_h * row_units + pixel * units;
        TileOutput line = output;
        const std::int64_t at = ((t * rows + r) * row_pixels + pixel) * s.cout;
        line.y += at;
        if (line.residual) line.residual += at;
        run_rows(tiles, a, layer->stride_w * units, count, taps, layer->packed.data(), block, line);
      }
    }
  });
}

}  // namespace rushes::kernels
