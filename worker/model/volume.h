// A dense block of fp32 numbers in host memory, [channels, frames, rows, columns], columns fastest: a latent,
// the condition of a latent, or video in [-1, 1].
//
// Thread contract: plain value.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace rushes::worker {

struct Volume {
  std::int64_t channels = 0, frames = 0, rows = 0, columns = 0;
  std::vector<float> values;

  static Volume zeros(std::int64_t c, std::int64_t t, std::int64_t h, std::int64_t w) {
    return {c, t, h, w, std::vector<float>(static_cast<std::size_t>(c * t * h * w), 0.0f)};
  }
  std::int64_t count() const { return channels * frames * rows * columns; }
  bool valid() const {
    return channels > 0 && frames > 0 && rows > 0 && columns > 0 &&
           values.size() == static_cast<std::size_t>(count());
  }
  std::vector<std::int64_t> shape() const { return {channels, frames, rows, columns}; }
  std::size_t offset(std::int64_t c, std::int64_t t, std::int64_t h, std::int64_t w) const {
    return static_cast<std::size_t>(((c * frames + t) * rows + h) * columns + w);
  }
};

}  // namespace rushes::worker
