#include "worker/model/vae.h"

#include <algorithm>
#include <cmath>

#include "kernels/layout.h"

namespace rushes::worker {

using kernels::DType;
using kernels::Shape;
using kernels::Tensor;

namespace {

constexpr std::int64_t kColours = 3;

// A box in positions of one level's resolution, and the frame it lies in.
struct Region {
  std::int64_t top = 0, left = 0, bottom = 0, right = 0;

  Region grown(std::int64_t reach, std::int64_t rows, std::int64_t columns) const {
    return {std::max<std::int64_t>(0, top - reach), std::max<std::int64_t>(0, left - reach),
            std::min(rows, bottom + reach), std::min(columns, right + reach)};
  }
  Region scaled(std::int64_t n) const { return {top * n, left * n, bottom * n, right * n}; }
  bool operator==(const Region&) const = default;
};

// The part `to` of x, which covers `from`.
Tensor crop(kernels::Backend& backend, const Tensor& x, const Region& from, const Region& to) {
  if (from == to) return x;
  const Tensor y = backend.empty(x.dtype(), {x.dim(0), to.bottom - to.top, to.right - to.left, x.dim(3)});
  backend.copy_box(x, {0, to.top - from.top, to.left - from.left, 0}, y, {0, 0, 0, 0}, y.shape());
  return y;
}

// Frames [first, first + count) of host video as a tensor [3, count, H, W].
Tensor upload_frames(kernels::Backend& backend, const Volume& video, std::int64_t first, std::int64_t count) {
  const std::int64_t area = video.rows * video.columns;
  std::vector<float> part(static_cast<std::size_t>(video.channels * count * area));
  for (std::int64_t c = 0; c < video.channels; ++c)
    std::copy_n(video.values.begin() + static_cast<std::ptrdiff_t>(video.offset(c, first, 0, 0)),
                count * area, part.begin() + c * count * area);
  return backend.upload(kernels::host_tensor(part, {video.channels, count, video.rows, video.columns}));
}

void store_frames(const Volume& part, std::int64_t first, Volume& whole) {
  const std::int64_t size = part.frames * part.rows * part.columns;
  for (std::int64_t c = 0; c < part.channels; ++c)
    std::copy_n(part.values.begin() + c * size, size,
                whole.values.begin() + static_cast<std::ptrdiff_t>(whole.offset(c, first, 0, 0)));
}

Volume download_volume(kernels::Backend& backend, const Tensor& x) {
  Volume volume = Volume::zeros(x.dim(0), x.dim(1), x.dim(2), x.dim(3));
  backend.download(x, volume.values.data());
  return volume;
}

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

Result<Tensor> Vae::encode_chunk(Stream& stream, const Volume& video, std::int64_t first,
                                 std::int64_t count) {
  kernels::Backend& backend = *backend_;
  Tensor x = backend.empty(DType::kF32,
                           {count, video.rows / patch_, video.columns / patch_, kColours * patch_ * patch_});
  kernels::patchify_pixels(backend, upload_frames(backend, video, first, count), patch_, x);
  x = run(stream, encoder_in_, x);
  for (const Level& level : down_) {
    Tensor shortcut;
    if (level.averaged) {
      const std::int64_t time = level.resample.time ? 2 : 1, space = level.resample ? 2 : 1;
      shortcut = backend.empty(DType::kF32, {(x.dim(0) + time - 1) / time, x.dim(1) / space, x.dim(2) / space,
                                             level.out_channels});
      kernels::average_down(backend, x, time, space, shortcut);
    }
    x = run_blocks(stream, level, x);
    if (level.resample) x = run_down(stream, level.resample, x);
    if (level.averaged) backend.axpby(1.0f, x, 1.0f, shortcut, x);
  }
  x = run(stream, encoder_head_, run(stream, encoder_middle_, x));
  const Tensor mu = backend.empty(DType::kF32, {x.dim(0), x.dim(1), x.dim(2), z_});
  backend.linear(x, *quantise_, mu);
  backend.channel_affine(mu, encode_scale_, encode_shift_, mu);
  const Tensor out = backend.empty(DType::kF32, {z_, x.dim(0), x.dim(1), x.dim(2)});
  kernels::to_channels_first(backend, mu, out);
  return out;
}

Result<Volume> Vae::encode(const Volume& video) {
  if (!video.valid() || video.channels != kColours || (video.frames - 1) % time_stride_ ||
      video.rows % space_stride_ || video.columns % space_stride_)
    return fail(ErrorKind::kInvalid, "encode: expected video [3, " + std::to_string(time_stride_) +
                                         "n+1, multiples of " + std::to_string(space_stride_) + "], found " +
                                         shape_text(video.shape()));
  return guarded("encode", [&]() -> Result<Volume> {
    Volume latent = Volume::zeros(z_, (video.frames - 1) / time_stride_ + 1, video.rows / space_stride_,
                                  video.columns / space_stride_);
    // Per video frame: the first level's input, convolution buffer, inner and sum.
    const std::int64_t widest = std::max(down_[0].widest, down_.size() > 1 ? down_[1].in_channels : 0);
    const auto bytes =
        static_cast<std::size_t>(5 * widest * (video.rows / patch_) * (video.columns / patch_) * 4);
    const std::int64_t chunk = chunk_frames(bytes * static_cast<std::size_t>(time_stride_));
    Stream stream(*backend_);
    for (std::int64_t t = 0; t < latent.frames; t += chunk) {
      stream.begin_chunk();
      const std::int64_t n = std::min(chunk, latent.frames - t);
      const std::int64_t first = t == 0 ? 0 : (t - 1) * time_stride_ + 1;
      auto part = encode_chunk(stream, video, first, t == 0 ? frames_of(n) : n * time_stride_);
      if (!part) return tl::unexpected(part.error());
      store_frames(download_volume(*backend_, *part), t, latent);
    }
    return latent;
  });
}

Result<MiddleFeatures> Vae::decode_middle(const Volume& latent) {
  if (!latent.valid() || latent.channels != z_)
    return fail(ErrorKind::kInvalid, "decode: expected a latent of " + std::to_string(z_) +
                                         " channels, found " + shape_text(latent.shape()));
  return guarded("decode", [&]() -> Result<MiddleFeatures> {
    kernels::Backend& backend = *backend_;
    const std::int64_t width = decoder_in_.conv->out_channels, area = latent.rows * latent.columns;
    MiddleFeatures features{latent.frames, latent.rows, latent.columns, width, {}};
    features.values.resize(static_cast<std::size_t>(latent.frames * area * width));
    const std::int64_t chunk = chunk_frames(static_cast<std::size_t>(8 * area * width * 4));
    Stream stream(backend);
    for (std::int64_t t = 0; t < latent.frames; t += chunk) {
      stream.begin_chunk();
      const std::int64_t n = std::min(chunk, latent.frames - t);
      const Tensor rows = backend.empty(DType::kF32, {n, latent.rows, latent.columns, z_});
      kernels::to_channels_last(backend, upload_frames(backend, latent, t, n), rows);
      backend.channel_affine(rows, decode_scale_, decode_shift_, rows);
      Tensor x = backend.empty(DType::kF32, rows.shape());
      backend.linear(rows, *dequantise_, x);
      x = run(stream, decoder_middle_, run(stream, decoder_in_, x));
      backend.download(x, features.values.data() + t * area * width);
    }
    return features;
  });
}

// Latent frames [first, first + count) of `box`: crop with halo, levels that trim it, head, pixels.
Volume Vae::decode_chunk(Stream& stream, const MiddleFeatures& features, const LatentBox& box,
                         std::int64_t first, std::int64_t count) {
  kernels::Backend& backend = *backend_;
  std::int64_t rows = features.rows, columns = features.columns;
  Region wanted{box.row, box.column, box.row + box.rows, box.column + box.columns};
  Region held = wanted.grown(halo_, rows, columns);
  Tensor x;
  {
    // Only the rows of the box travel to the device.
    const std::int64_t line = columns * features.channels, height = held.bottom - held.top;
    std::vector<float> part(static_cast<std::size_t>(count * height * line));
    for (std::int64_t t = 0; t < count; ++t)
      std::copy_n(features.values.begin() + ((first + t) * rows + held.top) * line, height * line,
                  part.begin() + t * height * line);
    x = backend.upload(kernels::host_tensor(part, {count, height, columns, features.channels}));
    x = crop(backend, x, {held.top, 0, held.bottom, columns}, held);
  }
  for (std::size_t i = 0; i < up_.size(); ++i) {
    const Level& level = up_[i];
    const Region inner = wanted.grown(reach_[i], rows, columns);
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
    if (level.averaged) backend.axpby(1.0f, x, 1.0f, shortcut, x);
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

// The box lies in the features, and the features are those of this decoder.
Status Vae::check_box(const MiddleFeatures& f, const LatentBox& box) const {
  const bool sound = f.frames > 0 && f.rows > 0 && f.columns > 0 &&
                     f.channels == decoder_in_.conv->out_channels &&
                     f.values.size() == static_cast<std::size_t>(f.frames * f.rows * f.columns * f.channels);
  if (!sound || box.row < 0 || box.column < 0 || box.rows < 1 || box.columns < 1 ||
      box.row + box.rows > f.rows || box.column + box.columns > f.columns)
    return fail(ErrorKind::kInvalid, "decode: the box " +
                                         shape_text(std::vector{box.row, box.column, box.rows, box.columns}) +
                                         " does not fit features of " +
                                         shape_text(std::vector{f.frames, f.rows, f.columns, f.channels}));
  return {};
}

Status Vae::decode_tile(const MiddleFeatures& f, const LatentBox& box, const FrameSink& sink) {
  if (auto ok = check_box(f, box); !ok) return ok;
  return guarded("decode", [&]() -> Status {
    const std::int64_t rows = std::min(f.rows, box.rows + 2 * halo_),
                       columns = std::min(f.columns, box.columns + 2 * halo_);
    const std::int64_t chunk = chunk_frames(decode_bytes(1, rows, columns));
    Stream stream(*backend_);
    for (std::int64_t t = 0; t < f.frames; t += chunk) {
      stream.begin_chunk();
      const Volume part = decode_chunk(stream, f, box, t, std::min(chunk, f.frames - t));
      if (auto ok = sink(t == 0 ? 0 : (t - 1) * time_stride_ + 1, part); !ok) return ok;
    }
    return {};
  });
}

Result<Volume> Vae::decode_tile(const MiddleFeatures& features, const LatentBox& box) {
  if (auto ok = check_box(features, box); !ok) return tl::unexpected(ok.error());
  Volume video = Volume::zeros(kColours, frames_of(features.frames), box.rows * space_stride_,
                               box.columns * space_stride_);
  const auto store = [&](std::int64_t first, const Volume& part) -> Status {
    store_frames(part, first, video);
    return {};
  };
  if (auto ok = decode_tile(features, box, store); !ok) return tl::unexpected(ok.error());
  return video;
}

Result<Volume> Vae::decode(const Volume& latent) {
  auto features = decode_middle(latent);
  if (!features) return tl::unexpected(features.error());
  return decode_tile(*features, {0, 0, latent.rows, latent.columns});
}

}  // namespace rushes::worker
