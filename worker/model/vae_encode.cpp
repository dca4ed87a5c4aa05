// The encoder's way: boxes of frames through the convolutional levels into a scratch file, then whole frames of
// features, at latent size, through the middle block and the head.
#include "kernels/layout.h"
#include "worker/model/vae_parts.h"

namespace rushes::worker {

using kernels::DType;
using kernels::Shape;
using kernels::Tensor;

// Per latent frame: the first level's input, convolution buffer, inner and sum, of all its video frames.
std::size_t Vae::encode_bytes(std::int64_t rows, std::int64_t columns) const {
  const std::int64_t widest = std::max(down_[0].widest, down_.size() > 1 ? down_[1].in_channels : 0);
  const std::int64_t scale = space_stride_ / patch_;
  return static_cast<std::size_t>(5 * widest * rows * scale * columns * scale * time_stride_) * sizeof(float);
}

// The whole frame, cut across its longer side until a box with its halo fits the memory or is small.
std::vector<FrameBox> Vae::encode_boxes(const Extent& latent) const {
  std::int64_t rows = latent.rows, columns = latent.columns;
  const auto held = [&](std::int64_t length, std::int64_t whole) {
    return std::min(whole, length + 2 * encode_halo_);
  };
  while (encode_bytes(held(rows, latent.rows), held(columns, latent.columns)) > memory_limit_ &&
         std::max(rows, columns) > kLeastBox) {
    std::int64_t& longer = rows > columns ? rows : columns;
    longer = (longer + 1) / 2;
  }
  std::vector<FrameBox> boxes;
  for (std::int64_t row = 0; row < latent.rows; row += rows)
    for (std::int64_t column = 0; column < latent.columns; column += columns)
      boxes.push_back(
          {row, column, std::min(rows, latent.rows - row), std::min(columns, latent.columns - column)});
  return boxes;
}

// [3, n, H, W] -> [t, h, w, C], the features in front of the middle block.
Tensor Vae::run_down_levels(Stream& stream, const Volume& video) {
  kernels::Backend& backend = *backend_;
  Tensor x = backend.empty(
      DType::kF32, {video.frames, video.rows / patch_, video.columns / patch_, kColours * patch_ * patch_});
  kernels::patchify_pixels(backend, backend.upload(kernels::host_tensor(video.values, video.shape())), patch_,
                           x);
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
    if (level.averaged) backend.combine({{1.0f, x}, {1.0f, shortcut}}, x);
  }
  return x;
}

// The features of a box, over all frames, into [T, H, W, C] of the scratch file.
Status Vae::encode_box(const Extent& latent, const FrameBox& box, const PixelSource& source,
                       Scratch& features) {
  kernels::Backend& backend = *backend_;
  const LevelBox wanted = level_box(box);
  const LevelBox held = wanted.grown(encode_halo_, latent.rows, latent.columns);
  const FrameBox pixels{held.top * space_stride_, held.left * space_stride_,
                        (held.bottom - held.top) * space_stride_, (held.right - held.left) * space_stride_};
  const std::int64_t chunk = chunk_frames(encode_bytes(held.bottom - held.top, held.right - held.left));
  Stream stream(backend);
  for (std::int64_t t = 0; t < latent.frames; t += chunk) {
    stream.begin_chunk();
    const std::int64_t n = std::min(chunk, latent.frames - t);
    const std::int64_t first = t == 0 ? 0 : (t - 1) * time_stride_ + 1,
                       count = t == 0 ? frames_of(n) : n * time_stride_;
    auto video = source(first, count, pixels);
    if (!video) return tl::unexpected(video.error());
    if (!video->valid() || video->shape() != Shape{kColours, count, pixels.rows, pixels.columns})
      return fail(ErrorKind::kInvalid, "encode: expected other frames, found " + shape_text(video->shape()));
    const Tensor x = crop(backend, run_down_levels(stream, *video), held, wanted);
    const std::int64_t line = box.columns * x.dim(3);
    std::vector<float> values(static_cast<std::size_t>(n * box.rows * line));
    backend.download(x, values.data());
    for (std::int64_t row = 0; row < n * box.rows; ++row) {
      const std::int64_t frame = t + row / box.rows, y = box.row + row % box.rows;
      const std::int64_t at = ((frame * latent.rows + y) * latent.columns + box.column) * x.dim(3);
      const auto part =
          std::span(values).subspan(static_cast<std::size_t>(row * line), static_cast<std::size_t>(line));
      if (auto ok = features.write(static_cast<std::uint64_t>(at), part); !ok) return ok;
    }
  }
  return {};
}

