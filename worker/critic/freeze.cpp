// Freeze: frames that repeat while the shot moves, and a still clip where the prompt asks for movement.
//
// The change of a step (t-1 to t) is the mean of the upper 5 % of differences, as VBench's dynamic degree takes the upper 5 %
// of flow; a change of the whole picture's brightness is taken out, so that a flame moves nothing. A step is frozen when it
// changes less than kFrozen of what the clip's livelier steps (75th percentile) do. Three things look frozen and are not: a
// clip that is still throughout; a movement that turns round (the frame after then resembles the frame before); a movement
// that comes to rest at the end, or has not begun at the start. The last counts only where the frames are identical
// (kIdentical, far below what two decoded frames of a generative model differ by) for kHold steps next to full movement.
//
// Evidence: kOne for a single repeated frame plus kSpan times the share of the clip that the run covers, so
// that one repeat is revised and half a frozen clip is rejected. Limit 1.
#include <algorithm>
#include <array>
#include <cmath>

#include "worker/critic/critics.h"

namespace rushes::worker {
namespace {

constexpr double kLimit = 1.0;
constexpr double kOne = 1.2, kSpan = 4.0;
constexpr double kStill = 0.02;       // stops: below it the livelier steps of a clip do not move
constexpr double kFrozen = 0.1;       // of the livelier steps
constexpr double kIdentical = 0.004;  // stops
constexpr double kAbrupt = 0.5;       // of the livelier steps: full movement
constexpr int kHold = 3;              // steps

double upper_quartile(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() * 3 / 4];
}

class Freeze : public Judge {
 public:
  using Judge::Judge;
  void see(const Look& look) override;
  Assessment conclude() override;

 private:
  bool turns_round(Range run, double lively) const;
  bool is_fault(Range run, double lively) const;
  Finding describe(Range run, double evidence) const;
  void judge_still(Assessment& result) const;
  int frames() const { return static_cast<int>(change_.size()); }
  std::vector<double> change_;   // [t] from t-1 to t
  std::vector<double> gain_;     // [t] of the step from t-1 to t
  std::vector<double> across_;   // [t] difference between t-3 and t, but for their gain
  std::array<Plane, 3> recent_;  // light of the last three frames, at their number modulo three
};

void Freeze::see(const Look& look) {
  const FrameMeasure& now = look.measured.now();
  Plane& oldest = recent_[static_cast<std::size_t>(look.frame) % recent_.size()];
  change_.push_back(now.change);
  gain_.push_back(now.gain);
  float gain = 0;  // of the last three steps
  for (std::size_t t = gain_.size() > 3 ? gain_.size() - 3 : 0; t < gain_.size(); ++t)
    gain -= static_cast<float>(gain_[t]);
  across_.push_back(oldest.empty() ? 0.0 : upper_difference(oldest, now.light, gain));
  oldest = now.light;
}

// Whether the frozen steps [run) are a turning point: the frame after the run looks like the one before it.
bool Freeze::turns_round(Range run, double lively) const {
  if (run.size() > 1 || run.begin < 2 || run.end >= frames()) return false;
  return across_[static_cast<std::size_t>(run.end)] < kAbrupt * lively;
}

// A run of frozen steps is a fault when movement stands on both sides of it, or when frames are identical at
// an end.
bool Freeze::is_fault(Range run, double lively) const {
  const auto moves = [&](int t) { return change_[static_cast<std::size_t>(t)] >= kAbrupt * lively; };
  const bool first = run.begin == 1, last = run.end == frames();
  if (!first && !last) return moves(run.begin - 1) && moves(run.end) && !turns_round(run, lively);
  if (first && last) return false;
  if (run.size() < kHold || !moves(first ? run.end : run.begin - 1)) return false;
  for (int t = run.begin; t < run.end; ++t)
    if (change_[static_cast<std::size_t>(t)] > kIdentical) return false;
  return true;
}

Finding Freeze::describe(Range run, double evidence) const {
  Finding finding = make_finding(context(), run, score_of(evidence, kLimit));
  finding.evidence = evidence;
  finding.threshold = kLimit;
  finding.remedy = "render the window again with another seed";
  return finding;
}

void Freeze::judge_still(Assessment& result) const {
  if (!context().expects_motion) return;
  constexpr double kStillClip = 2.0;  // scores 0.2
  std::fill(result.evidence.begin(), result.evidence.end(), kStillClip);
  if (score_of(kStillClip, kLimit) >= rule().revise) return;
  Finding finding = describe({0, frames()}, kStillClip);
  finding.message = "nothing moves, though the prompt asks for movement";
  result.findings.push_back(finding);
}

Assessment Freeze::conclude() {
  Assessment result{frames() >= 4, kLimit, std::vector<double>(change_.size()), {}};
  if (!result.known) return result;
  const double lively = upper_quartile({change_.begin() + 1, change_.end()});
  if (lively < kStill) {
    judge_still(result);
    return result;
  }
  std::vector<double> frozen(change_.size());
  for (std::size_t t = 1; t < frozen.size(); ++t) frozen[t] = change_[t] < kFrozen * lively ? 1.0 : 0.0;
  for (const EvidenceRun& run : runs_above(frozen, 0.5)) {
    if (!is_fault(run.frames, lively)) continue;
    const double share = static_cast<double>(run.frames.size()) / (frames() - 1);
    const double evidence = kOne + kSpan * share;
    for (int t = run.frames.begin; t < run.frames.end; ++t)
      result.evidence[static_cast<std::size_t>(t)] = evidence;
    if (score_of(evidence, kLimit) >= rule().revise) continue;
    Finding finding = describe(run.frames, evidence);
    finding.message = words_of(context(), finding.frames) +
                      (run.frames.size() == 1 ? " repeats" : " repeat") +
                      " the frame before while the shot moves";
    result.findings.push_back(finding);
  }
  return result;
}

}  // namespace

extern const Critic kFreeze{"freeze", 2, Needs::kMotion, 800, make_judge<Freeze>};

}  // namespace rushes::worker
