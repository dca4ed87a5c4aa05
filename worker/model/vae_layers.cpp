#include "worker/model/vae_layers.h"

#include <algorithm>
#include <cmath>

#include "kernels/layout.h"

namespace rushes::worker {

using kernels::Activation;
using kernels::Backend;
using kernels::DType;
using kernels::Padding;
using kernels::Shape;
using kernels::Tensor;

namespace {

// A buffer of `depth` frames of history (zeros at the start of the clip) and, behind them, room for new
// frames.
struct Joined {
  Tensor whole, fresh;
};

Joined join(Backend& backend, const History& history, std::int64_t depth, const Shape& fresh, DType dtype) {
  const Tensor whole = backend.empty(dtype, {depth + fresh[0], fresh[1], fresh[2], fresh[3]});
  const Tensor head = whole.slice(0, depth);
  if (history.frames.empty())
    backend.fill(head, 0.0f);
  else
    backend.copy_box(history.frames, {0, 0, 0, 0}, head, {0, 0, 0, 0}, head.shape());
  return {whole, whole.slice(depth, whole.dim(0))};
}

// Keeps the last `depth` frames of `whole`.
void keep(Backend& backend, History& history, std::int64_t depth, const Tensor& whole) {
  const Tensor tail = whole.slice(whole.dim(0) - depth, whole.dim(0));
  if (history.frames.empty()) history.frames = backend.empty(tail.dtype(), tail.shape());
  backend.copy_box(tail, {0, 0, 0, 0}, history.frames, {0, 0, 0, 0}, tail.shape());
}

void copy(Backend& backend, const Tensor& from, const Tensor& to) {
  const Shape start(from.shape().size(), 0);
  backend.copy_box(from, start, to, start, from.shape());
}

}  // namespace

Tensor run(Stream& stream, const CausalConv& layer, const Tensor& x, const Tensor& residual) {
  Backend& backend = stream.backend();
  History& history = stream.next();
  const std::int64_t depth = layer.conv->kernel_t - 1;
  const Joined input = join(backend, history, depth, x.shape(), backend.operand_dtype());
  if (layer.gamma.empty())
    copy(backend, x, input.fresh);
  else
    backend.channel_norm(x, layer.gamma, Activation::kSilu, input.fresh);
  keep(backend, history, depth, input.whole);
  const std::int64_t edge_h = layer.conv->kernel_h / 2, edge_w = layer.conv->kernel_w / 2;
  const Tensor y = residual.empty()
                       ? backend.empty(DType::kF32, {x.dim(0), x.dim(1), x.dim(2), layer.conv->out_channels})
                       : residual;
  backend.conv3d(input.whole, *layer.conv, Padding{0, edge_h, edge_h, edge_w, edge_w}, y, residual);
  return y;
}

Tensor run(Stream& stream, const ResidualBlock& block, const Tensor& x) {
  Backend& backend = stream.backend();
  const Tensor inner = run(stream, block.first, x);
  const Tensor sum =
      backend.empty(DType::kF32, inner.shape());  // the second convolution adds onto the shortcut
  if (block.shortcut)
    backend.linear(x, *block.shortcut, sum);
  else
    copy(backend, x, sum);
  return run(stream, block.second, inner, sum);
}

Tensor run(Stream& stream, const FrameAttention& layer, const Tensor& x) {
  Backend& backend = stream.backend();
  const DType operand = backend.operand_dtype();
  const std::int64_t frames = x.dim(0), positions = x.dim(1) * x.dim(2), channels = x.dim(3);
  const Shape rows = {frames * positions, channels}, batch = {frames, positions, 1, channels};
  const Tensor normed = backend.empty(operand, rows), attended = backend.empty(operand, rows);
  const Tensor q = backend.empty(operand, rows), k = backend.empty(operand, rows),
               v = backend.empty(operand, rows);
  backend.channel_norm(x.reshape(rows), layer.gamma, Activation::kNone, normed);
  backend.linear(normed, *layer.q, q);
  backend.linear(normed, *layer.k, k);
  backend.linear(normed, *layer.v, v);
  kernels::AttentionOptions options;
  options.scale = static_cast<float>(1.0 / std::sqrt(static_cast<double>(channels)));
  backend.attention(q.reshape(batch), k.reshape(batch), v.reshape(batch), attended.reshape(batch), options);
  const Tensor y = backend.empty(DType::kF32, rows);
  backend.linear(attended, *layer.projection, y);
  backend.add_gated(y, x.reshape(rows), {});
  return y.reshape(x.shape());
}

Tensor run_down(Stream& stream, const Resample& layer, const Tensor& x) {
  Backend& backend = stream.backend();
  const DType operand = backend.operand_dtype();
  // Rows and columns: 3x3 with stride 2, one zero to the right and at the bottom only.
  const Shape half = {x.dim(0), (x.dim(1) - 2) / 2 + 1, (x.dim(2) - 2) / 2 + 1, layer.space->out_channels};
  const Tensor spatial = backend.empty(DType::kF32, half);
  backend.conv3d(x, *layer.space, Padding{0, 0, 1, 0, 1}, spatial);
  if (!layer.time) return spatial;
  // Frames: the first of the clip passes; then output i = time(2i-2, 2i-1, 2i).
  History& history = stream.next();
  const std::int64_t depth = stream.first() ? 0 : 1, passed = stream.first() ? 1 : 0;
  const Joined input = join(backend, history, depth, half, operand);
  copy(backend, spatial, input.fresh);
  keep(backend, history, 1, input.whole);
  const std::int64_t frames = passed + (half[0] - passed) / 2;
  const Tensor y = backend.empty(DType::kF32, {frames, half[1], half[2], layer.time->out_channels});
  if (passed) copy(backend, spatial.slice(0, 1), y.slice(0, 1));
  if (frames > passed) backend.conv3d(input.whole, *layer.time, {}, y.slice(passed, frames));
  return y;
}

Tensor run_up(Stream& stream, const Resample& layer, const Tensor& x) {
  Backend& backend = stream.backend();
  const DType operand = backend.operand_dtype();
  Tensor doubled = x;
  if (layer.time) {
    // The first frame of the clip passes once and leaves zeros in the history; every other yields two frames.
    History& history = stream.next();
    const std::int64_t passed = stream.first() ? 1 : 0, rest = x.dim(0) - passed,
                       depth = layer.time->kernel_t - 1;
    doubled = backend.empty(DType::kF32, {passed + 2 * rest, x.dim(1), x.dim(2), x.dim(3)});
    if (passed) copy(backend, x.slice(0, 1), doubled.slice(0, 1));
    if (rest > 0) {
      const Joined input = join(backend, history, depth, {rest, x.dim(1), x.dim(2), x.dim(3)}, operand);
      copy(backend, x.slice(passed, x.dim(0)), input.fresh);
      keep(backend, history, depth, input.whole);
      const Tensor pairs = backend.empty(DType::kF32, {rest, x.dim(1), x.dim(2), layer.time->out_channels});
      backend.conv3d(input.whole, *layer.time, {}, pairs);
      kernels::interleave_time(backend, pairs, doubled.slice(passed, doubled.dim(0)));
    }
  }
  const Shape large = {doubled.dim(0), 2 * x.dim(1), 2 * x.dim(2), x.dim(3)};
  const Tensor upsampled = backend.empty(operand, large);
  backend.upsample_nearest_2x(doubled, upsampled);
  doubled = {};
  const Tensor y = backend.empty(DType::kF32, {large[0], large[1], large[2], layer.space->out_channels});
  backend.conv3d(upsampled, *layer.space, Padding{0, 1, 1, 1, 1}, y);
  return y;
}

Tensor run(Stream& stream, const Middle& middle, const Tensor& x) {
  return run(stream, middle.after, run(stream, middle.attention, run(stream, middle.before, x)));
}

Tensor run_blocks(Stream& stream, const Level& level, const Tensor& x) {
  Tensor y = x;
  for (const ResidualBlock& block : level.blocks) y = run(stream, block, y);
  return y;
}

CausalConv load_conv(Weights& weights, const std::string& conv, const std::string& gamma) {
  CausalConv layer;
  const Shape shape = weights.shape(conv + ".weight", 5);
  if (shape[2] != 3 || shape[3] != 3 || shape[4] != 3)
    weights.error("tensor '" + conv + ".weight': expected a 3x3x3 kernel, found " + shape_text(shape));
  if (!gamma.empty()) layer.gamma = weights.tensor(gamma, {shape[1], 1, 1, 1}, {shape[1]});
  layer.conv = weights.conv(conv, shape);
  return layer;
}

ResidualBlock load_residual(Weights& weights, const std::string& prefix) {
  ResidualBlock block;
  block.first = load_conv(weights, prefix + "residual.2", prefix + "residual.0.gamma");
  block.second = load_conv(weights, prefix + "residual.6", prefix + "residual.3.gamma");
  const Shape first = weights.shape(prefix + "residual.2.weight", 5);
  const Shape second = weights.shape(prefix + "residual.6.weight", 5);
  if (second[0] != first[0] || second[1] != first[0])
    weights.error("tensor '" + prefix + "residual.6.weight': expected " + std::to_string(first[0]) +
                  " channels in and out, found " + shape_text(second));
  if (first[0] != first[1] || weights.has(prefix + "shortcut.weight"))
    block.shortcut = weights.rows(prefix + "shortcut", {first[0], first[1], 1, 1, 1}, 0, first[0]);
  return block;
}

Middle load_middle(Weights& weights, const std::string& prefix) {
  Middle middle;
  middle.before = load_residual(weights, prefix + "0.");
  middle.after = load_residual(weights, prefix + "2.");
  const Shape qkv = weights.shape(prefix + "1.to_qkv.weight", 4);
  const std::int64_t c = qkv[1];
  middle.attention.gamma = weights.tensor(prefix + "1.norm.gamma", {c, 1, 1}, {c});
  middle.attention.q = weights.rows(prefix + "1.to_qkv", {3 * c, c, 1, 1}, 0, c);
  middle.attention.k = weights.rows(prefix + "1.to_qkv", {3 * c, c, 1, 1}, c, 2 * c);
  middle.attention.v = weights.rows(prefix + "1.to_qkv", {3 * c, c, 1, 1}, 2 * c, 3 * c);
  middle.attention.projection = weights.rows(prefix + "1.proj", {c, c, 1, 1}, 0, c);
  return middle;
}

namespace {

Resample load_resample(Weights& weights, const std::string& prefix, bool down) {
  Resample layer;
  const Shape space = weights.shape(prefix + "resample.1.weight", 4);
  if (space[2] != 3 || space[3] != 3)
    weights.error("tensor '" + prefix + "resample.1.weight': expected a 3x3 kernel, found " +
                  shape_text(space));
  layer.space =
      weights.conv(prefix + "resample.1", space, down ? kernels::Strides{1, 2, 2} : kernels::Strides{});
  if (!weights.has(prefix + "time_conv.weight")) return layer;
  const std::int64_t width = down ? space[0] : space[1];  // the time convolution comes after, or before
  const Shape time = {down ? width : 2 * width, width, 3, 1, 1};
  layer.time =
      weights.conv(prefix + "time_conv", time, down ? kernels::Strides{2, 1, 1} : kernels::Strides{});
  return layer;
}

// Adds the layer `prefix` names to `level`; false when there is none.
bool load_layer(Weights& weights, const std::string& prefix, bool down, Level& level) {
  if (weights.has(prefix + "residual.0.gamma")) {
    const Shape shape = weights.shape(prefix + "residual.2.weight", 5);
    if (level.blocks.empty()) level.in_channels = shape[1];
    level.out_channels = shape[0];
    level.widest = std::max({level.widest, shape[0], shape[1]});
    level.blocks.push_back(load_residual(weights, prefix));
    return true;
  }
  if (!weights.has(prefix + "resample.1.weight")) return false;
  level.resample = load_resample(weights, prefix, down);
  level.out_channels = weights.shape(prefix + "resample.1.weight", 4)[0];
  return true;
}

}  // namespace

std::vector<Level> load_levels(Weights& weights, const std::string& prefix, const std::string& nested) {
  const bool down = nested.starts_with("down");
  std::vector<Level> levels;
  if (weights.has(prefix + "0." + nested + ".0.residual.0.gamma")) {  // Wan 2.2
    for (int i = 0; weights.has(prefix + std::to_string(i) + "." + nested + ".0.residual.0.gamma"); ++i) {
      Level level;
      const std::string inner = prefix + std::to_string(i) + "." + nested + ".";
      for (int j = 0; load_layer(weights, inner + std::to_string(j) + ".", down, level); ++j) {
      }
      level.averaged = down || level.resample;  // the decoder's last level has no shortcut
      levels.push_back(std::move(level));
    }
  } else {  // Wan 2.1: a level ends with its resample
    levels.emplace_back();
    for (int i = 0; load_layer(weights, prefix + std::to_string(i) + ".", down, levels.back()); ++i)
      if (levels.back().resample) levels.emplace_back();
  }
  for (const Level& level : levels)
    if (level.blocks.empty()) weights.error("a level below '" + prefix + "' has no residual block");
  return levels;
}

}  // namespace rushes::worker
