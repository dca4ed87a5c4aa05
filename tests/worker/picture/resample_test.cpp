#include "worker/picture/resample.h"

#include <cmath>
#include <numeric>

#include "tests/worker/picture/synthetic.h"

namespace rushes::worker {
namespace {

TEST(Bicubic, KeepsConstantsAndRamps) {
  Clip clip(12, 9, 1);
  for (int y = 0; y < 9; ++y) {
    for (int x = 0; x < 12; ++x) {
      clip.at(0, y, x)[0] = 0.25F;
      clip.at(0, y, x)[1] = static_cast<float>(x);
      clip.at(0, y, x)[2] = static_cast<float>(y);
    }
  }
  for (const Cubic cubic : {Cubic::kCatmullRom, Cubic::kMitchell}) {
    const Clip big = resize_bicubic(clip, 48, 36, cubic);
    for (int y = 12; y < 24; ++y) {  // away from the repeated borders
      for (int x = 12; x < 36; ++x) {
        ASSERT_NEAR(big.at(0, y, x)[0], 0.25F, 1e-6F);
        ASSERT_NEAR(big.at(0, y, x)[1], (static_cast<float>(x) + 0.5F) / 4.0F - 0.5F, 1e-5F);
        ASSERT_NEAR(big.at(0, y, x)[2], (static_cast<float>(y) + 0.5F) / 4.0F - 0.5F, 1e-5F);
      }
    }
  }
}

TEST(Bicubic, SameSizeCatmullRomIsIdentity) {
  const Clip clip = testing::rolling_ball(20, 11, 2);
  EXPECT_EQ(resize_bicubic(clip, 20, 11, Cubic::kCatmullRom).pixels, clip.pixels);
}

Clip enlarge(ClipView clip) {
  return enlarge_light(clip, 4, Cubic::kCatmullRom, WorkingSpace::kAcescct,
                       {0, 0, 4 * clip.width(), 4 * clip.height()});
}

TEST(EnlargeLight, APartIsThatOfTheWholeBitForBit) {
  const Clip clip = testing::rolling_ball(24, 16, 2);
  const Clip whole = enlarge(clip);
  for (const PictureArea& area :
       {PictureArea{0, 0, 5, 7}, PictureArea{33, 21, 40, 1}, PictureArea{95, 63, 1, 1}}) {
    const Clip part = enlarge_light(clip, 4, Cubic::kCatmullRom, WorkingSpace::kAcescct, area);
    EXPECT_EQ(part.pixels, ClipView(whole).crop(area.x, area.y, area.width, area.height).copy().pixels);
  }
}

// A crop with enough around it gives the pixels of the whole: what tiles rely on.
TEST(Bicubic, TilesWithAHaloAgreeExactly) {
  const Clip clip = testing::rolling_ball(24, 16, 1);
  const Clip whole = enlarge(clip);
  const Clip part = enlarge(ClipView(clip).crop(6, 4, 12, 8));
  for (int y = 8; y < 24; ++y) {
    for (int x = 8; x < 40; ++x) {
      for (int c = 0; c < 3; ++c) ASSERT_EQ(part.at(0, y, x)[c], whole.at(0, y + 16, x + 24)[c]);
    }
  }
}

TEST(EnlargeLight, FarBelowBlackStaysFinite) {
  Clip clip(16, 16, 1);
  for (float& value : clip.pixels) value = 0.18F;
  for (int c = 0; c < 3; ++c) clip.at(0, 8, 8)[c] = -65504.0F;  // the least that decode writes
  const Clip large = enlarge(clip);
  EXPECT_GE(pixel_range(large).min, -65504.0F);
  EXPECT_EQ(pixel_range(large).max, 65504.0F) << "beside the pixel the cubic overshoots";
}

TEST(EnlargeLight, HighlightsDoNotRingBelowBlack) {
  Clip clip(16, 16, 1);
  for (float& value : clip.pixels) value = 0.02F;
  for (int c = 0; c < 3; ++c) clip.at(0, 8, 8)[c] = 16.0F;
  const Clip linear = resize_bicubic(clip, 64, 64, Cubic::kCatmullRom);
  const Clip code = enlarge(clip);
  EXPECT_LT(pixel_range(linear).min, -0.5F);
  EXPECT_GT(pixel_range(code).min, 0.0F);
  EXPECT_EQ(code.width, 64);
  EXPECT_EQ(code.height, 64);
}

TEST(ShrinkArea, KeepsTheMean) {
  const Clip clip = testing::rolling_ball(30, 20, 1);
  const Clip small = shrink_area(clip, 7, 3);
  const auto mean = [](const Clip& c) {
    return std::accumulate(c.pixels.begin(), c.pixels.end(), 0.0) / static_cast<double>(c.pixels.size());
  };
  EXPECT_NEAR(mean(small), mean(clip), 1e-5);
  const Clip half = shrink_area(clip, 15, 10);
  const float expected =
      (clip.at(0, 4, 6)[0] + clip.at(0, 4, 7)[0] + clip.at(0, 5, 6)[0] + clip.at(0, 5, 7)[0]) / 4.0F;
  EXPECT_NEAR(half.at(0, 2, 3)[0], expected, 1e-6F);
}

TEST(EnlargeBlocks, RepeatsPixels) {
  Image8 image(2, 1);
  image.pixels = {1, 2, 3, 4, 5, 6};
  const Image8 big = enlarge_blocks(image, 3);
  EXPECT_EQ(big.width, 6);
  EXPECT_EQ(big.height, 3);
  EXPECT_EQ(big.at(2, 2)[0], 1);
  EXPECT_EQ(big.at(3, 0)[2], 6);
}

}  // namespace
}  // namespace rushes::worker
