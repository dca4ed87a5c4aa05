#include "worker/critic/critique.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <ctime>
#include <nlohmann/json.hpp>

#include "tests/worker/critic/scene.h"

namespace rushes::worker {
namespace {

using testing::Action;

CriticContext two_windows() {
  CriticContext context;
  context.windows = {{0, 33}, {24, 49}};
  context.space = WorkingSpace::kAcescct;
  return context;
}

config::CriticRule& rule(CriticContext& context, std::string_view name) {
  return *std::find_if(context.rules.begin(), context.rules.end(),
                       [&](const config::CriticRule& one) { return one.name == name; });
}

// A jump in the part that only the second window covers.
Clip broken_second_window() {
  Clip clip = testing::render(Action::kMove, 1);
  testing::scale_light(clip, 40, 40, 0, 0, clip.width, clip.height, 2.0);
  return clip;
}

TEST(Critique, BlamesTheWindowThatHoldsTheFault) {
  const ClipCritique result = critique(broken_second_window(), two_windows());
  ASSERT_EQ(result.windows.size(), 2u);
  EXPECT_EQ(result.windows[0].verdict, Verdict::kPass);
  EXPECT_NE(result.windows[1].verdict, Verdict::kPass);
  EXPECT_LT(result.windows[1].score, result.windows[0].score);
  ASSERT_FALSE(result.findings.empty());
  for (const Finding& finding : result.findings) EXPECT_EQ(finding.window, 1);
  EXPECT_EQ(result.score, result.windows[1].score);
}

TEST(Critique, FramesAreThoseOfTheTake) {
  const Clip clip = broken_second_window();
  CriticContext context = two_windows();
  context.first_frame = 24;
  context.windows = {{24, 49}};
  const ClipCritique result = critique(ClipView(clip).range(24, 25), context);
  ASSERT_FALSE(result.findings.empty());
  EXPECT_LE(result.findings[0].frames.begin, 41);
  EXPECT_GT(result.findings[0].frames.end, 40);
}

TEST(Critique, VerdictsFollowTheThresholds) {
  const Clip clip = broken_second_window();
  CriticContext context = two_windows();
  config::CriticRule& exposure = rule(context, "exposure");
  rule(context, "seam").enabled = false;
  rule(context, "flicker").enabled = false;
  EXPECT_EQ(critique(clip, context).verdict, Verdict::kReject);  // one stop is far beyond three limits
  exposure.reject = 0;
  EXPECT_EQ(critique(clip, context).verdict, Verdict::kRevise);
  exposure.revise = 0;
  EXPECT_EQ(critique(clip, context).verdict, Verdict::kPass);
  EXPECT_TRUE(critique(clip, context).findings.empty());
  exposure.enabled = false;
  for (const Score& one : critique(clip, context).dimensions) EXPECT_NE(one.dimension, "exposure");
}

TEST(Critique, AStillClipIsAFaultOnlyWhereMovementWasAsked) {
  const Clip clip = testing::render(Action::kStill, 2, {160, 90, 33, false});
  CriticContext context;
  EXPECT_EQ(critique(clip, context).verdict, Verdict::kPass);
  context.expects_motion = asks_for_motion("a red metal sphere moves right across a table at dusk");
  const ClipCritique result = critique(clip, context);
  EXPECT_EQ(result.verdict, Verdict::kRevise);
  EXPECT_EQ(result.findings.at(0).message, "nothing moves, though the prompt asks for movement");
  EXPECT_FALSE(asks_for_motion("a blue cube on a table, still life with removes"));
  EXPECT_TRUE(asks_for_motion("The camera PANS left."));
}

TEST(Critique, RulesOfANewerSchedulerAreLeftOutUnlessTheyBlock) {
  const CriticSetting off{.name = "light", .enabled = false}, lower{.name = "seam", .revise = 0.25F},
      advises{.name = "of_tomorrow", .blocks = false}, unused{.name = "of_next_week", .enabled = false},
      blocks{.name = "of_tomorrow"};
  const auto rules = rules_of({off, advises, unused, lower});
  ASSERT_TRUE(rules) << rules.error().message;
  config::CriticRules expected = config::default_rules();
  for (config::CriticRule& rule : expected) {
    if (rule.name == "light") rule.enabled = false;
    if (rule.name == "seam") rule.revise = 0.25F;
  }
  EXPECT_EQ(*rules, expected);
  const auto refused = rules_of({off, blocks});
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("critic \"of_tomorrow\": unknown to this worker"),
            std::string::npos);
}

TEST(Critique, NothingToJudgeIsUnknown) {
  EXPECT_EQ(critique(ClipView{}, {}).verdict, Verdict::kUnknown);
  const Clip one = testing::render(Action::kStill, 2, {16, 9, 1, false});
  const ClipCritique result =
      critique(one, {});  // of a single frame only what it shows by itself can be judged
  std::string judged;
  for (const Score& dimension : result.dimensions) judged += dimension.dimension + " ";
  EXPECT_EQ(judged, "light hot_pixels ");
  EXPECT_EQ(result.verdict, Verdict::kPass);
}

TEST(Critique, JsonIsThatOfTheApi) {
  Clip clip = testing::render(Action::kMove, 1);
  clip.at(7, 10, 10)[0] = NAN;
  const auto json = nlohmann::json::parse(to_json(critique(clip, two_windows())));
  EXPECT_EQ(json["verdict"], "reject");
  EXPECT_EQ(json["score"], 0.0);
  EXPECT_EQ(json["dimensions"].size(), config::kCritics.size() - 1) << "without a slope banding says nothing";
  EXPECT_EQ(json["windows"][1]["frames"], (std::vector<int>{24, 48}));
  const auto& finding = json["findings"][0];
  EXPECT_EQ(finding["dimension"], "light");
  EXPECT_EQ(finding["frames"], (std::vector<int>{7, 7}));
  EXPECT_EQ(finding["window"], 0);
  for (const char* key : {"severity", "box", "message", "remedy", "evidence", "threshold"})
    EXPECT_TRUE(finding.contains(key)) << key;
}

TEST(Critique, RunsOfFramesGiveTheSameTextAsTheWholeClip) {
  const Clip clip = broken_second_window();
  Panel panel(two_windows());
  for (int t = 0; t < clip.frames; t += 5) panel.see(ClipView(clip).range(t, std::min(5, clip.frames - t)));
  EXPECT_EQ(to_json(panel.conclude()), to_json(critique(clip, two_windows())));
}

TEST(Critique, TheSameClipGivesTheSameText) {
  const Clip clip = broken_second_window();
  EXPECT_EQ(to_json(critique(clip, two_windows())), to_json(critique(clip, two_windows())));
}

TEST(Critique, ScoreAndEvidenceAreInverse) {
  EXPECT_EQ(score_of(0, 2), 1.0);
  EXPECT_EQ(score_of(2, 2), 0.5);
  EXPECT_NEAR(score_of(6, 2), 0.1, 1e-12);
  EXPECT_EQ(score_of(NAN, 2), 0.0);
  EXPECT_EQ(score_of(INFINITY, 2), 0.0);
  for (const double score : {0.05, 0.3, 0.9}) EXPECT_NEAR(score_of(evidence_of(score, 3), 3), score, 1e-12);
}

// Five critics on a take of the demo, in processor time, so that a busy machine does not matter.
TEST(Critique, IsQuick) {
  const Clip clip = testing::render(Action::kPan, 1);
  const std::clock_t start = std::clock();
  EXPECT_NE(critique(clip, two_windows()).verdict, Verdict::kUnknown);
  const double seconds = static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
  std::printf("[ measured ] critique of 49 frames 160x90: %.0f ms of processor time\n", 1e3 * seconds);
#ifdef __OPTIMIZE__
  EXPECT_LT(seconds, 1.5);
#endif
}

}  // namespace
}  // namespace rushes::worker
