#include "worker/picture/resample.h"

#include <algorithm>
#include <cmath>
#include <functional>
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

// Reads rows of a clip and keeps the account of what was read.
struct Rows {
  const Clip& clip;
  std::vector<int> read = {};
  int first = 0, count = 0;
  RowSource source() {
    return [this](int y, int from, int columns, float* values) -> Status {
      read.push_back(y);
      first = from;
      count = columns;
      std::copy_n(clip.at(0, y, from), columns * 3, values);
      return {};
    };
  }
};

TEST(Cover, IsTheWholePictureScaledAndThenCroppedBitForBit) {
  for (const auto& [picture, target] : {std::pair{PictureSize{97, 61}, PictureSize{40, 24}},
                                        {{61, 97}, {40, 24}},
                                        {{160, 10}, {16, 9}},
                                        {{10, 160}, {16, 9}},
                                        {{40, 24}, {40, 24}},
                                        {{40, 25}, {40, 24}},
                                        {{13, 7}, {40, 24}},
                                        {{7, 13}, {40, 24}},
                                        {{1, 1}, {40, 24}},
                                        {{1, 16}, {40, 24}},
                                        {{33, 24}, {16, 24}}}) {
    Clip clip(picture.width, picture.height, 1);
    std::uint32_t state = 7;
    for (float& value : clip.pixels)
      value = static_cast<float>((state = state * 1664525U + 1013904223U) >> 8) / 1e6F - 3;
    const double scale = std::max(static_cast<double>(target.width) / picture.width,
                                  static_cast<double>(target.height) / picture.height);
    const int width = std::max(target.width, static_cast<int>(picture.width * scale + 0.5)),
              height = std::max(target.height, static_cast<int>(picture.height * scale + 0.5));
    const Clip whole = scale < 1 ? shrink_area(clip, width, height)
                                 : resize_bicubic(clip, width, height, Cubic::kCatmullRom);
    const Clip wanted =
        ClipView(whole)
            .crop((width - target.width) / 2, (height - target.height) / 2, target.width, target.height)
            .copy();
    Rows rows{clip};
    const auto found = cover(rows.source(), picture, target);
    ASSERT_TRUE(found);
    EXPECT_TRUE(found->pixels == wanted.pixels) << picture.width << "x" << picture.height;
  }
}

TEST(Cover, ReadsOnlyWhatIsKeptAndEachRowOnce) {
  const Clip clip(400, 100, 1);
  Rows wide{clip};
  ASSERT_TRUE(cover(wide.source(), {400, 100}, {10, 10}));
  EXPECT_EQ(wide.read.size(), 100U);
  EXPECT_TRUE(std::is_sorted(wide.read.begin(), wide.read.end()));
  EXPECT_EQ(wide.first, 150);
  EXPECT_EQ(wide.count, 100);
  const Clip tall_clip(100, 400, 1);
  Rows tall{tall_clip};
  ASSERT_TRUE(cover(tall.source(), {100, 400}, {10, 10}));
  EXPECT_EQ(tall.read.size(), 100U);
  EXPECT_EQ(tall.read.front(), 150);
  Rows small{tall_clip};
  ASSERT_TRUE(cover(small.source(), {100, 400}, {200, 200}));
  EXPECT_EQ(small.read.size(), 104U) << "and two for the cubic above and below";
  EXPECT_EQ(std::adjacent_find(small.read.begin(), small.read.end(), std::greater_equal<>()),
            small.read.end());
}

TEST(Cover, StopsAtTheFirstRowThatCannotBeRead) {
  int rows = 0;
  const auto broken = [&](int, int, int, float*) -> Status {
    return ++rows < 5 ? Status{} : fail(ErrorKind::kCorrupt, "cut");
  };
  EXPECT_EQ(cover(broken, {100, 100}, {10, 10}).error().message, "cut");
  EXPECT_EQ(rows, 5);
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
