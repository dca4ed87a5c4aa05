// What is inside the artifacts that stages hand to each other. All of them are safetensors files.
//
//   role "conditioning" (encode)      context [len, dim], context_null [len, dim]; with key frames also
//                                     mask [4, T, h, w] and condition [C, T, h, w]
//   role "latent" (denoise, refine)   latent [C, T, H, W] at the σ after the segment,
//                                     preview [C, T, H, W] = the predicted clean latent (absent after the last
//                                     step), sampler.* = solver history
//   role "guide" (enlarge)            latent [C, T, H, W] of the whole frame at the master level
//   role "frames" (decode)            pixels F16 [T, H, W, 3], scene-linear ACES2065-1, neither cropped nor
//                                     trimmed
//   role "critique" (critique)        JSON, see worker/critic/critique.h
//
// Metadata "t", "y", "x" say where a latent or a tile of pixels lies. Bytes depend on the content only.
//
// Thread contract: pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "worker/engine/blend.h"
#include "worker/model/sampler.h"
#include "worker/picture/frames.h"

namespace rushes::worker {

struct Latents {
  int channels = 0;
  Region region;
  std::vector<float> values;   // [C, T, H, W]
  std::vector<float> preview;  // the same, or empty
  SamplerState sampler;
};

// A "latent" or "guide" artifact as it lies in its bytes: nothing is copied, so that a reader of a part touches
// that part only.
struct LatentView {
  int channels = 0;
  Region region;
  std::span<const float> values;   // [C, T, H, W]
  std::span<const float> preview;  // the same, or empty
  int step = 0, order = 0;         // of the solver, and its history
  std::map<std::string, std::span<const float>> history;
};

struct Conditioning {
  int text_dim = 0;
  std::vector<float> context;       // [len, text_dim]
  std::vector<float> context_null;  // [len, text_dim]
  // Only with key frames, over the whole take at the draft level.
  std::vector<float> mask;       // [4, T, h, w]
  std::vector<float> condition;  // [C, T, h, w]
};

Result<std::vector<std::byte>> write_latents(const Latents& latents);
// What a "guide" artifact begins with; its values follow it. Written so, it is what write_latents() makes of
// latents without preview and solver.
Result<std::vector<std::byte>> guide_header(int channels, const Region& region);
// `bytes` outlive the view.
Result<LatentView> read_latents(std::span<const std::byte> bytes, const std::string& label);

Result<std::vector<std::byte>> write_conditioning(const Conditioning& conditioning);
Result<Conditioning> read_conditioning(std::span<const std::byte> bytes, const std::string& label);

// Where decoded pixels lie: a rectangle of every frame of a take, uncropped coordinates.
struct PixelBox {
  int y = 0, x = 0, height = 0, width = 0;
  int frames = 0;
  config::Rate fps;
  bool operator==(const PixelBox&) const = default;
};

// A "frames" artifact is pixel_header() followed by the half_bytes() of its frames in order, so that it can be
// written as frames are made.
Result<std::vector<std::byte>> pixel_header(const PixelBox& box);
std::vector<std::byte> half_bytes(ClipView frames);

// Reads the frames of one tile, any run of them; touches no other bytes of the artifact than the header's and
// those of what is read.
class PixelReader {
 public:
  // `bytes` outlive the reader.
  static Result<PixelReader> open(std::span<const std::byte> bytes, const std::string& label);
  const PixelBox& box() const { return box_; }
  // `count` pixels of row y of frame t from column x on, in the tile's own coordinates, into out[3 * count].
  // All must lie inside the box (asserted).
  void read_row(int t, int y, int x, int count, float* out) const;

 private:
  PixelBox box_;
  std::span<const std::byte> halves_;
};

}  // namespace rushes::worker
