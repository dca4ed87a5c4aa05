#include "worker/critic/motion.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace rushes::worker {
namespace {

constexpr float kShiftCost = 0.001F;  // stops per pixel of the block and pixel of displacement
constexpr float kUnmoved =
    0.015F;  // stops: a block that fits this well in place is not searched for elsewhere

struct Block {
  int x, y, width, height;
};

// Mean absolute difference of a block against the block `shift` away, plus the cost of the shift. Stops early
// once it cannot beat `best`.
float match(const Plane& from, const Plane& to, int stride, const Block& block, Shift shift, float gain,
            float best) {
  const float area = static_cast<float>(block.width * block.height);
  float sum = kShiftCost * area * static_cast<float>(std::abs(shift.x) + std::abs(shift.y));
  const float bound = best * area;
  for (int y = 0; y < block.height; ++y) {
    const float* a = from.data() + static_cast<std::size_t>(block.y + y) * stride + block.x;
    const float* b = to.data() + static_cast<std::size_t>(block.y + y + shift.y) * stride + block.x + shift.x;
    for (int x = 0; x < block.width; ++x) sum += std::fabs(a[x] + gain - b[x]);
    if (sum >= bound) return best;
  }
  return sum / area;
}

// The best shift within `reach` of `start` that keeps the block inside the plane.
Shift search(const Plane& from, const Plane& to, int width, int height, const Block& block, Shift start,
             int reach, float gain) {
  Shift best{0, 0};
  float least = match(from, to, width, block, best, gain, std::numeric_limits<float>::max());
  if (least < kUnmoved) return best;
  const int left = std::max(start.x - reach, -block.x), top = std::max(start.y - reach, -block.y);
  const int right = std::min(start.x + reach, width - block.x - block.width);
  const int bottom = std::min(start.y + reach, height - block.y - block.height);
  for (int y = top; y <= bottom; ++y)
    for (int x = left; x <= right; ++x) {
      const float cost = match(from, to, width, block, {x, y}, gain, least);
      if (cost < least) {
        least = cost;
        best = {x, y};
      }
    }
  return best;
}

Block block_at(int column, int row, int side, int width, int height) {
  const int x = column * side, y = row * side;
  return {x, y, std::min(side, width - x), std::min(side, height - y)};
}

bool inside(const Block& block, Shift shift, int width, int height) {
  return block.x + shift.x >= 0 && block.y + shift.y >= 0 && block.x + block.width + shift.x <= width &&
         block.y + block.height + shift.y <= height;
}

// How far `value` lies outside the range at `place`, signed.
float excess(float value, const Range3x3& range, std::size_t place) {
  if (value > range.high[place]) return value - range.high[place];
  if (value < range.low[place]) return value - range.low[place];
  return 0;
}

float block_excess(const Plane& plane, const Range3x3& other, int width, const Block& block, Shift shift,
                   float gain) {
  float sum = 0;
  for (int y = block.y; y < block.y + block.height; ++y)
    for (int x = block.x; x < block.x + block.width; ++x)
      sum += std::fabs(excess(plane[static_cast<std::size_t>(y) * width + x] + gain, other,
                              static_cast<std::size_t>(y + shift.y) * width + x + shift.x));
  return sum;
}

}  // namespace

Plane half_size(const Plane& plane, int width, int height) {
  const int half_width = (width + 1) / 2, half_height = (height + 1) / 2;
  Plane half(static_cast<std::size_t>(half_width) * half_height);
  for (int y = 0; y < half_height; ++y)
    for (int x = 0; x < half_width; ++x) {
      const int x1 = std::min(2 * x + 1, width - 1), y1 = std::min(2 * y + 1, height - 1);
      const float* upper = plane.data() + static_cast<std::size_t>(2 * y) * width;
      const float* lower = plane.data() + static_cast<std::size_t>(y1) * width;
      half[static_cast<std::size_t>(y) * half_width + x] =
          0.25F * (upper[2 * x] + upper[x1] + lower[2 * x] + lower[x1]);
    }
  return half;
}

