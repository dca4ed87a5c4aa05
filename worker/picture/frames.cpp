#include "worker/picture/frames.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <cmath>
#include <new>

namespace rushes::worker {

Clip::Clip(int clip_width, int clip_height, int clip_frames, config::Rate rate)
    : width(clip_width), height(clip_height), frames(clip_frames), fps(rate) {
  assert(width >= 0 && height >= 0 && frames >= 0);
  pixels.resize(frame_values() * static_cast<std::size_t>(frames));
}

Result<Clip> make_clip(int width, int height, int frames, config::Rate fps) {
  const std::string found = std::to_string(width) + "x" + std::to_string(height) + ", " +
                            std::to_string(frames) + " frames at " + std::to_string(fps.numerator) + "/" +
                            std::to_string(fps.denominator);
  if (width < 1 || height < 1 || width > kMaxPictureSide || height > kMaxPictureSide || frames < 1 ||
      frames > kMaxClipFrames || fps.numerator < 1 || fps.denominator < 1) {
    return fail(ErrorKind::kInvalid, "clip size: expected sides of 1 to " + std::to_string(kMaxPictureSide) +
                                         ", 1 to " + std::to_string(kMaxClipFrames) +
                                         " frames and a positive rate, found " + found);
  }
  if (std::int64_t{width} * height * kChannels > kMaxClipValues / frames) {
    return fail(ErrorKind::kInvalid,
                "clip size: expected at most " + std::to_string(kMaxClipValues) + " values, found " + found);
  }
  try {
    return Clip(width, height, frames, fps);
  } catch (const std::bad_alloc&) {
    return fail(ErrorKind::kExhausted, "clip size: not enough memory for " + found);
  }
}

ClipView ClipView::range(int first, int count) const {
  assert(first >= 0 && count >= 0 && first <= frames_ - count);
  ClipView view = *this;
  view.data_ += static_cast<std::size_t>(first) * frame_stride_;
  view.frames_ = count;
  return view;
}

ClipView ClipView::crop(int x, int y, int crop_width, int crop_height) const {
  assert(x >= 0 && y >= 0 && crop_width >= 0 && crop_height >= 0);
  assert(x <= width_ - crop_width && y <= height_ - crop_height);
  ClipView view = *this;
  view.data_ += static_cast<std::size_t>(y) * row_stride_ + static_cast<std::size_t>(x) * kChannels;
  view.width_ = crop_width;
  view.height_ = crop_height;
  return view;
}

Clip ClipView::copy() const {
  Clip clip(width_, height_, frames_, fps_);
  for (int t = 0; t < frames_; ++t) {
    for (int y = 0; y < height_; ++y) {
      std::copy_n(row(t, y), clip.row_values(), clip.at(t, y, 0));
    }
  }
  return clip;
}

std::uint16_t half_from_float(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const auto sign = static_cast<std::uint16_t>((bits >> 16) & 0x8000U);
  const std::uint32_t magnitude = bits & 0x7FFFFFFFU;
  if (magnitude > 0x7F800000U) return static_cast<std::uint16_t>(sign | 0x7E00U);   // NaN
  if (magnitude >= 0x477FF000U) return static_cast<std::uint16_t>(sign | 0x7C00U);  // >= 65520: infinity
  if (magnitude >= 0x38800000U) {  // normal half: exponent >= -14
    // Rebias the exponent (127 - 15) and drop 13 mantissa bits; a carry of the rounding runs into the
    // exponent.
    const std::uint32_t rebiased = magnitude - (112U << 23);
    const std::uint32_t rounded = rebiased + 0x0FFFU + ((rebiased >> 13) & 1U);
    return static_cast<std::uint16_t>(sign | (rounded >> 13));
  }
  if (magnitude < 0x33000000U) return sign;  // below half of the smallest subnormal: zero
  // Subnormal half: units of 2^-24, rounded to even.
  const std::uint32_t shift = 126U - (magnitude >> 23);  // 14..24
  const std::uint32_t mantissa = (magnitude & 0x007FFFFFU) | 0x00800000U;
  const std::uint32_t whole = mantissa >> shift;
  const std::uint32_t rest = mantissa & ((1U << shift) - 1U);
  const std::uint32_t tie = 1U << (shift - 1U);
  const std::uint32_t up = (rest > tie || (rest == tie && (whole & 1U) != 0U)) ? 1U : 0U;
  return static_cast<std::uint16_t>(sign | (whole + up));
}

float float_from_half(std::uint16_t bits) {
  const std::uint32_t sign = (bits & 0x8000U) << 16;
  const std::uint32_t exponent = (bits >> 10) & 0x1FU;
  const std::uint32_t mantissa = bits & 0x3FFU;
  if (exponent == 0x1FU) return std::bit_cast<float>(sign | 0x7F800000U | (mantissa << 13));
  if (exponent != 0U) return std::bit_cast<float>(sign | ((exponent + 112U) << 23) | (mantissa << 13));
  const float magnitude = static_cast<float>(mantissa) * 0x1p-24F;  // subnormal or zero: exact
  return sign != 0U ? -magnitude : magnitude;
}

PixelRange pixel_range(ClipView view) {
  PixelRange range;
  bool first = true;
  const std::size_t values = static_cast<std::size_t>(view.width()) * kChannels;
  for (int t = 0; t < view.frames(); ++t) {
    for (int y = 0; y < view.height(); ++y) {
      const float* row = view.row(t, y);
      for (std::size_t i = 0; i < values; ++i) {
        const float value = row[i];
        if (std::isnan(value)) {
          ++range.nan;
          continue;
        }
        if (value < 0.0F) ++range.negative;
        if (std::fabs(value) >= 65520.0F) ++range.overflow;
        if (std::isinf(value)) continue;
        range.min = first ? value : std::min(range.min, value);
        range.max = first ? value : std::max(range.max, value);
        first = false;
      }
    }
  }
  return range;
}

std::int64_t limit_to_half(Clip& clip) {
  std::int64_t changed = 0;
  for (float& value : clip.pixels) {
    if (std::fabs(value) > kHalfMax) {  // false for NaN
      value = std::copysign(kHalfMax, value);
      ++changed;
    }
  }
  return changed;
}

static_assert(std::endian::native == std::endian::little, "pixel hashes are taken over little endian halves");

Digest hash_pixels(ClipView view) {
  DigestStream digest;
  const auto add = [&](const void* data, std::size_t bytes) {
    digest.update({static_cast<const char*>(data), bytes});
  };
  const std::array<std::int32_t, 3> shape{view.width(), view.height(), view.frames()};
  add(shape.data(), sizeof(shape));
  std::vector<std::uint16_t> row(static_cast<std::size_t>(view.width()) * kChannels);
  for (int t = 0; t < view.frames(); ++t) {
    for (int y = 0; y < view.height(); ++y) {
      std::transform(view.row(t, y), view.row(t, y) + row.size(), row.begin(), half_from_float);
      add(row.data(), row.size() * sizeof(std::uint16_t));
    }
  }
  return digest.finish();
}

}  // namespace rushes::worker
