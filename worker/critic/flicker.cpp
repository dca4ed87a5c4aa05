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

// Mean impulse of every block of frame t.
std::vector<double> impulses(const Measures& measures, std::size_t t) {
  const Plane &before = measures.from_before[t], &after = measures.from_after[t];
  std::vector<double> sum(static_cast<std::size_t>(measures.columns) * measures.rows), area(sum.size());
  for (int y = 0; y < measures.height; ++y)
    for (int x = 0; x < measures.width; ++x) {
      const std::size_t here = static_cast<std::size_t>(y) * measures.width + x;
      const std::size_t block =
          static_cast<std::size_t>(y / kMotionBlock) * measures.columns + x / kMotionBlock;
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

Finding describe(const Measures& measures, const CriticContext& context, const EvidenceRun& run,
                 double evidence) {
  Finding finding = make_finding(CriticName::kFlicker, context, run.frames, score_of(evidence, kLimit));
  std::vector<bool> bad;
  for (const double value : impulses(measures, static_cast<std::size_t>(run.worst)))
    bad.push_back(value > 0.5 * evidence);
  finding.box = box_around(measures, bad);
  finding.evidence = evidence;
  finding.threshold = kLimit;
  finding.message = "flickers in " + words_of(finding.frames) + ": a part differs by " +
                    decimal(evidence, 2) + " stops from the frames before and after (limit " +
                    decimal(kLimit, 2) + ")";
  finding.remedy = "render the window again with another seed";
  return finding;
}

}  // namespace

Assessment judge_flicker(const Measures& measures, const CriticContext& context) {
  Assessment result{CriticName::kFlicker, measures.frames >= 3, kLimit, {}, {}};
  result.evidence.assign(static_cast<std::size_t>(measures.frames), 0.0);
  for (std::size_t t = 1; t + 1 < result.evidence.size(); ++t)
    result.evidence[t] = worst_share(impulses(measures, t));
  const double bound =
      evidence_of(context.settings[static_cast<std::size_t>(CriticName::kFlicker)].revise, kLimit);
  for (const EvidenceRun& run : runs_above(result.evidence, bound))
    result.findings.push_back(
        describe(measures, context, run, result.evidence[static_cast<std::size_t>(run.worst)]));
  return result;
}

}  // namespace rushes::worker