Motion find_motion(const Plane& from, const Plane& to, const Plane& from_half, const Plane& to_half,
                   int width, int height, float gain) {
  const int columns = (width + kMotionBlock - 1) / kMotionBlock,
            rows = (height + kMotionBlock - 1) / kMotionBlock;
  const int half_width = (width + 1) / 2, half_height = (height + 1) / 2;
  Motion motion;
  motion.blocks.resize(static_cast<std::size_t>(columns) * rows);
  for (int row = 0; row < rows; ++row)
    for (int column = 0; column < columns; ++column) {
      const Block coarse = block_at(column, row, kMotionBlock / 2, half_width, half_height);
      const Shift rough =
          search(from_half, to_half, half_width, half_height, coarse, {0, 0}, kMotionReach / 2, gain);
      const Block fine = block_at(column, row, kMotionBlock, width, height);
      motion.blocks[static_cast<std::size_t>(row) * columns + column] =
          search(from, to, width, height, fine, {2 * rough.x, 2 * rough.y}, 1, gain);
    }
  return motion;
}

Range3x3 neighbourhood(const Plane& plane, int width, int height) {
  Range3x3 rows{plane, plane};
  for (int y = 0; y < height; ++y)
    for (int x = 0; x < width; ++x) {
      const float* row = plane.data() + static_cast<std::size_t>(y) * width;
      const auto [low, high] =
          std::minmax({row[std::max(x - 1, 0)], row[x], row[std::min(x + 1, width - 1)]});
      rows.low[static_cast<std::size_t>(y) * width + x] = low;
      rows.high[static_cast<std::size_t>(y) * width + x] = high;
    }
  Range3x3 range = rows;
  for (int y = 0; y < height; ++y) {
    const std::size_t above = static_cast<std::size_t>(std::max(y - 1, 0)) * width;
    const std::size_t below = static_cast<std::size_t>(std::min(y + 1, height - 1)) * width;
    for (int x = 0; x < width; ++x) {
      const std::size_t here = static_cast<std::size_t>(y) * width + x;
      range.low[here] = std::min({rows.low[above + x], rows.low[here], rows.low[below + x]});
      range.high[here] = std::max({rows.high[above + x], rows.high[here], rows.high[below + x]});
    }
  }
  return range;
}

Motion settled(const Motion& motion, const Plane& plane, const Range3x3& other, int width, int height,
               float gain) {
  const int columns = (width + kMotionBlock - 1) / kMotionBlock,
            rows = (height + kMotionBlock - 1) / kMotionBlock;
  Motion best = motion;
  for (int row = 0; row < rows; ++row)
    for (int column = 0; column < columns; ++column) {
      const Block block = block_at(column, row, kMotionBlock, width, height);
      Shift& shift = best.blocks[static_cast<std::size_t>(row) * columns + column];
      float least = block_excess(plane, other, width, block, shift, gain);
      const auto consider = [&](Shift other_shift) {
        if (least == 0 || !inside(block, other_shift, width, height)) return;
        const float sum = block_excess(plane, other, width, block, other_shift, gain);
        if (sum >= least) return;
        least = sum;
        shift = other_shift;
      };
      consider({0, 0});
      for (int v = std::max(row - 1, 0); v <= std::min(row + 1, rows - 1); ++v)
        for (int u = std::max(column - 1, 0); u <= std::min(column + 1, columns - 1); ++u)
          consider(motion.blocks[static_cast<std::size_t>(v) * columns + u]);
    }
  return best;
}

Plane unexplained(const Plane& plane, const Motion& motion, const Range3x3& other, int width, int height,
                  float gain) {
  const int columns = (width + kMotionBlock - 1) / kMotionBlock;
  Plane excess_of(plane.size());
  for (int y = 0; y < height; ++y)
    for (int x = 0; x < width; ++x) {
      const Shift shift =
          motion.blocks[static_cast<std::size_t>(y / kMotionBlock) * columns + x / kMotionBlock];
      const std::size_t here = static_cast<std::size_t>(y) * width + x;
      excess_of[here] =
          excess(plane[here] + gain, other, static_cast<std::size_t>(y + shift.y) * width + x + shift.x);
    }
  return excess_of;
}

}  // namespace rushes::worker
