// The Wan video VAE, forms 2.1 and 2.2: video [3, T, H, W] in [-1, 1] to normalised latents and back.
//
// The form, widths, levels and strides are read from the weights. T = time_stride·n + 1 frames, H and W
// multiples of the space stride. Values leave unclamped: the working space decides what lies outside [-1, 1].
//
// Both directions are streams: frames go in and come out a few at a time, in chunks whose length bounds the
// memory and changes no bit. In space the convolutional levels work on boxes: a box is computed with a halo as
// wide as the layers reach (13 latents for the decoder of Wan 2.1, 9 for its encoder) and trimmed, which gives
// bit for bit what the whole frame gives. Only what lies between decoder_in and the levels, or between the
// levels and the encoder's head, sees the whole frame (the middle block with its attention), at latent size and
// one chunk at a time.
//
// Source: Wan2.1 wan/modules/vae.py, Wan2.2 wan/modules/vae2_2.py.
// Thread contract: as the backend, one thread at a time.
#pragma once

#include <filesystem>
#include <functional>
#include <span>
#include <vector>

#include "config/model_memory.h"
#include "worker/model/middle_cache.h"
#include "worker/model/scratch.h"
#include "worker/model/vae_layers.h"
#include "worker/model/volume.h"

namespace rushes::worker {

// Rows [row, row + rows) of a frame, columns likewise; in latents or in pixels, as the function says.
struct FrameBox {
  std::int64_t row = 0, column = 0, rows = 0, columns = 0;
};

// Sizes of a clip or of its latent.
struct Extent {
  std::int64_t frames = 0, rows = 0, columns = 0;
};

// Gives latent frames [first, first + count), [z, count, H, W]. Asked in order, each frame once.
using LatentSource = std::function<Result<Volume>(std::int64_t first, std::int64_t count)>;
// Gives frames [first, first + count) of a box of pixels, [3, count, box.rows, box.columns]. Asked in order for
// one box after another.
using PixelSource =
    std::function<Result<Volume>(std::int64_t first, std::int64_t count, const FrameBox& box)>;
// Receives frames in order: `part` holds frames [first, first + part.frames).
using FrameSink = std::function<Status(std::int64_t first, const Volume& part)>;

class Vae {
 public:
  // mean, std: one number per latent channel, std > 0; latent = (μ - mean)/std.
  static Result<Vae> load(kernels::Backend& backend, const TensorFile& file, std::span<const float> mean,
                          std::span<const float> std);

  std::int64_t latent_channels() const { return z_; }
  std::int64_t time_stride() const { return time_stride_; }
  std::int64_t space_stride() const { return space_stride_; }
  bool patchified() const { return patch_ > 1; }  // the 2.2 form
  // How many latents around a box its pixels depend on, beside the middle block.
  std::int64_t halo() const { return halo_; }
  // How many latents around a box its features depend on.
  std::int64_t encode_halo() const { return encode_halo_; }
  std::int64_t frames_of(std::int64_t latent_frames) const { return (latent_frames - 1) * time_stride_ + 1; }

  // Bytes of working memory per call that chunks and the encoder's boxes are chosen for. At least one latent
  // frame is processed, of at least kLeastBox latents a side.
  void set_memory_limit(std::size_t bytes) { memory_limit_ = bytes; }
  // What a manifest says of its VAE: where it was measured, decode() and encode() reserve it before they begin.
  void set_memory(const config::ModelMemory& memory) { memory_ = memory; }
  // Bytes that decoding `latent_frames` at once over rows x columns latents takes, weights aside; an upper
  // estimate.
  std::size_t decode_bytes(std::int64_t latent_frames, std::int64_t rows, std::int64_t columns) const;

  // Bytes that decoding one latent frame of `box_rows` x `box_columns` latents takes, in a frame of `size`; an
  // upper estimate.
  std::size_t stream_bytes(const Extent& size, std::int64_t box_rows, std::int64_t box_columns) const;

  // video [3, 4n+1, H, W] of size `video` -> normalised latents [z, n+1, H/s, W/s], a few frames at a time.
  // Features of the whole clip pass through a file in `scratch`.
  Status encode(const Extent& video, const PixelSource& source, const FrameSink& sink,
                const std::filesystem::path& scratch);
  Result<Volume> encode(const Volume& video);
  // The pixels of `box` (latents) of a latent of size `latent`, [3, frames_of(T), box.rows·s, box.columns·s], a
  // few frames at a time. With a `middle` whose latents are selected, the middle block is computed for their first
  // box only; `source` is not asked for the others.
  Status decode(const Extent& latent, const FrameBox& box, const LatentSource& source, const FrameSink& sink,
                MiddleCache* middle = nullptr);
  Result<Volume> decode(const Volume& latent);

  static constexpr std::int64_t kLeastBox = 8;

 private:
  Vae() = default;
  void read(Weights& weights);
  Status check_chain(const std::string& file) const;
  Status check_box(const Extent& latent, const FrameBox& box) const;
  std::vector<FrameBox> encode_boxes(const Extent& latent) const;
  std::size_t encode_bytes(std::int64_t rows, std::int64_t columns) const;
  std::size_t middle_bytes(std::int64_t width, const Extent& latent) const;
  kernels::Tensor run_down_levels(Stream& stream, const Volume& video);
  Status encode_box(const Extent& latent, const FrameBox& box, const PixelSource& source, Scratch& features);
  Status encode_middle(const Extent& latent, const Scratch& features, const FrameSink& sink);
  kernels::Tensor run_decode_middle(Stream& stream, const Volume& latent);
  Volume run_up_levels(Stream& stream, kernels::Tensor x, const Extent& latent, const FrameBox& box);
  Result<kernels::Tensor> make_middle(Stream& stream, const Extent& latent, const LatentSource& source,
                                      std::int64_t first, std::int64_t count, MiddleCache* keep);
  Result<kernels::Tensor> read_middle(const MiddleCache& middle, const Extent& latent, const FrameBox& box,
                                      std::int64_t first, std::int64_t count);
  std::int64_t chunk_frames(std::size_t bytes_per_frame) const;

  kernels::Backend* backend_ = nullptr;
  std::int64_t z_ = 0, patch_ = 1, time_stride_ = 1, space_stride_ = 1, halo_ = 0, encode_halo_ = 0;
  std::vector<std::int64_t> reach_;  // per decoder level: positions around a box that its output depends on
  std::size_t memory_limit_ = std::size_t{128} << 20;
  config::ModelMemory memory_;

  CausalConv encoder_in_, encoder_head_, decoder_in_, decoder_head_;
  std::vector<Level> down_, up_;
  Middle encoder_middle_, decoder_middle_;
  kernels::LinearPtr quantise_, dequantise_;  // conv1 (its first z rows: μ) and conv2 of the whole model
  kernels::Tensor encode_scale_, encode_shift_, decode_scale_, decode_shift_;
};

}  // namespace rushes::worker
