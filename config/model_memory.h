// What a model's tensors take on a device: as its manifest says, as placement reckons, as an engine reserves.
//
// Thread contract: plain values.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>

namespace rushes::config {

// Bytes of tensors on a device, beside weights: what placement reckons with and an engine reserves before it computes.
// `rushes-worker --measure MODEL` finds them on a device that computes nothing. They decide no pixels. The defaults are
// for manifests that say nothing.
struct ModelMemory {
  bool measured = false;
  std::uint64_t weights = 0;                // of transformer, text encoder and VAE; 0: not known
  std::uint64_t step = 0;                   // of a denoising step, whatever its size, with the prompts
  std::uint64_t token = 64ull << 10;        // of each token (2x2 latents of one frame) in a step
  std::uint64_t vae = 0;                    // of the VAE, whatever the size, but for libraries
  std::uint64_t box_latent = 512ull << 10;  // of each latent of the box that is decoded
  std::uint64_t frame_latent = 10240;  // of each latent of the whole frame, which the VAE's middle block sees

  // The VAE takes several frames at once while they need less than this.
  static constexpr std::uint64_t kVaeChunk = 256ull << 20;
  // More on a GPU, for its libraries' own use.
  static constexpr std::uint64_t kLibraries = 256ull << 20;

  std::uint64_t step_bytes(std::uint64_t latents) const { return step + latents / 4 * token; }
  // A box of latents in each of `frames` latent frames.
  std::uint64_t decode_bytes(std::uint64_t box, std::uint64_t frame, std::uint64_t frames) const {
    return vae + std::max(box * box_latent, std::min(kVaeChunk, box * frames * box_latent)) +
           frame * frame_latent;
  }
  std::uint64_t encode_bytes(std::uint64_t frame, std::uint64_t frames) const {
    return vae + std::min(kVaeChunk, frame * frames * box_latent) + frame * frame_latent;
  }
  bool operator==(const ModelMemory&) const = default;
};

// The line of a manifest: "memory: {weights: 25542656, step: ...}".
std::string to_string(const ModelMemory& memory);

}  // namespace rushes::config
