#include "worker/picture/seam.h"

#include <random>
#include <vector>

#include "tests/worker/picture/synthetic.h"

namespace rushes::worker {
namespace {

Clip noise(int width, int height, int frames) {
  Clip clip(width, height, frames);
  std::mt19937 random(5);
  for (float& value : clip.pixels) value = 0.4F + 0.02F * static_cast<float>(random() % 1000) / 1000.0F;
  return clip;
}

TEST(Seam, ContinuousPicturesHaveNone) {
  const Clip clip = noise(96, 64, 4);
  const std::vector<int> columns{24, 48, 72}, rows{16, 32, 48};
  const SeamSteps steps = measure_seams(clip, columns, rows);
  EXPECT_EQ(steps.borders, 24);
  EXPECT_NEAR(steps.ratio(), 1.0, 0.05);
}

TEST(Seam, FindsATileThatIsALittleBrighter) {
  Clip clip = noise(96, 64, 4);
  for (int t = 0; t < 4; ++t) {
    for (int y = 0; y < 64; ++y) {
      for (int x = 48; x < 96; ++x) clip.at(t, y, x)[1] += 0.02F;
    }
  }
  const std::vector<int> columns{48}, elsewhere{30};
  EXPECT_GT(measure_seams(clip, columns, {}).ratio(), 1.2);
  EXPECT_NEAR(measure_seams(clip, elsewhere, {}).ratio(), 1.0, 0.1);
}

TEST(Seam, FlatPicturesAndEdges) {
  const Clip flat(8, 8, 1);
  const std::vector<int> columns{-3, 0, 1, 4, 7, 8, 99};
  const SeamSteps steps = measure_seams(flat, columns, columns);
  EXPECT_EQ(steps.borders, 2);
  EXPECT_EQ(steps.ratio(), 1.0);
}

}  // namespace
}  // namespace rushes::worker
