// The analysers are right on ground truth before they judge a model: at least 99 % of every attribute.
#include <gtest/gtest.h>

#include "tools/train/scene/analyse.h"

namespace rushes::scene {
namespace {

constexpr std::uint64_t kFirstSeed = 700'000'000;  // neither training nor the bench uses these scenes
constexpr int kClips = 200;

TEST(Analyser, IsRightOnGroundTruth) {
  const Analyser analyser;
  int light = 0, place = 0, camera = 0, motion = 0, shape = 0, colour = 0, material = 0;
  for (int i = 0; i < kClips; ++i) {
    Random random(kFirstSeed + static_cast<std::uint64_t>(i));
    const Scene scene = random_scene(random);
    const Seen seen = analyser.analyse(render(scene, 33, View::whole(160, 96)));
    light += seen.light == scene.light, place += seen.place == scene.place,
        camera += seen.camera == scene.camera;
    motion += seen.motion == scene.motion, shape += seen.shape == scene.shape;
    colour += seen.colour == scene.colour, material += seen.material == scene.material;
  }
  const int least = kClips * 99 / 100;
  EXPECT_GE(light, least);
  EXPECT_GE(place, least);
  EXPECT_GE(camera, least);
  EXPECT_GE(motion, least);
  EXPECT_GE(shape, least);
  EXPECT_GE(colour, least);
  EXPECT_GE(material, least);
}

TEST(Analyser, SeesNoObjectInAnEmptyScene) {
  const Analyser analyser;
  const Clip still = render_empty(Light::kDusk, Place::kGround, {}, View::whole(160, 96));
  Clip clip{33, 96, 160, {}};
  for (int f = 0; f < 33; ++f) clip.light.insert(clip.light.end(), still.light.begin(), still.light.end());
  const Seen seen = analyser.analyse(clip);
  EXPECT_FALSE(seen.object_found);
  EXPECT_EQ(seen.light, Light::kDusk);
  EXPECT_EQ(seen.place, Place::kGround);
  EXPECT_EQ(seen.camera, CameraMove::kStatic);
}

}  // namespace
}  // namespace rushes::scene
