// Exposure pumping: the whole picture gets brighter or darker faster than its light does otherwise.
//
// The gain of a step is the median change of matched pixels (measure.h), so objects that move, enter or leave
// do not count. Evidence of a frame: the largest change over the last one, two or three frames (an eighth of
// a second at 24 frames per second) beyond the local trend, which is the median gain of the steps within half
// a second. A slow change of light is trend; a jump, a flash and an oscillation are not.
//
// Limit kLimit: 0.15 stops, about 11 % of light, half of the third of a stop that camera exposure is set in;
// a jump of that size is plainly seen (the Weber fraction of a step in time is 2 to 3 %), while the slow
// fades of the tests stay below a third of it.
#include <algorithm>
#include <cmath>

#include "worker/critic/critics.h"

namespace rushes::worker {
namespace {

constexpr double kLimit = 0.15;  // stops
constexpr int kSpan = 3;         // frames
constexpr int kTrend = 12;       // frames to either side

double trend_at(const std::vector<double>& gain, int t) {
  const int first = std::max(1, t - kTrend), last = std::min(static_cast<int>(gain.size()) - 1, t + kTrend);
  return median_of({gain.begin() + first, gain.begin() + last + 1});
}

class Exposure : public Judge {
 public:
  using Judge::Judge;
  void see(const Look& look) override { gain_.push_back(look.measured.now().gain); }
  Assessment conclude() override;

 private:
  double change_at(int t) const;  // the largest over the last kSpan frames, signed
  std::vector<double> gain_;      // [t] of the step from t-1 to t
};

double Exposure::change_at(int t) const {
  const double trend = trend_at(gain_, t);
  double change = 0, worst = 0;
  for (int k = 0; k < kSpan && t - k >= 1; ++k) {
    change += gain_[static_cast<std::size_t>(t - k)] - trend;
    if (std::fabs(change) > std::fabs(worst)) worst = change;
  }
  return worst;
}

Assessment Exposure::conclude() {
  Assessment result{gain_.size() >= 5, kLimit, std::vector<double>(gain_.size()), {}};
  if (!result.known) return result;
  std::vector<double> signed_change(gain_.size());
  for (std::size_t t = 1; t < gain_.size(); ++t) {
    signed_change[t] = change_at(static_cast<int>(t));
    result.evidence[t] = std::fabs(signed_change[t]);
  }
  for (const EvidenceRun& run : runs_above(result.evidence, evidence_of(rule().revise, kLimit))) {
    const double change = signed_change[static_cast<std::size_t>(run.worst)];
    Finding finding = make_finding(context(), run.frames, score_of(change, kLimit));
    finding.evidence = std::fabs(change);
    finding.threshold = kLimit;
    finding.message = "exposure jumps in " + words_of(context(), finding.frames) + ": the picture gets " +
                      decimal(std::fabs(change), 2) + " stops " + (change > 0 ? "brighter" : "darker") +
                      " than its light explains (limit " + decimal(kLimit, 2) + ")";
    finding.remedy = "render the window again with another seed";
    result.findings.push_back(finding);
  }
  return result;
}

}  // namespace

extern const Critic kExposure{"exposure", 1, Needs::kMotion, 20, make_judge<Exposure>};

}  // namespace rushes::worker
