// What the decoder's middle block made of a take's latents, kept on the disk for the other tiles of its frames.
//
// The middle block sees whole frames, so a frame in many tiles would pay for it once a tile: at 3840x2160, 32,640
// latents attend to each other in every latent frame. An engine computes it with the first tile of a take and reads
// the box of every further one. One set of latents is kept at a time, in a file that is gone with the process:
// frames x rows x columns x channels floats at latent size (75 MB for 33 frames of 4K and Tabletop's 64 channels).
//
// Thread contract: one thread at a time.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>

#include "worker/model/scratch.h"

namespace rushes::worker {

class MiddleCache {
 public:
  // Names the latents that are decoded next. Features of others are dropped. The file lies in `folder`, which exists.
  void select(const std::string& latents, const std::filesystem::path& folder);

  // Whether all `floats` of the selected latents are here.
  bool holds(std::uint64_t floats) const { return complete_ && floats_ == floats; }
  // Positions count floats. Error: kExhausted (the disk cannot be read).
  Status read(std::uint64_t first, std::span<float> values) const;

  // Keeps features in order: restart(), append() of all, finish(). Where the disk takes no more, nothing is kept
  // and the next tile computes them again.
  void restart();
  void append(std::span<const float> values);
  void finish() { complete_ = file_.has_value(); }

 private:
  std::filesystem::path folder_;
  std::string latents_;
  std::optional<Scratch> file_;
  std::uint64_t floats_ = 0;
  bool complete_ = false;
};

}  // namespace rushes::worker
