#include "worker/picture/seam.h"

#include <cmath>

namespace rushes::worker {
namespace {

double step(const float* a, const float* b) {
  double sum = 0.0;
  for (int c = 0; c < kChannels; ++c) sum += std::fabs(static_cast<double>(a[c]) - static_cast<double>(b[c]));
  return sum / kChannels;
}

// Adds one pixel pair: the step from (x - dx, y - dy) to (x, y), and the steps before and after it.
struct Sums {
  double across = 0.0;
  double beside = 0.0;
  std::int64_t pixels = 0;

  void add(ClipView code, int t, int y, int x, int dy, int dx) {
    const float* before = code.at(t, y - dy, x - dx);
    const float* after = code.at(t, y, x);
    across += step(before, after);
    beside +=
        0.5 * (step(code.at(t, y - 2 * dy, x - 2 * dx), before) + step(after, code.at(t, y + dy, x + dx)));
    ++pixels;
  }
};

}  // namespace

double SeamSteps::ratio() const {
  if (beside > 0.0) return across / beside;
  return across > 0.0 ? HUGE_VAL : 1.0;
}

SeamSteps measure_seams(ClipView code, std::span<const int> columns, std::span<const int> rows) {
  Sums sums;
  SeamSteps out;
  for (int t = 0; t < code.frames(); ++t) {
    for (const int x : columns) {
      if (x < 2 || x > code.width() - 2) continue;
      for (int y = 0; y < code.height(); ++y) sums.add(code, t, y, x, 0, 1);
      ++out.borders;
    }
    for (const int y : rows) {
      if (y < 2 || y > code.height() - 2) continue;
      for (int x = 0; x < code.width(); ++x) sums.add(code, t, y, x, 1, 0);
      ++out.borders;
    }
  }
  if (sums.pixels > 0) {
    out.across = sums.across / static_cast<double>(sums.pixels);
    out.beside = sums.beside / static_cast<double>(sums.pixels);
  }
  return out;
}

}  // namespace rushes::worker
