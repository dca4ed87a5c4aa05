// Grid: a lattice that lies over the picture at the stride of a decoder or of its patches.
//
// For each column of the picture the first difference of light against the column before, in stops, averaged over rows and
// frames; rows likewise. Each is divided by the median of its neighbourhood of kNear to either side, or kFloor, so that what
// stands in the scene weighs little. For the periods 8, 16 and 32 and each phase: the median over the lines of that phase. A
// lattice raises one phase of columns and one of rows; an edge of the scene, however long, is one line of several and leaves
// the median alone.
//
// Evidence: of the period where it is largest, how far the highest phases of columns and of rows lie above 1: the larger, but
// at most twice the smaller. The same for all frames. Limit kLimit. Of a period of which the picture holds fewer than
// kLeastLines lines one way the other way alone is looked at, and at least kAloneLines.
#include <algorithm>
#include <array>
#include <cmath>
#include <optional>

#include "worker/critic/critics.h"

namespace rushes::worker {
namespace {

constexpr double kLimit = 0.35;
constexpr int kNear = 6;  // lines to either side
constexpr std::array<int, 3> kPeriods{8, 16, 32};
constexpr int kLeastLines = 6, kAloneLines = 9;  // of a phase
constexpr double kFloor = 0.003;                 // stops
constexpr float kMost = 0.15F;                   // stops: more is an edge of the scene, and counts as this

// Each line by its neighbourhood.
std::vector<double> relative(const std::vector<double>& lines) {
  std::vector<double> result(lines.size(), 1.0);
  for (int i = 1; i < static_cast<int>(lines.size()); ++i) {
    std::vector<double> near;
    for (int k = std::max(1, i - kNear); k <= std::min(static_cast<int>(lines.size()) - 1, i + kNear); ++k)
      if (k != i) near.push_back(lines[static_cast<std::size_t>(k)]);
    result[static_cast<std::size_t>(i)] =
        (lines[static_cast<std::size_t>(i)] + kFloor) / (median_of(std::move(near)) + kFloor);
  }
  return result;
}

// How far the highest phase lies above 1; none: there are fewer than `least` lines.
std::optional<double> highest(const std::vector<double>& lines, int period, int least) {
  double top = 0;
  for (int phase = 0; phase < period; ++phase) {
    std::vector<double> values;
    for (int i = phase == 0 ? period : phase; i < static_cast<int>(lines.size()); i += period)
      values.push_back(lines[static_cast<std::size_t>(i)]);
    if (static_cast<int>(values.size()) < least) return std::nullopt;
    top = std::max(top, median_of(std::move(values)) - 1);
  }
  return top;
}

class Grid : public Judge {
 public:
  using Judge::Judge;
  void see(const Look& look) override;
  Assessment conclude() override;

 private:
  std::vector<double> columns_, rows_;  // sums of differences
  int frames_ = 0;
};

void Grid::see(const Look& look) {
  const int width = look.pixels.width(), height = look.pixels.height();
  columns_.resize(static_cast<std::size_t>(width)), rows_.resize(static_cast<std::size_t>(height));
  const auto difference = [](float a, float b) {
    return static_cast<double>(std::min(kMost, std::fabs(a - b)));
  };
  for (int y = 0; y < height; ++y) {
    const float* row = look.stops.data() + static_cast<std::size_t>(y) * static_cast<std::size_t>(width);
    for (int x = 1; x < width; ++x) columns_[static_cast<std::size_t>(x)] += difference(row[x], row[x - 1]);
    if (y == 0) continue;
    for (int x = 0; x < width; ++x) rows_[static_cast<std::size_t>(y)] += difference(row[x], row[x - width]);
  }
  ++frames_;
}

Assessment Grid::conclude() {
  const auto mean = [&](std::vector<double> sums, std::size_t others) {
    for (double& sum : sums) sum /= static_cast<double>(others) * std::max(frames_, 1);
    return relative(sums);
  };
  const std::vector<double> across = mean(columns_, rows_.size()), down = mean(rows_, columns_.size());
  double evidence = 0;
  int period = 0;
  bool known = false;
  for (const int each : kPeriods) {
    const auto a = highest(across, each, kLeastLines), b = highest(down, each, kLeastLines);
    const double height = a && b ? std::min(std::max(*a, *b), 2 * std::min(*a, *b))
                                 : highest(a ? across : down, each, kAloneLines).value_or(0);
    known = known || a || b;
    if (height > evidence) evidence = height, period = each;
  }
  Assessment result{known, kLimit, std::vector<double>(static_cast<std::size_t>(frames_), evidence), {}};
  if (evidence <= evidence_of(rule().revise, kLimit)) return result;
  Finding finding = make_finding(context(), {0, frames_}, score_of(evidence, kLimit));
  finding.evidence = evidence;
  finding.threshold = kLimit;
  finding.message = "a lattice of " + std::to_string(period) +
                    " pixels lies over the picture: its lines differ from their neighbours " +
                    decimal(100 * evidence, 0) + " % more than others do (limit " + decimal(100 * kLimit, 0) +
                    " %)";
  finding.remedy = "render with another seed; if it stays, the decoder of the model makes it";
  result.findings.push_back(finding);
  return result;
}

}  // namespace

extern const Critic kGrid{"grid", 1, Needs::kStops, 500, make_judge<Grid>};

}  // namespace rushes::worker
