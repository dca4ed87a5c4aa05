// Noise: grain that comes for a few frames and goes again.
//
// Grain is what is left of light after the difference of two Laplacians, [1 -2 1; -2 4 -2; 1 -2 1] / 6, which takes away
// edges and slopes (Immerkaer, "Fast Noise Variance Estimation", Computer Vision and Image Understanding 64, 1996). Blocks of
// kBlock pixels are measured by themselves; the frame's grain is the root mean square of its median block, among those that
// are not black: what burns or moves in a part of the picture does not decide. Light is in stops, so that it does not
// depend on exposure.
//
// A frame is compared with the larger of two medians: of the frames kNear to kFar before it, and of those as far behind it.
// A cut to a rougher picture, a whip pan and a zoom are rough on one side at least; noise that stays to the end counts as
// the picture's own.
//
// Evidence of a frame: its grain beyond that, as a share of kLeast stops or of kShare of the picture's own grain, whichever
// is more. Limit 1: 0.06 stops are 4 % of the light of every pixel, in and out again.
#include <algorithm>
#include <cmath>

#include "worker/critic/critics.h"

namespace rushes::worker {
namespace {

constexpr double kLimit = 1.0;
constexpr double kLeast = 0.06, kShare = 0.5;  // stops; of the picture's own grain
constexpr int kBlock = 16;                     // pixels
constexpr float kBlack = -6;                   // stops
constexpr double kLeastLit = 0.25;             // of the blocks
constexpr int kNear = 3, kFar = 12;            // frames
constexpr std::size_t kLeastFrames = 2;

struct Sums {
  double square = 0, light = 0;
  int count = 0;
};

// Grain of one frame in stops; 0 of one that is mostly black.
double grain(const Plane& light, int width, int height) {
  const int columns = (width + kBlock - 1) / kBlock, lines = (height + kBlock - 1) / kBlock;
  std::vector<Sums> blocks(static_cast<std::size_t>(columns) * static_cast<std::size_t>(lines));
  for (int y = 1; y + 1 < height; ++y) {
    const float* row = light.data() + static_cast<std::size_t>(y) * static_cast<std::size_t>(width);
    const float *above = row - width, *below = row + width;
    Sums* line = blocks.data() + static_cast<std::size_t>(y / kBlock) * static_cast<std::size_t>(columns);
    for (int x = 1; x + 1 < width; ++x) {
      const float rest = (above[x - 1] + above[x + 1] + below[x - 1] + below[x + 1] -
                          2 * (above[x] + below[x] + row[x - 1] + row[x + 1]) + 4 * row[x]) /
                         6;
      Sums& sums = line[x / kBlock];
      sums.square += static_cast<double>(rest * rest);
      sums.light += static_cast<double>(row[x]);
      ++sums.count;
    }
  }
  std::vector<double> lit;
  for (const Sums& sums : blocks)
    if (sums.count > 0 && sums.light > static_cast<double>(kBlack) * sums.count)
      lit.push_back(std::sqrt(sums.square / sums.count));
  const double least = kLeastLit * static_cast<double>(blocks.size());
  return static_cast<double>(lit.size()) < least ? 0 : median_of(std::move(lit));
}

class Noise : public Judge {
 public:
  using Judge::Judge;
  void see(const Look& look) override {
    grain_.push_back(grain(look.stops, look.pixels.width(), look.pixels.height()));
  }
  Assessment conclude() override;

 private:
  double own_at(int t) const;
  std::vector<double> grain_;  // [t], stops
};

// The picture's own grain around frame t; that of the frame itself where too few frames lie on one side.
double Noise::own_at(int t) const {
  const auto here = grain_.begin() + t;
  const auto median = [](auto first, auto last) {
    return last - first < static_cast<std::ptrdiff_t>(kLeastFrames) ? -1 : median_of({first, last});
  };
  const double before =
                   median(grain_.begin() + std::max(0, t - kFar), grain_.begin() + std::max(0, t - kNear)),
               after =
                   median(std::min(here + kNear + 1, grain_.end()), std::min(here + kFar + 1, grain_.end()));
  return before < 0 || after < 0 ? *here : std::max(before, after);
}

Assessment Noise::conclude() {
  Assessment result{
      grain_.size() >= 2 * (kNear + kLeastFrames) + 1, kLimit, std::vector<double>(grain_.size()), {}};
  if (!result.known) return result;
  std::vector<double> more(grain_.size());  // stops
  for (std::size_t t = 0; t < grain_.size(); ++t) {
    const double own = own_at(static_cast<int>(t));
    more[t] = std::sqrt(std::max(0.0, grain_[t] * grain_[t] - own * own));
    result.evidence[t] = more[t] / std::max(kLeast, kShare * own);
  }
  for (const EvidenceRun& run : runs_above(result.evidence, evidence_of(rule().revise, kLimit))) {
    const auto worst = static_cast<std::size_t>(run.worst);
    Finding finding = make_finding(context(), run.frames, score_of(result.evidence[worst], kLimit));
    finding.evidence = more[worst];
    finding.threshold = more[worst] / result.evidence[worst];
    finding.message = words_of(context(), finding.frames) +
                      (run.frames.size() == 1 ? " is noisier" : " are noisier") +
                      " than the frames around: " + decimal(finding.evidence, 2) +
                      " stops of grain more (limit " + decimal(finding.threshold, 2) + ")";
    finding.remedy = "render the window again with another seed";
    result.findings.push_back(finding);
  }
  return result;
}

}  // namespace

extern const Critic kNoise{"noise", 1, Needs::kStops, 700, make_judge<Noise>};

}  // namespace rushes::worker
