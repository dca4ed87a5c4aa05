#include <gtest/gtest.h>

#include <cmath>

#include "tests/worker/critic/one_critic.h"

namespace rushes::worker {
namespace {

Assessment judge_light(const Clip& clip, const CriticContext& context) {
  return testing::judged_by("light", clip, context);
}

Clip grey(int frames) {
  Clip clip(40, 30, frames);
  for (float& value : clip.pixels) value = 0.18F;
  return clip;
}

CriticContext acescct() {
  CriticContext context;
  context.space = WorkingSpace::kAcescct;
  return context;
}

TEST(Light, NamesFramesBoxAndCount) {
  Clip clip = grey(5);
  clip.at(3, 15, 20)[2] = NAN;
  clip.at(3, 20, 30)[0] = 70000.0F;
  const Assessment result = judge_light(clip, acescct());
  ASSERT_EQ(result.findings.size(), 1u);
  const Finding& finding = result.findings[0];
  EXPECT_EQ(finding.frames, (Range{3, 4}));
  EXPECT_EQ(finding.evidence, 2);
  EXPECT_EQ(finding.severity, 1.0);
  EXPECT_EQ(finding.box, (Box{0.5F, 0.5F, 11.0F / 40, 6.0F / 30}));
  EXPECT_EQ(finding.message, "frame 3: 2 pixels are NaN, infinite or beyond half float (65504)");
  EXPECT_EQ(score_of(result.evidence[3], result.limit), 0.0);
  EXPECT_EQ(score_of(result.evidence[2], result.limit), 1.0);
}

// What real light does: emissive peaks below the ceiling, saturated colours of AP1, ACEScct's own black.
TEST(Light, PassesHonestExtremes) {
  Clip clip = grey(3);
  for (int y = 0; y < 30; ++y)
    for (int x = 0; x < 20; ++x) {
      clip.at(1, y, x)[0] = 16.0F * 0.6954522414F;  // AP1 red of 16 in AP0
      clip.at(1, y, x)[1] = 16.0F * 0.0447945634F;
      clip.at(1, y, x)[2] = 16.0F * -0.0055258826F;
      for (int c = 0; c < 3; ++c) clip.at(2, y, x)[c] = -0.0069F;
    }
  const Assessment result = judge_light(clip, acescct());
  EXPECT_TRUE(result.findings.empty());
  EXPECT_EQ(result.evidence, (std::vector<double>{0, 0, 0}));
}

TEST(Light, TheCeilingIsTheModels) {
  Clip clip = grey(2);
  for (int x = 0; x < 20; ++x)
    for (int c = 0; c < 3; ++c) clip.at(0, 4, x)[c] = 1.0F;
  EXPECT_TRUE(judge_light(clip, acescct()).findings.empty());
  CriticContext display;
  display.space = WorkingSpace::kSrgb;
  ASSERT_EQ(judge_light(clip, display).findings.size(), 1u);
  EXPECT_EQ(judge_light(clip, display).findings[0].message,
            "frame 0: 1.67 % of the pixels are clipped at the model's ceiling");
}

}  // namespace
}  // namespace rushes::worker
