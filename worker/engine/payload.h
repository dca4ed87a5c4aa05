// What is inside the artifacts that stages hand to each other. All of them are safetensors files.
//
//   role "conditioning" (encode)      context [len, dim], context_null [len, dim]; with key frames also
//                                     mask [4, T, h, w] and condition [C, T, h, w]
//   role "latent" (denoise, refine)   latent [C, T, H, W] at the σ after the segment,
//                                     preview [C, T, H, W] = the predicted clean latent (absent after the last
//                                     step), sampler.* = solver history
//   role "guide" (enlarge)            guide [C, T, H, W] of the whole frame at the master level
//   role "frames" (decode)            pixels F16 [T, H, W, 3], scene-linear ACES2065-1, neither cropped nor
//                                     trimmed
//   role "critique" (critique)        JSON, see worker/critic/critique.h
//
// Metadata "t", "y", "x" say where a latent or a tile of pixels lies. Bytes depend on the content only.
//
// Thread contract: pure functions.
#pragma once

#include <cstddef>
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

struct Conditioning {
  int text_dim = 0;
  std::vector<float> context;       // [len, text_dim]
  std::vector<float> context_null;  // [len, text_dim]
  // Only with key frames, over the whole take at the draft level.
  std::vector<float> mask;       // [4, T, h, w]
  std::vector<float> condition;  // [C, T, h, w]
};

// A rectangle of pixels of every frame of a take, uncropped coordinates.
struct PixelTile {
  int y = 0, x = 0;
  Clip clip;
};

Result<std::vector<std::byte>> write_latents(const Latents& latents);
Result<Latents> read_latents(std::span<const std::byte> bytes, const std::string& label);

Result<std::vector<std::byte>> write_conditioning(const Conditioning& conditioning);
Result<Conditioning> read_conditioning(std::span<const std::byte> bytes, const std::string& label);

Result<std::vector<std::byte>> write_pixels(const PixelTile& tile);
Result<PixelTile> read_pixels(std::span<const std::byte> bytes, const std::string& label);

}  // namespace rushes::worker
