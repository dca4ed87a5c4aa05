// Light out of range: values that are no light at all, or that ran into a ceiling.
//
//   NaN, infinity   a single value is a fault that no new seed excuses: score 0
//   beyond half     a magnitude above 65504 becomes infinity in the delivered file (IEEE 754 binary16): score
//   0 negative        below -(kNegative + kNegativeShare * the pixel's largest channel). Saturated colours of
//   AP1 are slightly
//                   negative in AP0 (Academy S-2014-004: -0.0055 of the red channel), and ACEScct code 0 is
//                   -0.0069 (S-2016-001); both are within the bound
//   clipped         code 1.0 of the model's working space (its VAE can make no more), to within kNearCeiling.
//   A flat
//                   emissive surface below the ceiling is no clipping
//
// Evidence: the largest of (negative share / kNegativeLimit) and (clipped share / kClippedLimit); limit 1.
// The limits are shares of the picture that a person would see: 0.1 % (15 pixels of 160x90) of black holes,
// 0.5 % of flat highlights.
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "worker/critic/critics.h"

namespace rushes::worker {
namespace {

constexpr double kLimit = 1.0;
constexpr float kNegative = 0.01F, kNegativeShare = 0.02F;
constexpr float kNearCeiling = 0.0005F;                          // code values
constexpr double kNegativeLimit = 0.001, kClippedLimit = 0.005;  // of all pixels

enum Fault { kBroken, kBelow, kClipped, kFaults };

// Pixels with one fault in one frame, and where they lie.
struct Spot {
  std::int64_t count = 0;
  int left = std::numeric_limits<int>::max(), top = std::numeric_limits<int>::max(), right = -1, bottom = -1;
  void add(int x, int y) {
    ++count;
    left = std::min(left, x);
    right = std::max(right, x);
    top = std::min(top, y);
    bottom = std::max(bottom, y);
  }
};
using Spots = std::array<Spot, kFaults>;

bool broken(const float* rgb) {
  return !(std::fabs(rgb[0]) <= kHalfMax && std::fabs(rgb[1]) <= kHalfMax && std::fabs(rgb[2]) <= kHalfMax);
}

bool below(const float* rgb) {
  const float bound = -(kNegative + kNegativeShare * std::max({rgb[0], rgb[1], rgb[2], 0.0F}));
  return std::min({rgb[0], rgb[1], rgb[2]}) < bound;
}

Spots spots_of(ClipView frame, std::optional<WorkingSpace> space) {
  Spots spots;
  std::vector<float> codes(static_cast<std::size_t>(frame.width()) * kChannels);
  // Code 1.0 as light: pixels far below it need no conversion.
  const float ceiling = space ? curve_decode(*space, 1.0F) : std::numeric_limits<float>::infinity();
  for (int y = 0; y < frame.height(); ++y) {
    const float* row = frame.row(0, y);
    for (int x = 0; x < frame.width(); ++x) {
      const float* rgb = row + static_cast<std::size_t>(x) * kChannels;
      if (broken(rgb)) {
        spots[kBroken].add(x, y);
        continue;
      }
      if (below(rgb)) spots[kBelow].add(x, y);
      if (std::max({rgb[0], rgb[1], rgb[2]}) < 0.2F * ceiling) continue;
      encode_pixels(*space, rgb, codes.data(), 1);
      if (std::max({codes[0], codes[1], codes[2]}) >= 1.0F - kNearCeiling) spots[kClipped].add(x, y);
    }
  }
  return spots;
}

class Light : public Judge {
 public:
  using Judge::Judge;
  void see(const Look& look) override {
    width_ = look.pixels.width();
    height_ = look.pixels.height();
    frames_.push_back(spots_of(look.pixels, context().space));
  }
  Assessment conclude() override;

 private:
  double share_of(const Spot& spot) const {
    return static_cast<double>(spot.count) / (static_cast<double>(width_) * height_);
  }
  double evidence_of_fault(Fault fault, const Spot& spot) const;
  Box box_of(const Spot& spot) const;
  Finding describe(Fault fault, const EvidenceRun& run, const Spot& spot, double evidence) const;
  int width_ = 0, height_ = 0;  // pixels
  std::vector<Spots> frames_;   // [t]
};

double Light::evidence_of_fault(Fault fault, const Spot& spot) const {
  if (fault == kBroken) return spot.count > 0 ? std::numeric_limits<double>::infinity() : 0.0;
  return share_of(spot) / (fault == kBelow ? kNegativeLimit : kClippedLimit);
}

Box Light::box_of(const Spot& spot) const {
  const auto w = static_cast<float>(width_), h = static_cast<float>(height_);
  return {static_cast<float>(spot.left) / w, static_cast<float>(spot.top) / h,
          static_cast<float>(spot.right + 1 - spot.left) / w,
          static_cast<float>(spot.bottom + 1 - spot.top) / h};
}

Finding Light::describe(Fault fault, const EvidenceRun& run, const Spot& spot, double evidence) const {
  Finding finding = make_finding(context(), run.frames, score_of(evidence, kLimit));
  finding.box = box_of(spot);
  const std::string frames = words_of(context(), finding.frames),
                    percent = decimal(100 * share_of(spot), 2) + " %";
  if (fault == kBroken) {
    finding.evidence = static_cast<double>(spot.count);
    finding.threshold = 0;
    finding.message =
        frames + ": " + std::to_string(spot.count) + " pixels are NaN, infinite or beyond half float (65504)";
    finding.remedy = "render the window again; if it stays, the model or its numbers are at fault";
    return finding;
  }
  finding.evidence = share_of(spot);
  finding.threshold = fault == kBelow ? kNegativeLimit : kClippedLimit;
  finding.message = fault == kBelow
                        ? frames + ": " + percent + " of the pixels are negative beyond any real colour"
                        : frames + ": " + percent + " of the pixels are clipped at the model's ceiling";
  finding.remedy = fault == kBelow
                       ? "render the window again with another seed"
                       : "render the window again with another seed, or ask for less light in the prompt";
  return finding;
}

Assessment Light::conclude() {
  Assessment result{!frames_.empty(), kLimit, std::vector<double>(frames_.size()), {}};
  const double bound = evidence_of(rule().revise, kLimit);
  for (const Fault fault : {kBroken, kBelow, kClipped}) {
    std::vector<double> evidence;
    for (std::size_t t = 0; t < frames_.size(); ++t) {
      evidence.push_back(evidence_of_fault(fault, frames_[t][fault]));
      result.evidence[t] = std::max(result.evidence[t], evidence[t]);
    }
    for (const EvidenceRun& run : runs_above(evidence, bound)) {
      const auto worst = static_cast<std::size_t>(run.worst);
      result.findings.push_back(describe(fault, run, frames_[worst][fault], evidence[worst]));
    }
  }
  return result;
}

}  // namespace

extern const Critic kLight{"light", 1, Needs::kPixels, 300, make_judge<Light>};

}  // namespace rushes::worker
