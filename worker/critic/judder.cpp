// Judder: a step of the picture's motion that differs from the steps before and after it.
//
// The motion of a step is that of the whole picture (camera.h), in working pixels. A step stands out by the smaller of its
// differences from the step before and the step after: a movement that turns round, begins, ends or accelerates does not,
// because such a step resembles one of its neighbours; a frame that is missing, doubled, out of order or displaced does.
//
// Evidence: how far a step stands out, in units of the shot's own unrest (its 75th percentile of standing out), kShare of
// its speed or kFloor, whichever is largest; a shot that is unsteady throughout is measured by the floor. Limit kLimit.
#include <algorithm>
#include <cmath>

#include "worker/critic/camera.h"
#include "worker/critic/critics.h"

namespace rushes::worker {
namespace {

constexpr double kLimit = 1.5;
constexpr double kFloor = 0.4;   // working pixels
constexpr double kShare = 0.25;  // of the median speed

class Judder : public Judge {
 public:
  using Judge::Judge;
  void see(const Look& look) override {
    std::optional<CameraStep> step;
    const WorkingSize& size = look.measured.size();
    if (look.frame > 0)
      step = camera_step(look.measured.before().light, look.measured.now().light, size.width, size.height,
                         steps_.back().value_or(CameraStep{}));
    steps_.push_back(step);
  }
  Assessment conclude() override;

 private:
  std::vector<std::optional<CameraStep>> steps_;  // [t] from t-1 to t; none: not known
};

Assessment Judder::conclude() {
  Assessment result{false, kLimit, std::vector<double>(steps_.size()), {}};
  for (std::size_t t = 2; t + 1 < steps_.size(); ++t)
    result.known = result.known || (steps_.size() >= 6 && steps_[t - 1] && steps_[t] && steps_[t + 1]);
  if (!result.known) return result;
  std::vector<double> apart_by(steps_.size()), speeds;
  for (std::size_t t = 1; t < steps_.size(); ++t)
    if (steps_[t]) speeds.push_back(apart(*steps_[t], {}));
  for (std::size_t t = 2; t + 1 < steps_.size(); ++t)
    if (steps_[t - 1] && steps_[t] && steps_[t + 1])
      apart_by[t] = std::min(apart(*steps_[t], *steps_[t - 1]), apart(*steps_[t], *steps_[t + 1]));
  std::vector<double> sorted(apart_by.begin() + 2, apart_by.end() - 1);
  std::sort(sorted.begin(), sorted.end());
  const double unrest = sorted[sorted.size() * 3 / 4], floor = std::max(kFloor, kShare * median_of(speeds));
  const double unit = unrest > 2 * floor ? floor : std::max(floor, unrest);
  for (std::size_t t = 0; t < apart_by.size(); ++t) result.evidence[t] = apart_by[t] / unit;
  for (const EvidenceRun& run : runs_above(result.evidence, evidence_of(rule().revise, kLimit))) {
    const auto worst = static_cast<std::size_t>(run.worst);
    Finding finding = make_finding(context(), run.frames, score_of(result.evidence[worst], kLimit));
    finding.evidence = result.evidence[worst];
    finding.threshold = kLimit;
    finding.message =
        "the motion jumps in " + words_of(context(), finding.frames) + ": a step is " +
        decimal(apart_by[worst], 1) +
        " working pixels (at most 256 across) off the ones before and after; a frame may be missing, out of "
        "order or displaced";
    finding.remedy = "render the window again with another seed";
    result.findings.push_back(finding);
  }
  return result;
}

}  // namespace

extern const Critic kJudder{"judder", 1, Needs::kMotion, 9000, make_judge<Judder>};

}  // namespace rushes::worker
