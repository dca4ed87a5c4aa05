#include "scheduler/plan/windows.h"

#include <gtest/gtest.h>

#include "scheduler/plan/numbers.h"
#include "storage/records/noise.h"

namespace rushes::scheduler {
namespace {

TEST(Windows, CoverEverythingAndOnlyNeighboursOverlap) {
  for (int native = 1; native <= 33; ++native) {
    for (int length = 1; length <= 400; ++length) {
      const auto windows = cut_windows(length, native);
      ASSERT_EQ(windows.front().begin, 0u);
      ASSERT_EQ(windows.back().end, length);
      for (std::size_t i = 0; i < windows.size(); ++i) {
        ASSERT_LE(windows[i].size(), native) << length << " by " << native;
        ASSERT_GE(windows[i].size(), 1u);
        if (i > 0) {
          ASSERT_LT(windows[i - 1].begin, windows[i].begin);
          // From 7 on there is room for own frames and for an overlap.
          ASSERT_GE(windows[i - 1].end, windows[i].begin + (native >= 7 ? 1 : 0))
              << length << " by " << native;
        }
        if (i > 1) {
          ASSERT_LE(windows[i - 2].end, windows[i].begin) << length << " by " << native;
        }
      }
    }
  }
}

TEST(Windows, EachHasFramesOfItsOwn) {
  for (int native = 3; native <= 33; ++native) {
    for (int length = native + 1; length <= 400; ++length) {
      const auto windows = cut_windows(length, native);
      for (std::uint32_t i = 0; i < windows.size(); ++i) {
        const auto renewed = renewed_frames(windows, std::vector<std::uint32_t>{i});
        ASSERT_GE(std::ssize(renewed), kOwnFrames) << length << " by " << native << ", window " << i;
        for (const int frame : renewed) ASSERT_TRUE(windows[i].contains(frame));
      }
    }
  }
  // Wan's native length keeps the overlap of its peers.
  for (int length = 22; length <= 400; ++length) {
    const auto windows = cut_windows(length, 21);
    for (std::size_t i = 1; i < windows.size(); ++i)
      ASSERT_GE(windows[i - 1].end - windows[i].begin, kWindowOverlap) << length;
  }
}

TEST(Windows, FramesSharedWithAWindowThatStaysAreNotRenewed) {
  const std::vector<Range> windows{{0, 8}, {5, 13}, {10, 17}};
  EXPECT_EQ(renewed_frames(windows, std::vector<std::uint32_t>{1}), (std::vector<int>{8, 9}));
  EXPECT_EQ(renewed_frames(windows, std::vector<std::uint32_t>{0, 1}),
            (std::vector<int>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}));
  EXPECT_EQ(renewed_frames(windows, std::vector<std::uint32_t>{0, 1, 2}).size(), 17u);
  EXPECT_TRUE(
      renewed_frames(std::vector<Range>{{0, 9}, {5, 13}, {9, 17}}, std::vector<std::uint32_t>{1}).empty());
  EXPECT_TRUE(renewed_frames(windows, std::vector<std::uint32_t>{}).empty());
}

TEST(Windows, OneOrTwoUseTheNativeLength) {
  EXPECT_EQ(cut_windows(9, 9), (std::vector<Range>{{0, 9}}));
  EXPECT_EQ(cut_windows(5, 9), (std::vector<Range>{{0, 5}}));
  EXPECT_EQ(cut_windows(13, 9), (std::vector<Range>{{0, 9}, {4, 13}}));
  EXPECT_EQ(cut_windows(14, 9), (std::vector<Range>{{0, 9}, {5, 14}}));
  EXPECT_EQ(cut_windows(10, 9), (std::vector<Range>{{0, 8}, {2, 10}})) << "two frames of its own for each";
  EXPECT_EQ(cut_windows(17, 9), (std::vector<Range>{{0, 8}, {5, 13}, {10, 17}}));
  EXPECT_EQ(cut_windows(21, 21), (std::vector<Range>{{0, 21}}));
}

std::vector<float> falling(int steps, float shift) {
  std::vector<float> sigmas;
  for (int i = 0; i <= steps; ++i) {
    const float s = 1.0f - static_cast<float>(i) / static_cast<float>(steps);
    sigmas.push_back(shift * s / (1 + (shift - 1) * s));
  }
  return sigmas;
}

TEST(Segments, AreContiguousAndOneStepWhileWindowsDrift) {
  for (int steps = 1; steps <= 60; ++steps) {
    for (const int windows : {1u, 4u}) {
      const auto sigmas = falling(steps, 6);
      const auto segments = cut_segments(sigmas, windows);
      int next = 0;
      for (const Range& segment : segments) {
        ASSERT_EQ(segment.begin, next);
        ASSERT_GT(segment.end, segment.begin);
        next = segment.end;
        if (windows > 1 && sigmas[segment.begin] > kDriftSigma) {
          ASSERT_EQ(segment.size(), 1u);
        }
        ASSERT_LE(segment.size(), kSegmentSteps);
        // Never across the level where the layout is decided.
        ASSERT_FALSE(sigmas[segment.begin] > kDriftSigma && sigmas[segment.end - 1] <= kDriftSigma);
      }
      ASSERT_EQ(next, static_cast<int>(steps));
    }
  }
  EXPECT_LT(cut_segments(falling(12, 6), 1).size(), 4u) << "one window has segments of several steps";
}

TEST(Tiles, CoverWithEvenOriginsAndDecodeTilesAreDisjoint) {
  for (int height = 2; height <= 60; height += 2) {
    for (int width = 2; width <= 90; width += 6) {
      std::vector<int> covered(height * width), decoded(height * width);
      for (const Rect& tile : cut_tiles(height, width, 6, 10)) {
        ASSERT_EQ(tile.y % 2 + tile.x % 2, 0u);
        ASSERT_LE(tile.y + tile.height, height);
        ASSERT_LE(tile.x + tile.width, width);
        for (int y = tile.y; y < tile.y + tile.height; ++y) {
          for (int x = tile.x; x < tile.x + tile.width; ++x) ++covered[y * width + x];
        }
      }
      for (const Rect& tile : cut_decode_tiles(height, width, {33, 4, 16, 16, 16, {}}, 33)) {
        for (int y = tile.y; y < tile.y + tile.height; ++y) {
          for (int x = tile.x; x < tile.x + tile.width; ++x) ++decoded[y * width + x];
        }
      }
      for (const int count : covered) ASSERT_GE(count, 1);
      for (const int count : decoded) ASSERT_EQ(count, 1);
    }
  }
  const auto tiles = cut_tiles(24, 40, 6, 10);  // Tabletop, enlarged by 4
  EXPECT_EQ(tiles.size(), 30u);
  for (std::size_t i = 1; i < 5; ++i)
    EXPECT_GE(tiles[i - 1].x + tiles[i - 1].width, tiles[i].x + kMinTileOverlap);
}

TEST(Runs, CoverAllFramesEvenly) {
  EXPECT_EQ(cut_runs(33), (std::vector<Range>{{0, 11}, {11, 22}, {22, 33}}));
  EXPECT_EQ(cut_runs(1), (std::vector<Range>{{0, 1}}));
}

}  // namespace
}  // namespace rushes::scheduler
