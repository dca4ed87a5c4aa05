#include "worker/picture/frames.h"

#include <Imath/half.h>

#include <bit>
#include <cmath>
#include <limits>
#include <random>

#include "tests/worker/picture/synthetic.h"

namespace rushes::worker {
namespace {

TEST(Half, EveryHalfComesBack) {
  for (std::uint32_t bits = 0; bits < 0x10000U; ++bits) {
    const auto half = static_cast<std::uint16_t>(bits);
    const float value = float_from_half(half);
    if (std::isnan(value)) continue;
    EXPECT_EQ(half_from_float(value), half);
  }
}

// Imath's half is an independent implementation of the same rounding.
TEST(Half, RoundsAsImathDoes) {
  std::mt19937 random(7);
  for (int i = 0; i < 2000000; ++i) {
    const auto value = std::bit_cast<float>(static_cast<std::uint32_t>(random()));
    if (std::isnan(value)) {
      EXPECT_EQ(half_from_float(value) & 0x7E00U, 0x7E00U);
      continue;
    }
    ASSERT_EQ(half_from_float(value), Imath::half(value).bits()) << value;
  }
}

TEST(Half, TiesGoToEven) {
  for (std::uint16_t half = 0; half < 0x7BFFU; ++half) {
    const double low = float_from_half(half), high = float_from_half(static_cast<std::uint16_t>(half + 1));
    const auto middle = static_cast<float>((low + high) / 2);  // exact: one more mantissa bit
    const auto even = static_cast<std::uint16_t>((half & 1U) != 0U ? half + 1 : half);
    ASSERT_EQ(half_from_float(middle), even);
    ASSERT_EQ(half_from_float(std::nextafter(middle, 0.0F)), half);
    ASSERT_EQ(half_from_float(std::nextafter(middle, 1e9F)), half + 1);
  }
  EXPECT_EQ(half_from_float(65519.99F), 0x7BFFU);
  EXPECT_EQ(half_from_float(65520.0F), 0x7C00U);
  EXPECT_EQ(half_from_float(-std::numeric_limits<float>::infinity()), 0xFC00U);
}

TEST(Clip, ViewsCropAndCopy) {
  Clip clip(5, 4, 3);
  for (std::size_t i = 0; i < clip.pixels.size(); ++i) clip.pixels[i] = static_cast<float>(i);
  const ClipView part = ClipView(clip).range(1, 2).crop(2, 1, 3, 2);
  EXPECT_EQ(part.at(0, 0, 0), clip.at(1, 1, 2));
  EXPECT_EQ(part.at(1, 1, 2), clip.at(2, 2, 4));
  const Clip copy = part.copy();
  EXPECT_EQ(copy.width, 3);
  EXPECT_EQ(copy.height, 2);
  EXPECT_EQ(copy.frames, 2);
  EXPECT_EQ(copy.at(1, 1, 2)[2], clip.at(2, 2, 4)[2]);
  EXPECT_EQ(hash_pixels(copy), hash_pixels(part));
}

TEST(Clip, RefusesHostileSizes) {
  EXPECT_TRUE(make_clip(16, 9, 3));
  EXPECT_EQ(make_clip(0, 9, 3).error().kind, ErrorKind::kInvalid);
  EXPECT_EQ(make_clip(16, kMaxPictureSide + 1, 3).error().kind, ErrorKind::kInvalid);
  EXPECT_EQ(make_clip(16, 9, 0).error().kind, ErrorKind::kInvalid);
  EXPECT_EQ(make_clip(kMaxPictureSide, kMaxPictureSide, kMaxClipFrames).error().kind, ErrorKind::kInvalid);
  EXPECT_EQ(make_clip(16, 9, 3, config::Rate{24, 0}).error().kind, ErrorKind::kInvalid);
}

TEST(PixelHash, SeesPixelsShapeAndOrderAtHalfPrecision) {
  Clip clip = testing::rolling_ball(16, 9, 3);
  const Digest hash = hash_pixels(clip);
  Clip other = clip;
  other.at(2, 8, 15)[2] += 0.01F;
  EXPECT_NE(hash_pixels(other), hash);
  other = clip;
  other.at(1, 4, 7)[0] = std::nextafter(other.at(1, 4, 7)[0], 1.0F);  // below half's resolution
  Clip rounded = clip;
  for (float& value : rounded.pixels) value = float_from_half(half_from_float(value));
  EXPECT_EQ(hash_pixels(rounded), hash);
  Clip reshaped = clip;
  std::swap(reshaped.width, reshaped.height);
  EXPECT_NE(hash_pixels(reshaped), hash);
  EXPECT_NE(hash_pixels(ClipView(clip).range(0, 2)), hash);
  EXPECT_EQ(to_hex(hash).size(), 64U);
}

TEST(PixelRange, CountsWhatHalfCannotHold) {
  Clip clip(2, 2, 1);
  clip.pixels = {0.5F, -0.25F, std::nanf(""), 70000.0F, std::numeric_limits<float>::infinity(),
                 1.0F, 2.0F,   -1e9F,         0,        0,
                 0,    0};
  const PixelRange range = pixel_range(clip);
  EXPECT_EQ(range.nan, 1);
  EXPECT_EQ(range.overflow, 3);
  EXPECT_EQ(range.negative, 2);
  EXPECT_EQ(range.min, -1e9F);
  EXPECT_EQ(range.max, 70000.0F);
  EXPECT_EQ(limit_to_half(clip), 3);
  EXPECT_EQ(pixel_range(clip).overflow, 0);
  EXPECT_EQ(clip.pixels[4], kHalfMax);
  EXPECT_EQ(clip.pixels[7], -kHalfMax);
  EXPECT_TRUE(std::isnan(clip.pixels[2]));
}

TEST(Luminance, OfWhiteIsOne) {
  const float white[3] = {1.0F, 1.0F, 1.0F};
  EXPECT_NEAR(luminance(white), 1.0F, 1e-6F);
}

}  // namespace
}  // namespace rushes::worker
