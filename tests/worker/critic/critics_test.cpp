// The table of critics, and what a new row needs: a critic of this test runs, blocks and advises.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <ctime>

#include "tests/worker/critic/one_critic.h"
#include "tests/worker/critic/scene.h"
#include "worker/critic/critique.h"

namespace rushes::worker {
namespace {

// Finds frames whose first pixel is bright in its first channel: its value is the evidence, the limit is 1.
class Beacon : public Judge {
 public:
  using Judge::Judge;
  void see(const Look& look) override { evidence_.push_back(*look.pixels.at(0, 0, 0)); }
  Assessment conclude() override {
    Assessment result{true, 1.0, evidence_, {}};
    for (const EvidenceRun& run : runs_above(evidence_, evidence_of(rule().revise, 1.0)))
      result.findings.push_back(
          make_finding(context(), run.frames, score_of(evidence_[static_cast<std::size_t>(run.worst)], 1.0)));
    return result;
  }

 private:
  std::vector<double> evidence_;
};

const Critic kBeacon{"beacon", 7, Needs::kPixels, 10, make_judge<Beacon>};

Clip beacon_at(int frame, float value) {
  Clip clip(8, 8, 6);
  *clip.at(frame, 0, 0) = value;
  return clip;
}

CriticContext with_beacon(bool blocks) {
  CriticContext context;
  context.windows = {{0, 4}, {2, 6}};
  context.rules = {{"beacon", true, blocks, 0.5F, 0.1F}};
  return context;
}

const std::array<const Critic*, 1> kTable{&kBeacon};

TEST(NewCritic, RunsAndBlocks) {
  const ClipCritique revise = critique(beacon_at(5, 2.0F), with_beacon(true), kTable);
  EXPECT_EQ(revise.verdict, Verdict::kRevise);
  EXPECT_EQ(revise.critics, "beacon/7");
  ASSERT_EQ(revise.findings.size(), 1u);
  EXPECT_EQ(revise.findings[0].dimension, "beacon");
  EXPECT_EQ(revise.findings[0].frames, (Range{5, 6}));
  EXPECT_TRUE(revise.findings[0].blocks);
  EXPECT_EQ(revise.windows[0].verdict, Verdict::kPass);
  EXPECT_EQ(revise.windows[1].verdict, Verdict::kRevise);
  EXPECT_EQ(critique(beacon_at(5, 4.0F), with_beacon(true), kTable).verdict, Verdict::kReject);
  EXPECT_EQ(critique(beacon_at(5, 0.5F), with_beacon(true), kTable).verdict, Verdict::kPass);
}

TEST(NewCritic, WithoutARuleOrSwitchedOffItDoesNotRun) {
  CriticContext context = with_beacon(true);
  context.rules[0].enabled = false;
  EXPECT_EQ(critique(beacon_at(5, 9.0F), context, kTable).critics, "");
  context.rules.clear();
  EXPECT_EQ(critique(beacon_at(5, 9.0F), context, kTable).verdict, Verdict::kUnknown);
}

// Advice beside the farm's critics: findings and its dimension are added, everything else stays.
TEST(NewCritic, AdvisesWithoutChangingVerdictOrScore) {
  Clip clip = testing::render(testing::Action::kMove, 1, {64, 36, 12, true});
  *clip.at(5, 0, 0) = 20.0F;
  std::vector<const Critic*> table(critics().begin(), critics().end());
  CriticContext context;
  context.space = WorkingSpace::kAcescct;
  const ClipCritique without = critique(clip, context, table);
  table.push_back(&kBeacon);
  context.rules.push_back({"beacon", true, false, 0.5F, 0.1F});
  const ClipCritique with = critique(clip, context, table);
  EXPECT_EQ(with.verdict, Verdict::kPass);
  EXPECT_EQ(with.verdict, without.verdict);
  EXPECT_EQ(with.score, without.score);
  EXPECT_EQ(with.windows[0].verdict, without.windows[0].verdict);
  EXPECT_EQ(with.windows[0].score, without.windows[0].score);
  ASSERT_EQ(with.findings.size(), without.findings.size() + 1);
  EXPECT_FALSE(with.findings.back().blocks);
  EXPECT_EQ(with.dimensions.back().dimension, "beacon");
  EXPECT_LT(with.dimensions.back().score, 0.1);
  EXPECT_FALSE(with.dimensions.back().blocks);
  EXPECT_EQ(with.critics, without.critics + " beacon/7");
}

TEST(NewCritic, AdviceStandsBehindFindingsThatBlock) {
  Clip clip = testing::render(testing::Action::kPan, 1, {64, 36, 20, true});
  testing::copy_frame(clip, 9, 10);
  *clip.at(5, 0, 0) = 20.0F;
  std::vector<const Critic*> table(critics().begin(), critics().end());
  table.push_back(&kBeacon);
  CriticContext context;
  context.rules.push_back({"beacon", true, false, 0.5F, 0.1F});
  const ClipCritique result = critique(clip, context, table);
  EXPECT_EQ(result.verdict, Verdict::kRevise);
  ASSERT_GE(result.findings.size(), 2u);
  EXPECT_EQ(result.findings.front().dimension, "freeze");
  EXPECT_FALSE(result.findings.back().blocks);
  EXPECT_TRUE(std::is_sorted(result.findings.begin(), result.findings.end(),
                             [](const Finding& a, const Finding& b) { return a.blocks && !b.blocks; }));
  EXPECT_TRUE(std::any_of(result.findings.begin(), result.findings.end(),
                          [](const Finding& finding) { return finding.dimension == "beacon"; }));
}

TEST(NewCritic, TheTableAndTheDataMustAgree) {
  EXPECT_TRUE(check_critics()) << check_critics().error().message;
  std::vector<const Critic*> table(critics().begin(), critics().end());
  table[4] = &kBeacon;
  const Status status = check_critics(table);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().message,
            "critic \"beacon\": missing in config/critics.h; critic \"seam\": missing in "
            "worker/critic/critics.cpp");
}

TEST(Critics, RunInTheOrderOfTheData) {
  ASSERT_EQ(critics().size(), config::kCritics.size());
  for (std::size_t i = 0; i < critics().size(); ++i) EXPECT_EQ(critics()[i]->name, config::kCritics[i].name);
}

// A critic that becomes slow changes its row, so that somebody sees it.
TEST(Critics, CostWhatTheirRowsSay) {
  const Clip clip = testing::render(testing::Action::kPan, 1, {256, 144, 24, true});
  CriticContext context;
  context.windows = {{0, 16}, {8, 24}};
  context.space = WorkingSpace::kAcescct;
  std::vector<std::unique_ptr<Judge>> judges;
  std::vector<std::clock_t> spent(critics().size());
  for (std::size_t i = 0; i < critics().size(); ++i)
    judges.push_back(critics()[i]->judge(context, context.rules[i]));
  Meter meter;
  const auto timed = [&](std::size_t i, const auto& work) {
    const std::clock_t start = std::clock();
    work(*judges[i]);
    spent[i] += std::clock() - start;
  };
  for (int t = 0; t < clip.frames; ++t) {
    meter.add(ClipView(clip).one(t));
    const Plane stops = stops_of(ClipView(clip).one(t));
    for (std::size_t i = 0; i < judges.size(); ++i)
      timed(i, [&](Judge& judge) { judge.see({t, ClipView(clip).one(t), stops, meter}); });
  }
  for (std::size_t i = 0; i < judges.size(); ++i) {
    timed(i, [](Judge& judge) { judge.conclude(); });
    const double each = 1e6 * static_cast<double>(spent[i]) / CLOCKS_PER_SEC / clip.frames;
    std::printf("[ measured ] %-10s %6.0f us a frame, at most %d\n", std::string(critics()[i]->name).c_str(),
                each, critics()[i]->cost);
#if defined(__OPTIMIZE__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    EXPECT_LE(each, critics()[i]->cost) << critics()[i]->name;
#endif
  }
}

}  // namespace
}  // namespace rushes::worker