Status Vae::encode_middle(const Extent& latent, const Scratch& features, const FrameSink& sink) {
  kernels::Backend& backend = *backend_;
  const std::int64_t width = down_.back().out_channels, frame = latent.rows * latent.columns * width;
  const std::int64_t chunk = chunk_frames(middle_bytes(width, latent));
  Stream stream(backend);
  for (std::int64_t t = 0; t < latent.frames; t += chunk) {
    stream.begin_chunk();
    const std::int64_t n = std::min(chunk, latent.frames - t);
    std::vector<float> values(static_cast<std::size_t>(n * frame));
    if (auto ok = features.read(static_cast<std::uint64_t>(t * frame), values); !ok) return ok;
    Tensor x = backend.upload(kernels::host_tensor(values, {n, latent.rows, latent.columns, width}));
    values = {};
    x = run(stream, encoder_head_, run(stream, encoder_middle_, x));
    const Tensor mu = backend.empty(DType::kF32, {n, latent.rows, latent.columns, z_});
    backend.linear(x, *quantise_, mu);
    backend.channel_affine(mu, encode_scale_, encode_shift_, mu);
    const Tensor out = backend.empty(DType::kF32, {z_, n, latent.rows, latent.columns});
    kernels::to_channels_first(backend, mu, out);
    if (auto ok = sink(t, download_volume(backend, out)); !ok) return ok;
  }
  return {};
}

Status Vae::encode(const Extent& video, const PixelSource& source, const FrameSink& sink,
                   const std::filesystem::path& scratch) {
  if (video.frames < 1 || video.rows < 1 || video.columns < 1 || (video.frames - 1) % time_stride_ ||
      video.rows % space_stride_ || video.columns % space_stride_)
    return fail(ErrorKind::kInvalid,
                "encode: expected video [3, " + std::to_string(time_stride_) + "n+1, multiples of " +
                    std::to_string(space_stride_) + "], found " +
                    shape_text(std::vector{kColours, video.frames, video.rows, video.columns}));
  return guarded("encode", [&]() -> Status {
    const Extent latent{(video.frames - 1) / time_stride_ + 1, video.rows / space_stride_,
                        video.columns / space_stride_};
    if (memory_.measured)
      reserve(*backend_, memory_.encode_bytes(static_cast<std::uint64_t>(latent.rows * latent.columns),
                                              static_cast<std::uint64_t>(latent.frames)));
    auto features = Scratch::open(scratch);
    if (!features) return tl::unexpected(features.error());
    for (const FrameBox& box : encode_boxes(latent))
      if (auto ok = encode_box(latent, box, source, *features); !ok) return ok;
    return encode_middle(latent, *features, sink);
  });
}

Result<Volume> Vae::encode(const Volume& video) {
  if (!video.valid() || video.channels != kColours)
    return fail(ErrorKind::kInvalid,
                "encode: expected video of 3 channels, found " + shape_text(video.shape()));
  Volume latent = Volume::zeros(z_, (video.frames - 1) / time_stride_ + 1, video.rows / space_stride_,
                                video.columns / space_stride_);
  const auto source = [&](std::int64_t first, std::int64_t count, const FrameBox& box) -> Result<Volume> {
    return take_part(video, first, count, box);
  };
  const auto store = [&](std::int64_t first, const Volume& part) -> Status {
    store_frames(part, first, latent);
    return {};
  };
  const Extent size{video.frames, video.rows, video.columns};
  if (auto ok = encode(size, source, store, std::filesystem::temp_directory_path()); !ok)
    return tl::unexpected(ok.error());
  return latent;
}

}  // namespace rushes::worker
