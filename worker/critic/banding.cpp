// Banding: a smooth change of light across the picture in steps. Bands wider than some ten pixels are not seen, nor those of
// a change from top to bottom.
//
// A row of green light, in stops, is cut into runs of kRun pixels. A run that changes by kLeast to kMost stops from end to end
// and hardly turns round is a slope. In one that went through too few code values most pixels equal the one before and the
// others differ from it by the same step: at least kSteps steps, the largest at most kAlike times the smallest. A slope of
// real light, or of a model's, goes in as many steps as it has pixels; an edge, or the rim of a shadow, in few that differ.
//
// Evidence of a frame: the share of banded slopes. Limit kLimit. Fewer than kSlopes slopes say nothing.
#include <algorithm>
#include <cmath>

#include "worker/critic/critics.h"

namespace rushes::worker {
namespace {

constexpr double kLimit = 0.25;
constexpr int kRun = 32, kSlopes = 12, kSteps = 3;
constexpr float kLeast = 0.06F, kMost = 1.5F;  // stops
constexpr float kTurn = 0.1F;                  // of the change
constexpr float kEqual = 0.05F;                // of the run's mean step
constexpr float kAlike = 1.6F;

class Banding : public Judge {
 public:
  using Judge::Judge;
  void see(const Look& look) override;
  Assessment conclude() override;

 private:
  std::vector<double> evidence_;  // [t]
  bool known_ = false;            // some frame had slopes
};

enum class Run { kOther, kSmooth, kBanded };

Run run_of(const float* run) {
  const float change = run[kRun - 1] - run[0];
  if (std::fabs(change) < kLeast || std::fabs(change) > kMost) return Run::kOther;
  const float equal = kEqual * std::fabs(change) / (kRun - 1), sign = change > 0 ? 1.0F : -1.0F;
  float back = 0, smallest = kMost, largest = 0;
  int steps = 0;
  for (int i = 1; i < kRun; ++i) {
    const float step = sign * (run[i] - run[i - 1]);
    back += std::max(0.0F, -step);
    if (step <= equal) continue;
    ++steps;
    smallest = std::min(smallest, step), largest = std::max(largest, step);
  }
  if (back > kTurn * std::fabs(change)) return Run::kOther;
  return steps >= kSteps && 2 * steps < kRun && largest <= kAlike * smallest ? Run::kBanded : Run::kSmooth;
}

void Banding::see(const Look& look) {
  const ClipView frame = look.pixels;
  std::vector<float> row(static_cast<std::size_t>(frame.width()));
  int slopes = 0, banded = 0;
  for (int y = 0; y < frame.height(); y += 4) {
    for (int x = 0; x < frame.width(); ++x)
      row[static_cast<std::size_t>(x)] = std::log2(std::max(0.0F, frame.at(0, y, x)[1]) + kDark);
    for (int x = 0; x + kRun <= frame.width(); x += kRun / 2) {
      const Run run = run_of(row.data() + x);
      slopes += run != Run::kOther;
      banded += run == Run::kBanded;
    }
  }
  known_ = known_ || slopes >= kSlopes;
  evidence_.push_back(slopes < kSlopes ? 0.0 : static_cast<double>(banded) / slopes);
}

Assessment Banding::conclude() {
  Assessment result{known_, kLimit, evidence_, {}};
  for (const EvidenceRun& run : runs_above(evidence_, evidence_of(rule().revise, kLimit))) {
    const double evidence = evidence_[static_cast<std::size_t>(run.worst)];
    Finding finding = make_finding(context(), run.frames, score_of(evidence, kLimit));
    finding.evidence = evidence;
    finding.threshold = kLimit;
    finding.message = words_of(context(), finding.frames) + ": " + decimal(100 * evidence, 0) +
                      " % of the smooth changes of light go in equal steps (limit " +
                      decimal(100 * kLimit, 0) + " %)";
    finding.remedy = "look for a step with few code values between model and file";
    result.findings.push_back(finding);
  }
  return result;
}

}  // namespace

extern const Critic kBanding{"banding", 1, Needs::kPixels, 200, make_judge<Banding>};

}  // namespace rushes::worker
