// Seam: a step between two windows that stands out from the steps around it.
//
// Windows overlap; inside the overlap, and one step to either side of it, one window hands over to the next.
// Four quantities of each step are compared with the same quantities of the steps that lie inside one window
// only:
//   appearance   mean of the upper quarter of what motion does not explain, both ways, in stops
//   gain         change of brightness of matched pixels, in stops
//   tint         change of the picture's mean log2(R/G) and log2(B/G), in stops
//   motion       change of the mean displacement of the blocks that move, in pixels
// Evidence of a step: for the worst quantity, how far it lies above the median of the other steps, in units
// of their spread (90th percentile less median, and at least the floor of that quantity). Limit kLimit: steps
// of clean clips reach 1 by definition of the spread and seldom 2.
//
// With no second window, or fewer than kOthers steps to compare with, there is nothing to judge.
#include <algorithm>
#include <array>
#include <cmath>

#include "worker/critic/critics.h"

namespace rushes::worker {
namespace {

constexpr double kLimit = 4.0;
constexpr int kOthers = 6;  // steps
constexpr int kBorder = 1;  // steps beside the overlap that still belong to it

struct Quantity {
  const char* words;
  double floor;                    // least spread
  std::vector<double> steps = {};  // [t] of the step t-1 to t
};

double upper_quarter(const Plane& first, const Plane& second) {
  std::vector<float> values(first.size());
  for (std::size_t i = 0; i < first.size(); ++i)
    values[i] = std::max(std::fabs(first[i]), std::fabs(second[i]));
  std::sort(values.begin(), values.end(), std::greater<>());
  const std::size_t count = std::max<std::size_t>(1, values.size() / 4);
  double sum = 0;
  for (std::size_t i = 0; i < count; ++i) sum += values[i];
  return sum / static_cast<double>(count);
}

// Mean displacement of the blocks that move, in pixels; none moves: zero.
std::array<double, 2> drift(const Motion& motion) {
  std::array<double, 2> sum{};
  double count = 0;
  for (const Shift& shift : motion.blocks) {
    if (shift.x == 0 && shift.y == 0) continue;
    sum[0] += shift.x;
    sum[1] += shift.y;
    count += 1;
  }
  return count > 0 ? std::array{sum[0] / count, sum[1] / count} : sum;
}

// The steps at which window i hands over to the next, in frames of the clip.
Range border(const CriticContext& context, std::size_t i, int frames) {
  const int begin = context.windows[i + 1].begin - context.first_frame;
  const int end = std::max(begin, context.windows[i].end - context.first_frame);
  return {std::clamp(begin - kBorder, 1, frames), std::clamp(end + kBorder + 1, 1, frames)};
}

std::vector<Range> borders(const CriticContext& context, int frames) {
  std::vector<Range> spans;
  for (std::size_t i = 0; i + 1 < context.windows.size(); ++i) spans.push_back(border(context, i, frames));
  return spans;
}

struct Step {
  double evidence = 0;
  std::size_t quantity = 0;
};

// How far each step inside the borders stands out.
std::vector<Step> compare(const std::vector<Quantity>& all, const std::vector<bool>& inside,
                          std::size_t frames) {
  std::vector<Step> steps(frames);
  for (std::size_t q = 0; q < all.size(); ++q) {
    std::vector<double> others;
    for (std::size_t t = 1; t < frames; ++t)
      if (!inside[t]) others.push_back(all[q].steps[t]);
    std::sort(others.begin(), others.end());
    const double middle = median_of(others);
    const double spread = std::max(all[q].floor, others[others.size() * 9 / 10] - middle);
    for (std::size_t t = 1; t < frames; ++t) {
      const double evidence = inside[t] ? std::max(0.0, (all[q].steps[t] - middle) / spread) : 0.0;
      if (evidence > steps[t].evidence) steps[t] = {evidence, q};
    }
  }
  return steps;
}

class Seam : public Judge {
 public:
  using Judge::Judge;
  void see(const Look& look) override;
  Assessment conclude() override;

 private:
  Finding describe(const Quantity& quantity, int t, double evidence) const;
  std::vector<Quantity> all_{{"the picture", 0.02}, {"brightness", 0.03}, {"colour", 0.02}, {"motion", 1.0}};
  std::array<double, 2> drift_{};  // of the step before
};

void Seam::see(const Look& look) {
  const FrameMeasure &now = look.measured.now(), &before = look.measured.before();
  for (Quantity& quantity : all_) quantity.steps.push_back(0);
  if (look.frame == 0) return;
  all_[0].steps.back() = upper_quarter(now.from_before, before.from_after);
  all_[1].steps.back() = std::fabs(now.gain);
  all_[2].steps.back() = std::hypot(now.tint[0] - before.tint[0], now.tint[1] - before.tint[1]);
  const auto moved = drift(now.back);
  if (look.frame >= 2) all_[3].steps.back() = std::hypot(moved[0] - drift_[0], moved[1] - drift_[1]);
  drift_ = moved;
}

Finding Seam::describe(const Quantity& quantity, int t, double evidence) const {
  Finding finding = make_finding(context(), {t - 1, t + 1}, score_of(evidence, kLimit));
  finding.evidence = evidence;
  finding.threshold = kLimit;
  finding.message = std::string(quantity.words) + " jumps between " + words_of(context(), finding.frames) +
                    ", where two windows meet: " + decimal(evidence, 1) +
                    " times the shot's own variation (limit " + decimal(kLimit, 0) + ")";
  finding.remedy = "render the later window again with the earlier one frozen";
  return finding;
}

Assessment Seam::conclude() {
  const std::size_t frames = all_[0].steps.size();
  Assessment result{false, kLimit, std::vector<double>(frames), {}};
  const std::vector<Range> spans = borders(context(), static_cast<int>(frames));
  std::vector<bool> inside(frames);
  for (const Range& span : spans)
    for (int t = span.begin; t < span.end; ++t) inside[static_cast<std::size_t>(t)] = true;
  const auto within = static_cast<int>(std::count(inside.begin(), inside.end(), true));
  result.known = within > 0 && static_cast<int>(frames) - 1 - within >= kOthers;
  if (!result.known) return result;

  const std::vector<Step> steps = compare(all_, inside, frames);
  for (std::size_t t = 1; t < frames; ++t) result.evidence[t] = steps[t].evidence;
  const double bound = evidence_of(rule().revise, kLimit);
  for (std::size_t i = 0; i < spans.size(); ++i) {
    int worst = spans[i].begin;
    for (int t = spans[i].begin; t < spans[i].end; ++t)
      if (steps[static_cast<std::size_t>(t)].evidence > steps[static_cast<std::size_t>(worst)].evidence)
        worst = t;
    if (spans[i].size() <= 0 || steps[static_cast<std::size_t>(worst)].evidence <= bound) continue;
    const Step& step = steps[static_cast<std::size_t>(worst)];
    result.findings.push_back(describe(all_[step.quantity], worst, step.evidence));
    result.findings.back().window = static_cast<int>(i) + 1;
  }
  return result;
}

}  // namespace

extern const Critic kSeam{"seam", 1, Needs::kMotion, 1200, make_judge<Seam>};

}  // namespace rushes::worker
