#include "worker/critic/camera.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace rushes::worker {
namespace {

constexpr int kLevels = 3, kRounds = 3;
constexpr int kStride = 2;            // of the pixels of the whole size every fourth is enough
constexpr std::size_t kUnknowns = 5;  // x, y, zoom, turn, gain
using Vector = std::array<double, kUnknowns>;
using Matrix = std::array<Vector, kUnknowns>;
constexpr double kLeastDetail = 2e-4;  // stops^2 a pixel^2: mean squared gradient
constexpr double kDamping = 2e-3;      // of the largest diagonal entry

struct Level {
  Plane before, now;
  int width = 0, height = 0;
};

// Value and gradient between pixels; false outside.
bool sample(const Level& level, double x, double y, double& value, double& dx, double& dy) {
  if (!(x >= 0 && y >= 0 && x < level.width - 1 && y < level.height - 1)) return false;
  const int i = static_cast<int>(x), j = static_cast<int>(y);
  const double u = x - i, v = y - j;
  const float* p = level.now.data() + static_cast<std::size_t>(j) * level.width + i;
  const double a = static_cast<double>(p[0]), b = static_cast<double>(p[1]),
               c = static_cast<double>(p[level.width]), d = static_cast<double>(p[level.width + 1]);
  value = (1 - v) * ((1 - u) * a + u * b) + v * ((1 - u) * c + u * d);
  dx = (1 - v) * (b - a) + v * (d - c);
  dy = (1 - u) * (c - a) + u * (d - b);
  return true;
}

struct Fit {
  Vector step{};  // in pixels of the level, stops
  double scale = 0.05;
  double detail = 0;
};

bool solve(Matrix m, Vector b, Vector& x) {
  double largest = 0;
  for (std::size_t i = 0; i < kUnknowns; ++i) largest = std::max(largest, m[i][i]);
  if (largest <= 0) return false;
  for (std::size_t i = 0; i < kUnknowns; ++i) m[i][i] += kDamping * largest;
  for (std::size_t i = 0; i < kUnknowns; ++i)  // symmetric and positive definite: no pivots are sought
    for (std::size_t row = i + 1; row < kUnknowns; ++row) {
      const double factor = m[row][i] / m[i][i];
      for (std::size_t j = i; j < kUnknowns; ++j) m[row][j] -= factor * m[i][j];
      b[row] -= factor * b[i];
    }
  for (std::size_t i = kUnknowns; i-- > 0;) {
    for (std::size_t j = i + 1; j < kUnknowns; ++j) b[i] -= m[i][j] * x[j];
    x[i] = b[i] / m[i][i];
  }
  return true;
}

// One round at one level, over every `stride`-th pixel of every `stride`-th row.
bool improve(const Level& level, int stride, Fit& fit) {
  const double cx = 0.5 * (level.width - 1), cy = 0.5 * (level.height - 1);
  Matrix m{};
  Vector b{};
  std::vector<float> residuals;
  double detail = 0, counted = 0;
  for (int y = 0; y < level.height; y += stride)
    for (int x = 0; x < level.width; x += stride) {
      const double rx = (x - cx) / kArm, ry = (y - cy) / kArm;
      double value = 0, dx = 0, dy = 0;
      if (!sample(level, x + fit.step[0] + fit.step[2] * rx - fit.step[3] * ry,
                  y + fit.step[1] + fit.step[2] * ry + fit.step[3] * rx, value, dx, dy))
        continue;
      const double residual =
          value - static_cast<double>(level.before[static_cast<std::size_t>(y) * level.width + x]) -
          fit.step[4];
      const Vector j{dx, dy, dx * rx + dy * ry, dy * rx - dx * ry, -1};
      const double ratio = residual / fit.scale, weight = 1 / (1 + ratio * ratio);
      for (std::size_t r = 0; r < kUnknowns; ++r) {
        b[r] -= weight * j[r] * residual;
        for (std::size_t c = 0; c < kUnknowns; ++c) m[r][c] += weight * j[r] * j[c];
      }
      residuals.push_back(static_cast<float>(std::fabs(residual)));
      detail += dx * dx + dy * dy, counted += 1;
    }
  if (counted * stride * stride < 0.3 * level.width * level.height) return false;
  const auto middle = residuals.begin() + static_cast<std::ptrdiff_t>(residuals.size() / 2);
  std::nth_element(residuals.begin(), middle, residuals.end());
  fit.scale = std::max(0.01, 2.5 * static_cast<double>(*middle));
  fit.detail = detail / counted;
  Vector change{};
  if (!solve(m, b, change)) return false;
  for (std::size_t i = 0; i < kUnknowns; ++i) fit.step[i] += change[i];
  return true;
}

}  // namespace

double apart(const CameraStep& a, const CameraStep& b) {
  const double x = a.x - b.x, y = a.y - b.y, zoom = a.zoom - b.zoom, turn = a.turn - b.turn;
  return std::sqrt(x * x + y * y + zoom * zoom + turn * turn);
}

std::optional<CameraStep> camera_step(const Plane& before, const Plane& now, int width, int height,
                                      const CameraStep& start) {
  std::vector<Level> levels{{before, now, width, height}};
  while (static_cast<int>(levels.size()) < kLevels && levels.back().width >= 48 &&
         levels.back().height >= 32) {
    const Level& fine = levels.back();
    levels.push_back({half_size(fine.before, fine.width, fine.height),
                      half_size(fine.now, fine.width, fine.height), (fine.width + 1) / 2,
                      (fine.height + 1) / 2});
  }
  Fit fit;
  const double coarse = std::exp2(static_cast<double>(levels.size()) - 1);
  fit.step = {start.x / coarse, start.y / coarse, start.zoom, start.turn, 0};
  // Zoom and turn are displacements at kArm pixels of the level: half the size, the same share.
  for (std::size_t level = levels.size(); level-- > 0;) {
    for (int round = 0; round < kRounds; ++round)
      if (!improve(levels[level], level == 0 ? kStride : 1, fit)) return std::nullopt;
    if (level > 0) fit.step[0] *= 2, fit.step[1] *= 2;
  }
  if (fit.detail < kLeastDetail) return std::nullopt;
  return CameraStep{fit.step[0], fit.step[1], fit.step[2], fit.step[3]};
}

}  // namespace rushes::worker
