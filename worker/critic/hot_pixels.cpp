// Hot pixels: single pixels far brighter or darker than all eight neighbours.
//
// A channel stands out when its light is more than kStep stops above the largest, or below the smallest, of its eight
// neighbours. Light that a lens or a renderer with antialiased edges makes spreads over several pixels; grain of a few per
// cent is far below it. Measured at full resolution, because any average hides it.
//
// Evidence of a frame: how many pixels stand out. Limit kLimit: one can be a glint, two are seen.
#include <algorithm>
#include <cmath>

#include "worker/critic/critics.h"

namespace rushes::worker {
namespace {

constexpr double kLimit = 1.5;  // pixels
constexpr float kStep = 1.3F;   // stops

struct Spots {
  int count = 0;
  int left = 0, top = 0, right = 0, bottom = 0;  // pixels, both ends included
};

float light_of(const float* pixel, int channel) {
  return std::max(0.0F, pixel[channel]) + kDark;  // NaN becomes the darkest
}

bool stands_out(ClipView frame, int y, int x) {
  static const float factor = std::exp2(kStep);
  for (int c = 0; c < kChannels; ++c) {
    const float here = light_of(frame.at(0, y, x), c);
    // Two neighbours decide for almost every pixel.
    const float left = light_of(frame.at(0, y, x - 1), c), right = light_of(frame.at(0, y, x + 1), c);
    const bool above = here > factor * std::max(left, right), below = here * factor < std::min(left, right);
    if (!above && !below) continue;
    float low = std::min(left, right), high = std::max(left, right);
    for (const int v : {y - 1, y + 1})
      for (int u = x - 1; u <= x + 1; ++u) {
        const float near = light_of(frame.at(0, v, u), c);
        low = std::min(low, near), high = std::max(high, near);
      }
    if (here > factor * high || here * factor < low) return true;
  }
  return false;
}

Spots spots_of(ClipView frame) {
  Spots spots;
  for (int y = 1; y + 1 < frame.height(); ++y)
    for (int x = 1; x + 1 < frame.width(); ++x) {
      if (!stands_out(frame, y, x)) continue;
      if (spots.count++ == 0) spots.left = spots.right = x, spots.top = spots.bottom = y;
      spots.left = std::min(spots.left, x), spots.right = std::max(spots.right, x);
      spots.bottom = y;
    }
  return spots;
}

class HotPixels : public Judge {
 public:
  using Judge::Judge;
  void see(const Look& look) override {
    width_ = look.pixels.width(), height_ = look.pixels.height();
    frames_.push_back(spots_of(look.pixels));
  }
  Assessment conclude() override;

 private:
  int width_ = 0, height_ = 0;
  std::vector<Spots> frames_;  // [t]
};

Assessment HotPixels::conclude() {
  Assessment result{!frames_.empty(), kLimit, {}, {}};
  for (const Spots& spots : frames_) result.evidence.push_back(spots.count);
  for (const EvidenceRun& run : runs_above(result.evidence, evidence_of(rule().revise, kLimit))) {
    const Spots& worst = frames_[static_cast<std::size_t>(run.worst)];
    Finding finding = make_finding(context(), run.frames, score_of(worst.count, kLimit));
    const auto share = [](int pixels, int all) {
      return static_cast<float>(pixels) / static_cast<float>(all);
    };
    finding.box = {share(worst.left, width_), share(worst.top, height_),
                   share(worst.right + 1 - worst.left, width_), share(worst.bottom + 1 - worst.top, height_)};
    finding.evidence = worst.count;
    finding.threshold = kLimit;
    finding.message = words_of(context(), finding.frames) + ": " + std::to_string(worst.count) +
                      " single pixels stand out from all their neighbours (limit 1)";
    finding.remedy =
        "render the window again with another seed; if they stay, the model or its numbers are at fault";
    result.findings.push_back(finding);
  }
  return result;
}

}  // namespace

extern const Critic kHotPixels{"hot_pixels", 1, Needs::kPixels, 900, make_judge<HotPixels>};

}  // namespace rushes::worker
