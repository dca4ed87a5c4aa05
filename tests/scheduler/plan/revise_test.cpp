#include "scheduler/plan/revise.h"

#include <gtest/gtest.h>

namespace rushes::scheduler {
namespace {

ShotSpec spec_with(std::uint32_t windows, std::uint32_t budget) {
  ShotSpec spec;
  for (int w = 0; w < static_cast<int>(windows); ++w) spec.recipe.windows.push_back({w * 5, w * 5 + 9});
  spec.revise_windows = budget;
  return spec;
}

Finding finding(const char* dimension, std::uint32_t window, float severity) {
  Finding f;
  f.dimension = dimension;
  f.window = static_cast<int>(window);
  f.severity = severity;
  f.frames = {2, 6};
  return f;
}

TEST(Revise, OnlyTheWindowsThatWereFoundWorstFirst) {
  const std::vector<Finding> findings{finding("flicker", 1, 0.2f), finding("freeze", 3, 0.9f),
                                      finding("light", 3, 0.1f), finding("flicker", 0, 0.0f)};
  EXPECT_EQ(choose_revision(spec_with(5, 4), findings, {}).windows, (std::vector<std::uint32_t>{1, 3}));
  const RevisionChoice one = choose_revision(spec_with(5, 1), findings, {});
  EXPECT_EQ(one.windows, (std::vector<std::uint32_t>{3}));
  EXPECT_NE(one.reason.find("freeze in window 3, frames 1003-1006"), std::string::npos) << one.reason;
}

TEST(Revise, ASeamIsAnsweredByOneOfItsWindows) {
  EXPECT_EQ(choose_revision(spec_with(3, 4), std::vector{finding("seam", 1, 0.5f)}, {}).windows,
            (std::vector<std::uint32_t>{1}));
  EXPECT_EQ(
      choose_revision(spec_with(3, 4), std::vector{finding("seam", 1, 0.5f), finding("flicker", 0, 0.5f)}, {})
          .windows,
      (std::vector<std::uint32_t>{0}))
      << "the worse of the two is rendered again, the other is what it has to agree with";
}

TEST(Revise, AdviceAsksForNothing) {
  Finding advice = finding("exposure", 2, 0.9f);
  advice.blocks = false;
  EXPECT_EQ(choose_revision(spec_with(3, 4), std::vector{advice, finding("flicker", 0, 0.2f)}, {}).windows,
            (std::vector<std::uint32_t>{0}));
  EXPECT_TRUE(choose_revision(spec_with(3, 4), std::vector{advice}, {}).windows.empty());
  EXPECT_FALSE(asks_for_revision(advice));
}

TEST(Revise, StaysInsideTheBudget) {
  const std::vector<Finding> findings{finding("flicker", 0, 0.5f), finding("flicker", 1, 0.6f),
                                      finding("flicker", 2, 0.7f)};
  EXPECT_TRUE(choose_revision(spec_with(3, 0), findings, {}).windows.empty());
  EXPECT_TRUE(choose_revision(spec_with(3, 2), findings, {2, 0, 0}).windows.empty());
  EXPECT_EQ(choose_revision(spec_with(3, 3), findings, {2, 0, 0}).windows, (std::vector<std::uint32_t>{2}));
  ShotSpec spec = spec_with(3, 9);
  spec.revise_device_seconds = 25;
  EXPECT_EQ(choose_revision(spec, findings, {0, 0, 10}).windows, (std::vector<std::uint32_t>{1, 2}));
  EXPECT_TRUE(choose_revision(spec, findings, {1, 20, 10}).windows.empty());
  EXPECT_TRUE(choose_revision(spec_with(3, 2), {}, {}).windows.empty());
  EXPECT_FALSE(choose_revision(spec_with(3, 2), {}, {}).reason.empty()) << "the reason against is given too";
}

}  // namespace
}  // namespace rushes::scheduler
