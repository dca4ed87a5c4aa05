// The bench counts what captions state, and its intervals are Wilson's.
#include <gtest/gtest.h>

#include "tools/bench/tabletop_score.h"

namespace rushes::bench {
namespace {

// Values of E. B. Wilson's formula at z = 1.96, as tabulated for 8 of 10 and 0 of 10.
TEST(Wilson, KnownIntervals) {
  EXPECT_NEAR(wilson(8, 10).low, 0.4902, 5e-4);
  EXPECT_NEAR(wilson(8, 10).high, 0.9433, 5e-4);
  EXPECT_NEAR(wilson(0, 10).low, 0.0, 1e-9);
  EXPECT_NEAR(wilson(0, 10).high, 0.2775, 5e-4);
}

TEST(Score, CountsOnlyWhatIsStatedAndNamesWhatIsWrong) {
  scene::Stated truth = scene::parse_caption("a red cube moves left on a table");
  scene::Seen seen;
  seen.object_found = true;
  seen.colour = scene::Colour::kRed;
  seen.shape = scene::Shape::kCone;
  seen.motion = scene::Motion::kLeft;
  Score score;
  EXPECT_EQ(score.add(truth, seen), "shape cone for cube");
  EXPECT_EQ(score.accuracy("colour"), 1.0);
  EXPECT_EQ(score.accuracy("shape"), 0.0);
  EXPECT_FALSE(score.json().contains("light")) << "the caption states no light";
  EXPECT_EQ(score.json()["direction"]["total"], 1);
}

TEST(Score, AMissingObjectIsWrongAboutEverythingOfIt) {
  Score score;
  score.add(scene::parse_caption("a red cube moves left on a table at night"), scene::Seen{});
  EXPECT_EQ(score.accuracy("colour"), 0.0);
  EXPECT_EQ(score.accuracy("direction"), 0.0);
  EXPECT_EQ(score.accuracy("place"), 1.0) << "the table is seen all the same";
}

}  // namespace
}  // namespace rushes::bench
