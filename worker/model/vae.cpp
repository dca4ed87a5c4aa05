#include "worker/model/vae.h"

#include <algorithm>
#include <cmath>

#include "kernels/layout.h"
#include "worker/model/vae_parts.h"

namespace rushes::worker {

using kernels::DType;
using kernels::Shape;
using kernels::Tensor;

namespace {

std::int64_t stride_of(const std::vector<Level>& levels, bool time) {
  std::int64_t stride = 1;
  for (const Level& level : levels)
    if (time ? level.resample.time != nullptr : level.resample.space != nullptr) stride *= 2;
  return stride;
}

}  // namespace

void Vae::read(Weights& weights) {
  encoder_in_ = load_conv(weights, "encoder.conv1", "");
  down_ = load_levels(weights, "encoder.downsamples.", "downsamples");
  encoder_middle_ = load_middle(weights, "encoder.middle.");
  encoder_head_ = load_conv(weights, "encoder.head.2", "encoder.head.0.gamma");
  decoder_in_ = load_conv(weights, "decoder.conv1", "");
  decoder_middle_ = load_middle(weights, "decoder.middle.");
  up_ = load_levels(weights, "decoder.upsamples.", "upsamples");
  decoder_head_ = load_conv(weights, "decoder.head.2", "decoder.head.0.gamma");

  const Shape mix = weights.shape("conv2.weight", 5);
  if (mix[0] != z_)
    weights.error("tensor 'conv2.weight': expected " + std::to_string(z_) +
                  " channels (as many as mean and std have), found " + shape_text(mix));
  quantise_ = weights.rows("conv1", {2 * z_, 2 * z_, 1, 1, 1}, 0, z_);
  dequantise_ = weights.rows("conv2", {z_, z_, 1, 1, 1}, 0, z_);

  const std::int64_t values = weights.shape("encoder.conv1.weight", 5)[1];
  while (patch_ * patch_ * kColours < values) ++patch_;
  if (patch_ * patch_ * kColours != values)
    weights.error("tensor 'encoder.conv1.weight': " + std::to_string(values) +
                  " input channels are no square patch of 3 colours");
  time_stride_ = stride_of(down_, true);
  space_stride_ = stride_of(down_, false) * patch_;

  // Walk back from the pixels: each 3x3 convolution reaches one position further, doubling halves the reach.
  std::int64_t reach = 1;  // the head
  reach_.assign(up_.size(), 0);
  for (std::size_t i = up_.size(); i-- > 0;) {
    if (up_[i].resample) reach = (reach + 1 + 1) / 2;
    reach_[i] = reach;  // wanted behind the blocks, before the resample
    reach += 2 * static_cast<std::int64_t>(up_[i].blocks.size());
  }
  halo_ = reach;

  // Forward the same: a halved row sees its two rows and the one behind them.
  reach = 0;
  for (std::size_t i = down_.size(); i-- > 0;) {
    if (down_[i].resample) reach = 2 * reach + 1;
    reach += 2 * static_cast<std::int64_t>(down_[i].blocks.size());
  }
  const std::int64_t rows_per_latent = space_stride_ / patch_;
  encode_halo_ = (reach + 1 + rows_per_latent - 1) / rows_per_latent;
}

// Every layer takes what the one before gives: a file of matching names but foreign widths is refused here.
Status Vae::check_chain(const std::string& file) const {
  std::string broken;
  const auto link = [&](std::int64_t& width, const kernels::Conv3d& conv, const std::string& name) {
    if (width != conv.in_channels && broken.empty())
      broken = name + " takes " + std::to_string(conv.in_channels) + " channels, the layer before gives " +
               std::to_string(width);
    width = conv.out_channels;
  };
  const auto walk = [&](std::int64_t& width, const std::vector<Level>& levels, const std::string& name) {
    for (std::size_t i = 0; i < levels.size(); ++i) {
      const std::string at = name + " level " + std::to_string(i);
      for (const ResidualBlock& block : levels[i].blocks) {
        link(width, *block.first.conv, at);
        width = block.second.conv->out_channels;
      }
      if (levels[i].resample) link(width, *levels[i].resample.space, at + " resample");
    }
  };
  const auto middle = [&](std::int64_t& width, const Middle& m, const std::string& name) {
    link(width, *m.before.first.conv, name);
    if (width != m.attention.q->in_features && broken.empty()) broken = name + " attention has another width";
    link(width, *m.after.first.conv, name);
  };
  std::int64_t width = encoder_in_.conv->out_channels;
  walk(width, down_, "encoder");
  middle(width, encoder_middle_, "encoder middle");
  link(width, *encoder_head_.conv, "encoder head");
  if (width != 2 * z_ && broken.empty()) broken = "encoder head gives " + std::to_string(width) + " channels";
  width = z_;
  link(width, *decoder_in_.conv, "decoder conv1");
  middle(width, decoder_middle_, "decoder middle");
  walk(width, up_, "decoder");
  link(width, *decoder_head_.conv, "decoder head");
  if (width != kColours * patch_ * patch_ && broken.empty())
    broken = "decoder head gives " + std::to_string(width) + " channels";
  if (stride_of(up_, true) != time_stride_ || stride_of(up_, false) * patch_ != space_stride_)
    broken = "encoder and decoder have different strides";
  if (!broken.empty()) return fail(ErrorKind::kCorrupt, file + ": VAE: " + broken);
  return {};
}

Result<Vae> Vae::load(kernels::Backend& backend, const TensorFile& file, std::span<const float> mean,
                      std::span<const float> std) {
  if (mean.empty() || mean.size() != std.size() ||
      !std::all_of(std.begin(), std.end(), [](float s) { return s > 0 && std::isfinite(s); }))
    return fail(ErrorKind::kInvalid, "VAE: mean and std need one number per latent channel, std above 0");
  return guarded(file.path(), [&]() -> Result<Vae> {
    Weights weights(file, backend);
    Vae vae;
    vae.backend_ = &backend;
    vae.z_ = static_cast<std::int64_t>(mean.size());
    vae.read(weights);
    if (auto ok = weights.finish(); !ok) return tl::unexpected(ok.error());
    if (auto ok = vae.check_chain(file.path()); !ok) return tl::unexpected(ok.error());
    std::vector<float> inverse, shift;
    for (std::size_t i = 0; i < mean.size(); ++i) {
      inverse.push_back(1.0f / std[i]);
      shift.push_back(-mean[i] / std[i]);
    }
    const auto upload = [&](std::span<const float> v) {
      return backend.upload(kernels::host_tensor(std::vector<float>(v.begin(), v.end()), {vae.z_}));
    };
    vae.encode_scale_ = upload(inverse);
    vae.encode_shift_ = upload(shift);
    vae.decode_scale_ = upload(std);
    vae.decode_shift_ = upload(mean);
    return vae;
  });
}

// The widest moment of a residual block holds its input, its sum, the inner features and the convolution's
// input; the up-sampled features of the level before may still be there.
std::size_t Vae::decode_bytes(std::int64_t latent_frames, std::int64_t rows, std::int64_t columns) const {
  std::int64_t scale_space = 1, scale_time = 1;
  std::size_t most = 0;
  for (const Level& level : up_) {
    const std::int64_t positions = latent_frames * scale_time * rows * columns * scale_space * scale_space;
    const std::int64_t after = level.resample ? (level.resample.time ? 8 : 4) : 1;
    const std::int64_t inside = 4 * level.widest, behind = after * (level.widest + 2 * level.out_channels);
    const auto history =
        static_cast<std::size_t>(positions / (latent_frames * scale_time) * level.widest * 4 * 8);
    most = std::max(most,
                    static_cast<std::size_t>(positions * std::max(inside, behind)) * sizeof(float) + history);
    if (level.resample) scale_space *= 2;
    if (level.resample.time) scale_time *= 2;
  }
  return most;
}

std::int64_t Vae::chunk_frames(std::size_t bytes_per_frame) const {
  return std::max<std::int64_t>(
      1, static_cast<std::int64_t>(memory_limit_ / std::max<std::size_t>(1, bytes_per_frame)));
}

std::size_t Vae::middle_bytes(std::int64_t width, const Extent& latent) const {
  return static_cast<std::size_t>(8 * latent.rows * latent.columns * width) * sizeof(float);
}

std::size_t Vae::stream_bytes(const Extent& latent, std::int64_t box_rows, std::int64_t box_columns) const {
  const std::int64_t rows = std::min(latent.rows, box_rows + 2 * halo_),
                     columns = std::min(latent.columns, box_columns + 2 * halo_);
  return std::max(middle_bytes(decoder_in_.conv->out_channels, latent), decode_bytes(1, rows, columns));
}

// The part of decoding that sees whole frames: [z, n, H, W] -> [n, H, W, C].
Tensor Vae::run_decode_middle(Stream& stream, const Volume& latent) {
  kernels::Backend& backend = *backend_;
  const Tensor rows = backend.empty(DType::kF32, {latent.frames, latent.rows, latent.columns, z_});
  kernels::to_channels_last(backend, backend.upload(kernels::host_tensor(latent.values, latent.shape())),
                            rows);
  backend.channel_affine(rows, decode_scale_, decode_shift_, rows);
  const Tensor x = backend.empty(DType::kF32, rows.shape());
  backend.linear(rows, *dequantise_, x);
  return run(stream, decoder_middle_, run(stream, decoder_in_, x));
}

// Features of `count` whole frames, which go to `keep` as well where there is one.
Result<Tensor> Vae::make_middle(Stream& stream, const Extent& latent, const LatentSource& source,
                                std::int64_t first, std::int64_t count, MiddleCache* keep) {
  auto part = source(first, count);
  if (!part) return tl::unexpected(part.error());
  if (!part->valid() || part->shape() != Shape{z_, count, latent.rows, latent.columns})
    return fail(ErrorKind::kInvalid, "decode: expected a latent of " + std::to_string(z_) +
                                         " channels, found " + shape_text(part->shape()));
  const Tensor x = run_decode_middle(stream, *part);
  if (keep != nullptr) {
    std::vector<float> values(static_cast<std::size_t>(x.dim(0) * x.dim(1) * x.dim(2) * x.dim(3)));
    backend_->download(x, values.data());
    keep->append(values);
  }
  return x;
}

// Features of `count` frames in `box` and its halo, [count, h, w, C].
Result<Tensor> Vae::read_middle(const MiddleCache& middle, const Extent& latent, const FrameBox& box,
                                std::int64_t first, std::int64_t count) {
  const LevelBox held = level_box(box).grown(halo_, latent.rows, latent.columns);
  const std::int64_t rows = held.bottom - held.top, columns = held.right - held.left,
                     width = decoder_in_.conv->out_channels;
  std::vector<float> values(static_cast<std::size_t>(count * rows * columns * width));
  const auto line = static_cast<std::size_t>(columns * width);
  for (std::int64_t i = 0; i < count * rows; ++i) {
    const std::int64_t row = (first + i / rows) * latent.rows + held.top + i % rows;
    const std::int64_t at = (row * latent.columns + held.left) * width;
    const auto part = std::span(values).subspan(static_cast<std::size_t>(i) * line, line);
    if (auto ok = middle.read(static_cast<std::uint64_t>(at), part); !ok) return tl::unexpected(ok.error());
  }
  return backend_->upload(kernels::host_tensor(values, {count, rows, columns, width}));
}

// Features x of `box` with its halo to the box's pixels: levels that trim the halo, head, pixels.
Volume Vae::run_up_levels(Stream& stream, Tensor x, const Extent& latent, const FrameBox& box) {
  kernels::Backend& backend = *backend_;
  std::int64_t rows = latent.rows, columns = latent.columns;
  LevelBox wanted = level_box(box);
  LevelBox held = wanted.grown(halo_, rows, columns);
  for (std::size_t i = 0; i < up_.size(); ++i) {
    const Level& level = up_[i];
    const LevelBox inner = wanted.grown(reach_[i], rows, columns);
    Tensor shortcut;
    if (level.averaged) {
      const std::int64_t time = level.resample.time ? 2 : 1;
      const Tensor base = crop(backend, x, held, inner);
      const std::int64_t frames = base.dim(0) * time - (stream.first() ? time - 1 : 0);
      shortcut = backend.empty(DType::kF32, {frames, 2 * base.dim(1), 2 * base.dim(2), level.out_channels});
      kernels::repeat_up(backend, base, time, 2, shortcut);
    }
    x = crop(backend, run_blocks(stream, level, x), held, inner);
    held = inner;
    if (!level.resample) continue;
    x = run_up(stream, level.resample, x);
    if (level.averaged) backend.combine({{1.0f, x}, {1.0f, shortcut}}, x);
    held = held.scaled(2);
    wanted = wanted.scaled(2);
    rows *= 2;
    columns *= 2;
  }
  x = crop(backend, run(stream, decoder_head_, x), held, wanted);
  const Tensor pixels =
      backend.empty(DType::kF32, {kColours, x.dim(0), x.dim(1) * patch_, x.dim(2) * patch_});
  kernels::unpatchify_pixels(backend, x, patch_, pixels);
  return download_volume(backend, pixels);
}

// The box lies in the frame, and the frame is one.
Status Vae::check_box(const Extent& latent, const FrameBox& box) const {
  const bool sound = latent.frames > 0 && latent.rows > 0 && latent.columns > 0;
  if (!sound || box.row < 0 || box.column < 0 || box.rows < 1 || box.columns < 1 ||
      box.row + box.rows > latent.rows || box.column + box.columns > latent.columns)
    return fail(ErrorKind::kInvalid, "decode: the box " +
                                         shape_text(std::vector{box.row, box.column, box.rows, box.columns}) +
                                         " does not fit a latent of " +
                                         shape_text(std::vector{latent.frames, latent.rows, latent.columns}));
  return {};
}

Status Vae::decode(const Extent& latent, const FrameBox& box, const LatentSource& source,
                   const FrameSink& sink, MiddleCache* middle) {
  if (auto ok = check_box(latent, box); !ok) return ok;
  const LevelBox whole{0, 0, latent.rows, latent.columns},
      held = level_box(box).grown(halo_, latent.rows, latent.columns);
  const auto floats = static_cast<std::uint64_t>(latent.frames * latent.rows * latent.columns *
                                                 decoder_in_.conv->out_channels);
  const bool known = middle != nullptr && middle->holds(floats);
  const bool keep = middle != nullptr && !known && held != whole;
  if (keep) middle->restart();
  return guarded("decode", [&]() -> Status {
    if (memory_.measured)
      reserve(*backend_, memory_.decode_bytes(static_cast<std::uint64_t>(box.rows * box.columns),
                                              static_cast<std::uint64_t>(latent.rows * latent.columns),
                                              static_cast<std::uint64_t>(latent.frames)));
    const std::int64_t chunk = chunk_frames(stream_bytes(latent, box.rows, box.columns));
    Stream stream(*backend_);
    for (std::int64_t t = 0; t < latent.frames; t += chunk) {
      stream.begin_chunk();
      const std::int64_t n = std::min(chunk, latent.frames - t);
      auto features = known ? read_middle(*middle, latent, box, t, n)
                            : make_middle(stream, latent, source, t, n, keep ? middle : nullptr);
      if (!features) return tl::unexpected(features.error());
      if (!known) *features = crop(*backend_, *features, whole, held);
      const Volume pixels = run_up_levels(stream, std::move(*features), latent, box);
      if (auto ok = sink(t == 0 ? 0 : (t - 1) * time_stride_ + 1, pixels); !ok) return ok;
    }
    if (keep) middle->finish();
    return {};
  });
}

Result<Volume> Vae::decode(const Volume& latent) {
  const Extent size{latent.frames, latent.rows, latent.columns};
  if (!latent.valid() || latent.channels != z_)
    return fail(ErrorKind::kInvalid, "decode: expected a latent of " + std::to_string(z_) +
                                         " channels, found " + shape_text(latent.shape()));
  Volume video = Volume::zeros(kColours, frames_of(latent.frames), latent.rows * space_stride_,
                               latent.columns * space_stride_);
  const auto source = [&](std::int64_t first, std::int64_t count) -> Result<Volume> {
    return take_part(latent, first, count, {0, 0, latent.rows, latent.columns});
  };
  const auto store = [&](std::int64_t first, const Volume& part) -> Status {
    store_frames(part, first, video);
    return {};
  };
  if (auto ok = decode(size, {0, 0, latent.rows, latent.columns}, source, store); !ok)
    return tl::unexpected(ok.error());
  return video;
}

}  // namespace rushes::worker
