// The renderer is deterministic, crops agree with the whole, and light has the promised size.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "tools/train/scene/render.h"

namespace rushes::scene {
namespace {

Scene scene_of(std::uint64_t seed) {
  Random random(seed);
  return random_scene(random);
}

TEST(Render, SameSceneSameBits) {
  const Scene scene = scene_of(3);
  const View view = View::whole(160, 96);
  EXPECT_EQ(render(scene, 5, view).light, render(scene, 5, view).light);
}

TEST(Render, CropIsThatPartOfTheWhole) {
  const Scene scene = scene_of(4);
  const Clip whole = render(scene, 1, View::whole(160, 96));
  const Clip part = render(scene, 1, View{160, 96, 32, 16, 64, 48});
  int differing = 0;
  for (int y = 1; y < 47; ++y) {  // the crop's own border cannot see its neighbours' edges
    for (int x = 1; x < 63; ++x)
      differing += part.pixel(0, y, x)[1] != whole.pixel(0, y + 16, x + 32)[1] ? 1 : 0;
  }
  EXPECT_EQ(differing, 0);
}

// A texture darkens a part of the object, which moves with it, and nothing else of the picture.
TEST(Render, TexturesLieOnTheObject) {
  for (const Texture texture : {Texture::kStripes, Texture::kChecks, Texture::kSpots}) {
    Scene scene;
    scene.shape = Shape::kCube;
    scene.motion = Motion::kRight;
    const Clip plain = render(scene, 2, View{});
    scene.texture = texture;
    const Clip clip = render(scene, 2, View{});
    std::array<double, 2> centre{};
    for (int f = 0; f < 2; ++f) {
      int dark = 0, object = 0;
      const Clip empty = render_empty(scene.light, scene.place, camera_pose(scene, f), View{});
      for (int y = 0; y < clip.height; ++y) {
        for (int x = 0; x < clip.width; ++x) {
          const float before = plain.pixel(f, y, x)[0], after = clip.pixel(f, y, x)[0];
          if (plain.pixel(f, y, x)[0] > 1.5f * empty.pixel(0, y, x)[0]) ++object;
          ASSERT_LE(after, before * 1.0001f);
          if (after > 0.6f * before) continue;
          ++dark;
          centre[static_cast<std::size_t>(f)] += x;
        }
      }
      EXPECT_GT(dark, object / 20);
      EXPECT_LT(dark, object);
      centre[static_cast<std::size_t>(f)] /= dark;
    }
    EXPECT_GT(centre[1] - centre[0], 20);
  }
}

TEST(Render, LightIsFiniteAndNeverNegative) {
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    const Clip clip = render(scene_of(seed), 2, View::whole(80, 48));
    for (const float v : clip.light) ASSERT_TRUE(std::isfinite(v) && v >= 0) << "seed " << seed;
  }
}

TEST(Render, EmissiveObjectsReachTheirPeak) {
  for (const double peak : {4.0, 8.0, 16.0}) {
    Scene scene = scene_of(5);
    scene.material = Material::kEmissive;
    scene.emission = peak;
    const Clip clip = render(scene, 1, View::whole(160, 96));
    const float most = *std::max_element(clip.light.begin(), clip.light.end());
    EXPECT_LE(most, peak * 1.001);
    EXPECT_GE(most, peak * 0.9);
  }
}

TEST(Render, HoursDifferByStops) {
  const View view = View::whole(80, 48);
  double mean[3];
  for (int i = 0; i < 3; ++i) {
    const Clip clip = render_empty(static_cast<Light>(i), Place::kTable, {}, view);
    double sum = 0;
    for (const float v : clip.light) sum += v;
    mean[i] = sum / static_cast<double>(clip.light.size());
  }
  EXPECT_GT(std::log2(mean[0] / mean[1]), 1.0);
  EXPECT_GT(std::log2(mean[1] / mean[2]), 1.0);
}

// Academy S-2016-001: mid grey 0.18 is code 0.4136, 1.0 is 0.5548, black 0.0729.
TEST(AcesCct, KnownCodesAndInverse) {
  EXPECT_NEAR(acescct_encode(0.18f), 0.4135884, 1e-5);
  EXPECT_NEAR(acescct_encode(1.0f), 0.5547945, 1e-5);
  EXPECT_NEAR(acescct_encode(0.0f), 0.0729055, 1e-6);
  for (const float v : {0.0f, 0.001f, 0.0078125f, 0.01f, 0.18f, 1.0f, 16.0f, 200.0f}) {
    EXPECT_NEAR(acescct_decode(acescct_encode(v)), v, 1e-5 + 1e-4 * v);
  }
}

}  // namespace
}  // namespace rushes::scene
