// Flicker: a part of the picture that is brighter, or darker, than the same part in the frame before and in
// the frame after.
//
// "The same part" is found by motion compensation, so that moving shots count too (VBench's temporal
// flickering, Huang et al. 2024, compares pixels in place and therefore judges still clips only). Light that
// appears or disappears for good, as at the edge of a moving object, differs from one neighbour only and is
// no flicker. Brightness of the whole frame is the exposure critic's.
//
// Evidence of a frame: over its worst kShare of blocks, the median of their mean, in stops, of min(|excess
// before|, |excess after|) where both have the same sign. Limit kLimit: about 8 % of light in a patch, six
// times the 1.3 % or so at which a flickering patch is just seen (de Lange 1958, 10 Hz). It is set by the
// clean clips of tests/worker/critic: of those where fast objects cross, the worst come up to it.
#include <algorithm>
#include <cmath>

#include "worker/critic/critics.h"

namespace rushes::worker {
namespace {

constexpr double kLimit = 0.12;  // stops
constexpr double kShare = 0.03;  // of all blocks

// Mean impulse of every block of the frame before the one measured last.
std::vector<double> impulses(const Meter& measured) {
  const WorkingSize& size = measured.size();
  const Plane &before = measured.before().from_before, &after = measured.before().from_after;
  std::vector<double> sum(static_cast<std::size_t>(size.columns) * size.rows), area(sum.size());
  for (int y = 0; y < size.height; ++y)
    for (int x = 0; x < size.width; ++x) {
      const std::size_t here = static_cast<std::size_t>(y) * size.width + x;
      const std::size_t block = static_cast<std::size_t>(y / kMotionBlock) * size.columns + x / kMotionBlock;
      area[block] += 1;
      if (before[here] * after[here] > 0)
        sum[block] += std::min(std::fabs(before[here]), std::fabs(after[here]));
    }
  for (std::size_t i = 0; i < sum.size(); ++i) sum[i] /= area[i];
  return sum;
}

// The median of the worst blocks: one block whose motion was misjudged does not decide.
double worst_share(std::vector<double> values) {
  const std::size_t count = std::max<std::size_t>(3, static_cast<std::size_t>(kShare * values.size() + 0.5));
  std::sort(values.begin(), values.end(), std::greater<>());
  values.resize(std::min(count, values.size()));
  return median_of(values);
}

class Flicker : public Judge {
 public:
  using Judge::Judge;
  void see(const Look& look) override;
  Assessment conclude() override;

 private:
  Finding describe(const EvidenceRun& run, double evidence) const;
  std::vector<double> evidence_;  // [t]
  std::vector<Box> boxes_;        // [t] around the blocks that flicker
};

// The frame before this one can be judged now; the first and the last frame have no two neighbours.
void Flicker::see(const Look& look) {
  evidence_.push_back(0);
  boxes_.emplace_back();
  if (look.frame < 2) return;
  const std::size_t t = static_cast<std::size_t>(look.frame) - 1;
  const std::vector<double> blocks = impulses(look.measured);
  evidence_[t] = worst_share(blocks);
  std::vector<bool> bad;
  for (const double value : blocks) bad.push_back(value > 0.5 * evidence_[t]);
  boxes_[t] = box_around(look.measured.size(), bad);
}

Finding Flicker::describe(const EvidenceRun& run, double evidence) const {
  Finding finding = make_finding(context(), run.frames, score_of(evidence, kLimit));
  finding.box = boxes_[static_cast<std::size_t>(run.worst)];
  finding.evidence = evidence;
  finding.threshold = kLimit;
  finding.message = "flickers in " + words_of(context(), finding.frames) + ": a part differs by " +
                    decimal(evidence, 2) + " stops from the frames before and after (limit " +
                    decimal(kLimit, 2) + ")";
  finding.remedy = "render the window again with another seed";
  return finding;
}

Assessment Flicker::conclude() {
  Assessment result{evidence_.size() >= 3, kLimit, evidence_, {}};
  for (const EvidenceRun& run : runs_above(evidence_, evidence_of(rule().revise, kLimit)))
    result.findings.push_back(describe(run, evidence_[static_cast<std::size_t>(run.worst)]));
  return result;
}

}  // namespace

extern const Critic kFlicker{"flicker", 1, Needs::kMotion, 250, make_judge<Flicker>};

}  // namespace rushes::worker
