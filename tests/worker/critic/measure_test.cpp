#include "worker/critic/measure.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/worker/critic/scene.h"
#include "worker/critic/motion.h"

namespace rushes::worker {
namespace {

std::vector<double> gains_of(ClipView clip) {
  std::vector<double> gains;
  Meter meter;
  for (int t = 0; t < clip.frames(); ++t) {
    meter.add(clip.one(t));
    gains.push_back(meter.now().gain);
  }
  return gains;
}

TEST(Measure, FindsWholePixelMotion) {
  testing::Dice dice(3);
  Clip two(160, 90, 2);
  for (int y = 0; y < 90; ++y)
    for (int x = 0; x < 160; ++x) {  // cells of 4x4 pixels, each of its own brightness
      const auto level = x % 4 == 0 && y % 4 == 0 ? static_cast<float>(dice.between(0.05, 0.5))
                                                  : *two.at(0, y - y % 4, x - x % 4);
      for (int t = 0; t < 2; ++t) std::fill_n(two.at(t, y, x), kChannels, level);
    }
  testing::shift_picture(two, 1, 1, 7, -3);
  Meter meter;
  for (int t = 0; t < 2; ++t) meter.add(ClipView(two).one(t));
  const WorkingSize& size = meter.size();
  int right = 0, inner = 0;
  for (int row = 1; row + 1 < size.rows - 1; ++row)
    for (int column = 1; column + 1 < size.columns; ++column, ++inner) {
      const Shift shift = meter.now().back.blocks[static_cast<std::size_t>(row) * size.columns + column];
      right += shift.x == -7 && shift.y == 3;
    }
  EXPECT_GE(right, inner * 95 / 100);
}

TEST(Measure, GainIsOfLightNotOfMovingThings) {
  Clip clip = testing::render(testing::Action::kPass, 4);
  for (const double gain : gains_of(clip)) EXPECT_LT(std::fabs(gain), 0.02);
  testing::scale_light(clip, 20, 48, 0, 0, 160, 90, 2.0);
  EXPECT_NEAR(gains_of(clip)[20], 1.0, 0.1);
}

TEST(Measure, LargeClipsAreMeasuredSmall) {
  const Clip clip = testing::render(testing::Action::kMove, 5, {1000, 500, 3, true});
  Meter meter;
  for (int t = 0; t < 3; ++t) meter.add(ClipView(clip).one(t));
  EXPECT_LE(std::max(meter.size().width, meter.size().height), kWorkingSide);
  EXPECT_EQ(meter.now().light.size(), static_cast<std::size_t>(meter.size().width * meter.size().height));
}

TEST(Measure, NeighbourhoodIsOfThreeByThree) {
  Plane plane(25, 0.0F);
  plane[12] = 1.0F;
  plane[24] = -1.0F;
  const Range3x3 range = neighbourhood(plane, 5, 5);
  for (int y = 0; y < 5; ++y)
    for (int x = 0; x < 5; ++x) {
      EXPECT_EQ(range.high[static_cast<std::size_t>(y * 5 + x)],
                std::abs(y - 2) <= 1 && std::abs(x - 2) <= 1 ? 1.0F : 0.0F);
      EXPECT_EQ(range.low[static_cast<std::size_t>(y * 5 + x)], y >= 3 && x >= 3 ? -1.0F : 0.0F);
    }
}

TEST(Measure, RunsAndMedian) {
  const auto runs = runs_above({0, 2, 3, 0, 5}, 1);
  ASSERT_EQ(runs.size(), 2u);
  EXPECT_EQ(runs[0].frames, (Range{1, 3}));
  EXPECT_EQ(runs[0].worst, 2);
  EXPECT_EQ(runs[1].frames, (Range{4, 5}));
  EXPECT_EQ(median_of({3, 1, 2}), 2);
  EXPECT_EQ(median_of({4, 1, 2, 3}), 2.5);
  EXPECT_EQ(median_of({}), 0);
}

}  // namespace
}  // namespace rushes::worker
