// The grammar says what the scene holds, and reads back what it said.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <set>
#include <sstream>

#include "config/model.h"
#include "tests/folders.h"
#include "tools/train/scene/grammar.h"

namespace rushes::scene {
namespace {

TEST(Random, SeedsGiveTheSameStreamAndNeighboursDifferentOnes) {
  Random a(7), b(7), c(8);
  const std::uint64_t first = a.next(), second = a.next();
  EXPECT_EQ(first, b.next());
  EXPECT_NE(first, c.next());
  Random d(8);
  EXPECT_NE(second, d.next()) << "the stream of the next seed must not be this one shifted by a step";
}

TEST(Grammar, FullCaptionsStateEveryAttribute) {
  for (std::uint64_t seed = 0; seed < 4000; ++seed) {
    Random random(seed);
    const Scene scene = random_scene(random);
    const std::string text = caption(scene, random, Detail::kFull);
    const Stated stated = parse_caption(text);
    ASSERT_EQ(stated.light, scene.light) << text;
    ASSERT_EQ(stated.place, scene.place) << text;
    ASSERT_EQ(stated.shape, scene.shape) << text;
    ASSERT_EQ(stated.colour, scene.colour) << text;
    ASSERT_EQ(stated.material, scene.material) << text;
    ASSERT_EQ(stated.motion, scene.motion) << text;
    ASSERT_EQ(stated.camera, scene.camera) << text;
    if (scene.material == Material::kEmissive) {
      ASSERT_EQ(stated.emission, scene.emission) << text;
    }
  }
}

// What submit calls unknown is what captions never say, and the other way round.
TEST(Grammar, TheManifestListsTheWordsOfCaptions) {
  const auto model = config::read_model(test::source_folder() / "config/models/tabletop/model.yaml");
  ASSERT_TRUE(model) << model.error().message;
  std::set<std::string> listed, said;
  for (const auto& list : model->knows) listed.insert(list.words.begin(), list.words.end());
  for (std::uint64_t seed = 0; seed < 20000; ++seed) {
    Random random(seed);
    const Scene scene = random_scene(random);
    std::string text = caption(scene, random, seed % 2 == 0 ? Detail::kFull : Detail::kCasual);
    std::replace(text.begin(), text.end(), ',', ' ');
    std::istringstream words(text);
    for (std::string word; words >> word;) said.insert(word);
  }
  EXPECT_EQ(listed, said);
}

TEST(Grammar, CasualCaptionsNeverStateSomethingElse) {
  for (std::uint64_t seed = 0; seed < 4000; ++seed) {
    Random random(seed);
    const Scene scene = random_scene(random);
    const std::string text = caption(scene, random, Detail::kCasual);
    const Stated stated = parse_caption(text);
    ASSERT_EQ(stated.light.value_or(scene.light), scene.light) << text;
    ASSERT_EQ(stated.motion, scene.motion) << text;
    ASSERT_EQ(stated.camera, scene.camera) << text;
    ASSERT_EQ(stated.colour, scene.colour) << text;
    ASSERT_EQ(stated.material, scene.material) << text;
  }
}

TEST(Grammar, ReadsWhatPeopleWrite) {
  const Stated s = parse_caption("A red metal sphere moves right across a table at dusk");
  EXPECT_EQ(s.colour, Colour::kRed);
  EXPECT_EQ(s.material, Material::kMetal);
  EXPECT_EQ(s.shape, Shape::kSphere);
  EXPECT_EQ(s.motion, Motion::kRight);
  EXPECT_EQ(s.place, Place::kTable);
  EXPECT_EQ(s.light, Light::kDusk);
  EXPECT_EQ(s.camera, CameraMove::kStatic);
}

TEST(Grammar, PanIsNoMotionAndCompanionIsNoSubject) {
  const Stated s = parse_caption(
      "at night, a blue cube rests on the ground, with a small red cone behind it on the left, the camera "
      "pans left");
  EXPECT_EQ(s.motion, Motion::kStill);
  EXPECT_EQ(s.camera, CameraMove::kPanLeft);
  EXPECT_EQ(s.colour, Colour::kBlue);
  EXPECT_EQ(s.shape, Shape::kCube);
}

TEST(Grammar, UnknownTextStatesNoLightShapeOrColour) {
  const Stated s = parse_caption("two dragons argue about tax law; reduced");
  EXPECT_FALSE(s.light || s.shape || s.colour || s.material || s.place);
}

}  // namespace
}  // namespace rushes::scene
