// Sharpness: frames that are softer than the rest of the shot.
//
// How wide the picture's edges are, at full resolution: across an edge that is a Gaussian of deviation w, the squared
// first differences of light sum up to 2 w^2 times the squared second differences (the integrals of g^2 and g'^2 of a
// Gaussian g). Light is in stops, so that a width does not depend on exposure. Blocks of kBlock pixels are measured by
// themselves, rows and columns together; the frame's width is the median of its strongest kShare, if their contrast is
// above kContrast: flat blocks would measure grain.
//
// Evidence of a frame: how much wider its edges are than those of the shot's sharper quarter, in octaves. Limit kLimit,
// 1.4 times as wide: a width of 0.6 pixels, as the renderer's own edges have, becomes that by a blur of 0.6 pixels. A
// zoom into a soft texture widens its edges as well, by less over a shot.
#include <algorithm>
#include <cmath>

#include "worker/critic/critics.h"

namespace rushes::worker {
namespace {

constexpr double kLimit = 0.5;  // octaves
constexpr int kBlock = 16;      // pixels
constexpr double kShare = 0.1;
constexpr double kContrast = 0.03;  // stops a pixel, root mean square over a block
constexpr std::size_t kLeastBlocks = 4;

struct Sums {
  double first = 0, second = 0;
};

// Width of the edges of one frame, in pixels; 0 where nothing has contrast.
double edge_width(const Plane& light, int width, int height) {
  const int columns = (width + kBlock - 1) / kBlock, lines = (height + kBlock - 1) / kBlock;
  std::vector<Sums> blocks(static_cast<std::size_t>(columns) * static_cast<std::size_t>(lines));
  const auto add = [](Sums& sums, float before, float here, float after) {
    const float first = 0.5F * ((here - before) * (here - before) + (after - here) * (after - here)),
                second = before - 2 * here + after;
    sums.first += static_cast<double>(first);
    sums.second += static_cast<double>(second * second);
  };
  for (int y = 1; y + 1 < height; ++y) {
    const float* row = light.data() + static_cast<std::size_t>(y) * static_cast<std::size_t>(width);
    Sums* line = blocks.data() + static_cast<std::size_t>(y / kBlock) * static_cast<std::size_t>(columns);
    for (int x = 1; x + 1 < width; ++x) {
      add(line[x / kBlock], row[x - 1], row[x], row[x + 1]);
      add(line[x / kBlock], row[x - width], row[x], row[x + width]);
    }
  }
  const double least = kContrast * kContrast * kBlock * kBlock;
  std::erase_if(blocks, [&](const Sums& sums) { return sums.first < least; });
  if (blocks.size() < kLeastBlocks) return 0;
  const auto count = std::min(
      blocks.size(), std::max(kLeastBlocks, static_cast<std::size_t>(kShare * static_cast<double>(columns) *
                                                                     static_cast<double>(lines))));
  std::nth_element(blocks.begin(), blocks.begin() + static_cast<std::ptrdiff_t>(count - 1), blocks.end(),
                   [](const Sums& a, const Sums& b) { return a.first > b.first; });
  std::vector<double> widths;
  for (std::size_t i = 0; i < count; ++i)
    widths.push_back(std::sqrt(blocks[i].first / (2 * std::max(blocks[i].second, 1e-12))));
  return median_of(widths);
}

class Sharpness : public Judge {
 public:
  using Judge::Judge;
  void see(const Look& look) override {
    width_.push_back(edge_width(look.stops, look.pixels.width(), look.pixels.height()));
  }
  Assessment conclude() override;

 private:
  std::vector<double> width_;  // [t], pixels; 0: unknown
};

Assessment Sharpness::conclude() {
  Assessment result{false, kLimit, std::vector<double>(width_.size()), {}};
  std::vector<double> known;
  for (const double width : width_)
    if (width > 0) known.push_back(width);
  result.known = known.size() >= 4;
  if (!result.known) return result;
  std::sort(known.begin(), known.end());
  const double sharp = known[known.size() / 4];
  for (std::size_t t = 0; t < width_.size(); ++t)
    if (width_[t] > 0) result.evidence[t] = std::max(0.0, std::log2(width_[t] / sharp));
  for (const EvidenceRun& run : runs_above(result.evidence, evidence_of(rule().revise, kLimit))) {
    const double evidence = result.evidence[static_cast<std::size_t>(run.worst)];
    Finding finding = make_finding(context(), run.frames, score_of(evidence, kLimit));
    finding.evidence = std::exp2(evidence);
    finding.threshold = std::exp2(kLimit);
    finding.message = words_of(context(), finding.frames) +
                      (run.frames.size() == 1 ? " is softer" : " are softer") +
                      " than the rest of the shot: edges are " + decimal(finding.evidence, 1) +
                      " times as wide (limit " + decimal(finding.threshold, 1) + ")";
    finding.remedy = "render the window again with another seed";
    result.findings.push_back(finding);
  }
  return result;
}

}  // namespace

extern const Critic kSharpness{"sharpness", 1, Needs::kStops, 1200, make_judge<Sharpness>};

}  // namespace rushes::worker
