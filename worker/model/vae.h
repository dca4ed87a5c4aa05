// The Wan video VAE, forms 2.1 and 2.2: video [3, T, H, W] in [-1, 1] to normalised latents and back.
//
// The form, widths, levels and strides are read from the weights. T = time_stride·n + 1 frames, H and W
// multiples of the space stride. Values leave unclamped: the working space decides what lies outside [-1, 1].
//
// Decoding has two parts. decode_middle() runs what sees the whole frame (conv1, middle block with its
// attention); decode_tile() runs the convolutional rest on any box of latents and gives, bit for bit, the
// pixels that decode() gives there, because it computes the box with a halo as wide as the layers reach
// (halo(): 13 latents for Wan 2.1) and trims it level by level. Time is never cut: frames stream through in
// chunks whose length bounds the memory and changes no bit.
//
// Source: Wan2.1 wan/modules/vae.py, Wan2.2 wan/modules/vae2_2.py (wan.md 4.7, 4.8).
// Thread contract: as the backend, one thread at a time.
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "worker/model/vae_layers.h"
#include "worker/model/volume.h"

namespace rushes::worker {

// A box of latent positions: rows [row, row + rows) and columns likewise.
struct LatentBox {
  std::int64_t row = 0, column = 0, rows = 0, columns = 0;
};

// The decoder's features after its middle block, [T, H, W, C] at latent size: what all tiles of a decode
// share.
struct MiddleFeatures {
  std::int64_t frames = 0, rows = 0, columns = 0, channels = 0;
  std::vector<float> values;
};

// Receives decoded frames in order: `part` holds frames [first, first + part.frames).
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
  // How many latents around a box its pixels depend on.
  std::int64_t halo() const { return halo_; }
  std::int64_t frames_of(std::int64_t latent_frames) const { return (latent_frames - 1) * time_stride_ + 1; }

  // Bytes of working memory per call that the chunk length is chosen for (at least one latent frame is
  // processed).
  void set_memory_limit(std::size_t bytes) { memory_limit_ = bytes; }
  // Bytes that decoding `latent_frames` at once over rows x columns latents takes, weights aside; an upper
  // estimate.
  std::size_t decode_bytes(std::int64_t latent_frames, std::int64_t rows, std::int64_t columns) const;

  // video [3, 4n+1, H, W] -> normalised latent [z, n+1, H/s, W/s].
  Result<Volume> encode(const Volume& video);
  // latent [z, T, H, W] -> features for decode_tile.
  Result<MiddleFeatures> decode_middle(const Volume& latent);
  // The pixels of `box`, [3, frames_of(T), box.rows·s, box.columns·s], a few frames at a time.
  Status decode_tile(const MiddleFeatures& features, const LatentBox& box, const FrameSink& sink);
  Result<Volume> decode_tile(const MiddleFeatures& features, const LatentBox& box);
  Result<Volume> decode(const Volume& latent);

 private:
  Vae() = default;
  void read(Weights& weights);
  Status check_chain(const std::string& file) const;
  Status check_box(const MiddleFeatures& features, const LatentBox& box) const;
  Result<kernels::Tensor> encode_chunk(Stream& stream, const Volume& video, std::int64_t first,
                                       std::int64_t count);
  Volume decode_chunk(Stream& stream, const MiddleFeatures& features, const LatentBox& box,
                      std::int64_t first, std::int64_t count);
  std::int64_t chunk_frames(std::size_t bytes_per_frame) const;

  kernels::Backend* backend_ = nullptr;
  std::int64_t z_ = 0, patch_ = 1, time_stride_ = 1, space_stride_ = 1, halo_ = 0;
  std::vector<std::int64_t> reach_;  // per decoder level: positions around a box that its output depends on
  std::size_t memory_limit_ = std::size_t{768} << 20;

  CausalConv encoder_in_, encoder_head_, decoder_in_, decoder_head_;
  std::vector<Level> down_, up_;
  Middle encoder_middle_, decoder_middle_;
  kernels::LinearPtr quantise_, dequantise_;  // conv1 (its first z rows: μ) and conv2 of the whole model
  kernels::Tensor encode_scale_, encode_shift_, decode_scale_, decode_shift_;
};

}  // namespace rushes::worker
