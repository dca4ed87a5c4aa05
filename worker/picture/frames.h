// The clip: what critics, stages and delivery hand to each other.
//
// Pixels are scene-linear ACES2065-1 (AP0 primaries, white 0.32168 0.33767), 32-bit float in memory, three
// interleaved channels R, G, B, laid out [T, H, W, 3] with the first row at the top. 0.18 is mid grey, 1.0 a
// white diffuser, highlights are larger; negative values are legal (colours outside AP0 of a noisy model).
// What leaves the farm is half float; pixel hashes are taken over those halves, so "the same pixels" means
// the same bits in the delivered files.
//
// Ownership: a Clip owns its pixels, a ClipView borrows them and must not outlive them.
// Thread contract: plain values; many threads may read one clip, one may write it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "config/digest.h"
#include "config/limits.h"
#include "config/rate.h"
#include "config/result.h"

namespace rushes::worker {

inline constexpr int kChannels = 3;
inline constexpr float kHalfMax = 65504.0F;  // largest finite half, IEEE 754 binary16

class ClipView;

// A sequence of frames that owns its pixels.
struct Clip {
  int width = 0;   // pixels
  int height = 0;  // pixels
  int frames = 0;
  config::Rate fps;
  std::vector<float> pixels;  // [frames, height, width, 3]

  Clip() = default;
  // All pixels zero. The sizes are the caller's own: use make_clip for sizes that come from a file or a
  // person.
  Clip(int clip_width, int clip_height, int clip_frames, config::Rate rate = {});

  std::size_t row_values() const { return static_cast<std::size_t>(width) * kChannels; }
  std::size_t frame_values() const { return row_values() * static_cast<std::size_t>(height); }
  float* frame(int t) { return pixels.data() + static_cast<std::size_t>(t) * frame_values(); }
  const float* frame(int t) const { return pixels.data() + static_cast<std::size_t>(t) * frame_values(); }
  float* at(int t, int y, int x) {
    return frame(t) + static_cast<std::size_t>(y) * row_values() + static_cast<std::size_t>(x) * kChannels;
  }
  const float* at(int t, int y, int x) const {
    return frame(t) + static_cast<std::size_t>(y) * row_values() + static_cast<std::size_t>(x) * kChannels;
  }
};

// A clip of checked size: every side in [1, kMaxPictureSide], 1..kMaxClipFrames frames, a positive rate, and
// all of it within kMaxClipValues. kInvalid otherwise, kExhausted when the memory is not there.
Result<Clip> make_clip(int width, int height, int frames, config::Rate fps = {});

// Read-only look at a range of frames and a rectangle of a clip. Converts from a Clip by itself.
class ClipView {
 public:
  ClipView() = default;
  ClipView(const Clip& clip)  // NOLINT(google-explicit-constructor): a view is what functions take
      : data_(clip.pixels.data()),
        width_(clip.width),
        height_(clip.height),
        frames_(clip.frames),
        fps_(clip.fps),
        row_stride_(clip.row_values()),
        frame_stride_(clip.frame_values()) {}

  int width() const { return width_; }
  int height() const { return height_; }
  int frames() const { return frames_; }
  config::Rate fps() const { return fps_; }
  bool empty() const { return width_ <= 0 || height_ <= 0 || frames_ <= 0; }

  // The first of 3*width() values of one row: R, G, B, R, ...
  const float* row(int t, int y) const {
    return data_ + static_cast<std::size_t>(t) * frame_stride_ + static_cast<std::size_t>(y) * row_stride_;
  }
  const float* at(int t, int y, int x) const { return row(t, y) + static_cast<std::size_t>(x) * kChannels; }

  // Frames [first, first + count). The range must lie inside (asserted).
  ClipView range(int first, int count) const;
  // The rectangle with its top left corner at (x, y). It must lie inside (asserted).
  ClipView crop(int x, int y, int crop_width, int crop_height) const;
  ClipView one(int t) const { return range(t, 1); }

  Clip copy() const;  // owns its pixels, tightly packed

 private:
  const float* data_ = nullptr;
  int width_ = 0;
  int height_ = 0;
  int frames_ = 0;
  config::Rate fps_;
  std::size_t row_stride_ = 0;    // floats from one row to the next
  std::size_t frame_stride_ = 0;  // floats from one frame to the next
};

// Relative luminance Y of an AP0 colour (second row of the AP0 to XYZ matrix, SMPTE ST 2065-1:2012, eq. 1).
inline float luminance(const float* rgb) {
  return 0.3439664498F * rgb[0] + 0.7281660966F * rgb[1] - 0.0721325464F * rgb[2];
}

// float -> IEEE 754 binary16 bits: round to nearest, ties to even, gradual underflow, overflow to infinity,
// NaN to a quiet NaN that keeps its sign. The same on every processor.
std::uint16_t half_from_float(float value);
float float_from_half(std::uint16_t bits);  // exact

// What a clip holds that a half-float file cannot: counted over all values.
struct PixelRange {
  float min = 0.0F;  // over finite values
  float max = 0.0F;
  std::int64_t nan = 0;
  std::int64_t overflow = 0;  // infinite, or would round to infinity as a half
  std::int64_t negative = 0;
};
PixelRange pixel_range(ClipView view);

// Brings finite or infinite values beyond the range of half to +-65504, as the ACEScct decoding of S-2016-001
// does at its upper end, and leaves everything else (NaN too) alone. Returns how many values it changed, so
// that the caller can say so: nothing in the farm clamps silently.
std::int64_t limit_to_half(Clip& clip);

// Hash of pixels: BLAKE2b-256 over width, height, frames (int32, little endian), then every value as its half
// bits (little endian) in [T, H, W, 3] order. Equal for a clip and for the same clip read back from its EXR
// files.
Digest hash_pixels(ClipView view);

}  // namespace rushes::worker
