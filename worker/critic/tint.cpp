// Tint: the colour of the whole picture steps or drifts.
//
// Colour is log2(R/G) and log2(B/G), in stops. The change of a step is the median change of matched pixels (measure.h), so
// objects that move, enter or leave do not count, nor does a pan to another place.
//
// Step: the change over the last one, two or three frames beyond the local trend, which is the median of the steps within
// half a second, as the critic of exposure has it; limit kStep. Drift: the sum of all changes since the shot's first
// frames, with the trend in place of what is a step; limit kDrift. 0.1 stops are 7 % of red or blue against green, plainly
// seen from one frame to the next; nobody sees them come over seconds, so a drift is allowed three times as much.
//
// Evidence of a frame: the larger of both shares of their limits. Limit 1.
#include <algorithm>
#include <array>
#include <cmath>

#include "worker/critic/critics.h"

namespace rushes::worker {
namespace {

constexpr double kLimit = 1.0;
constexpr double kStep = 0.1, kDrift = 0.3;  // stops
constexpr int kSpan = 3;                     // frames
constexpr int kTrend = 12;                   // frames to either side

using Axes = std::array<double, 2>;
double length(const Axes& axes) { return std::hypot(axes[0], axes[1]); }

class Tint : public Judge {
 public:
  using Judge::Judge;
  void see(const Look& look) override { change_.push_back(look.measured.now().tint_change); }
  Assessment conclude() override;

 private:
  Axes trend_at(int t) const;
  double step_at(int t) const;
  void report(Assessment& result, const std::vector<double>& stops, double limit, const char* what) const;
  std::vector<Axes> change_;  // [t] of the step from t-1 to t
};

Axes Tint::trend_at(int t) const {
  const int first = std::max(1, t - kTrend),
            last = std::min(static_cast<int>(change_.size()) - 1, t + kTrend);
  Axes trend{};
  for (std::size_t axis = 0; axis < 2; ++axis) {
    std::vector<double> near;
    for (int i = first; i <= last; ++i) near.push_back(change_[static_cast<std::size_t>(i)][axis]);
    trend[axis] = median_of(near);
  }
  return trend;
}

double Tint::step_at(int t) const {
  const Axes trend = trend_at(t);
  Axes change{};
  double worst = 0;
  for (int k = 0; k < kSpan && t - k >= 1; ++k) {
    for (std::size_t axis = 0; axis < 2; ++axis)
      change[axis] += change_[static_cast<std::size_t>(t - k)][axis] - trend[axis];
    worst = std::max(worst, length(change));
  }
  return worst;
}

void Tint::report(Assessment& result, const std::vector<double>& stops, double limit,
                  const char* what) const {
  std::vector<double> evidence;
  for (std::size_t t = 0; t < stops.size(); ++t) {
    evidence.push_back(stops[t] / limit);
    result.evidence[t] = std::max(result.evidence[t], evidence[t]);
  }
  for (const EvidenceRun& run : runs_above(evidence, evidence_of(rule().revise, kLimit))) {
    const auto worst = static_cast<std::size_t>(run.worst);
    Finding finding = make_finding(context(), run.frames, score_of(evidence[worst], kLimit));
    finding.evidence = stops[worst];
    finding.threshold = limit;
    finding.message = std::string("the picture's colour ") + what + " in " +
                      words_of(context(), finding.frames) + ": " + decimal(stops[worst], 2) +
                      " stops of red or blue against green (limit " + decimal(limit, 2) + ")";
    finding.remedy = "render the window again with another seed";
    result.findings.push_back(finding);
  }
}

Assessment Tint::conclude() {
  const auto frames = static_cast<int>(change_.size());
  Assessment result{frames >= 5, kLimit, std::vector<double>(change_.size()), {}};
  if (!result.known) return result;
  std::vector<double> steps(change_.size()), drift(change_.size());
  Axes sum{};
  for (int t = 1; t < frames; ++t) {
    const auto at = static_cast<std::size_t>(t);
    steps[at] = step_at(t);
    const Axes change = steps[at] > kStep ? trend_at(t) : change_[at];
    for (std::size_t axis = 0; axis < 2; ++axis) sum[axis] += change[axis];
    drift[at] = length(sum);
  }
  report(result, steps, kStep, "jumps");
  report(result, drift, kDrift, "drifts away from the first frames'");
  return result;
}

}  // namespace

extern const Critic kTint{"tint", 2, Needs::kMotion, 30, make_judge<Tint>};

}  // namespace rushes::worker
