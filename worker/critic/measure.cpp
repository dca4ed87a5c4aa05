#include "worker/critic/measure.h"

#include <algorithm>
#include <cmath>

namespace rushes::worker {
namespace {

float stops(float luminance_value) {
  if (!std::isfinite(luminance_value)) return std::log2(kDark);
  return std::log2(std::max(luminance_value, 0.0F) + kDark);
}

WorkingSize working_size(ClipView frame) {
  WorkingSize size;
  size.factor = (std::max(frame.width(), frame.height()) + kWorkingSide - 1) / kWorkingSide;
  size.width = (frame.width() + size.factor - 1) / size.factor;
  size.height = (frame.height() + size.factor - 1) / size.factor;
  size.columns = (size.width + kMotionBlock - 1) / kMotionBlock;
  size.rows = (size.height + kMotionBlock - 1) / kMotionBlock;
  return size;
}

// Stops of one frame at the working size: the box average of linear light, then the logarithm.
Plane light_of(ClipView frame, const WorkingSize& size) {
  const int factor = size.factor;
  Plane plane(static_cast<std::size_t>(size.width) * size.height);
  for (int y = 0; y < size.height; ++y)
    for (int x = 0; x < size.width; ++x) {
      float sum = 0;
      int count = 0;
      for (int v = y * factor; v < std::min((y + 1) * factor, frame.height()); ++v)
        for (int u = x * factor; u < std::min((x + 1) * factor, frame.width()); ++u, ++count) {
          const float value = luminance(frame.at(0, v, u));
          sum += std::isfinite(value) ? value : 0.0F;
        }
      plane[static_cast<std::size_t>(y) * size.width + x] =
          stops(sum / static_cast<float>(std::max(count, 1)));
    }
  return plane;
}

// Log ratios of one frame at the working size: box averages of linear light, then the logarithms.
void colour_of(ClipView frame, const WorkingSize& size, Plane& red, Plane& blue) {
  const int factor = size.factor;
  red.resize(static_cast<std::size_t>(size.width) * size.height);
  blue.resize(red.size());
  for (int y = 0; y < size.height; ++y)
    for (int x = 0; x < size.width; ++x) {
      std::array<float, kChannels> sum{};
      int count = 0;
      for (int v = y * factor; v < std::min((y + 1) * factor, frame.height()); ++v)
        for (int u = x * factor; u < std::min((x + 1) * factor, frame.width()); ++u, ++count)
          for (std::size_t c = 0; c < kChannels; ++c) {
            const float value = frame.at(0, v, u)[c];
            sum[c] += std::isfinite(value) ? value : 0.0F;
          }
      for (float& value : sum) value = stops(value / static_cast<float>(std::max(count, 1)));
      const std::size_t at = static_cast<std::size_t>(y) * size.width + x;
      red[at] = sum[0] - sum[1], blue[at] = sum[2] - sum[1];
    }
}

// Mean log2(R/G) and log2(B/G) of one frame, of every `factor`-th pixel.
std::array<double, 2> tint_of(ClipView frame, int factor) {
  std::array<double, 2> sum{};
  std::int64_t count = 0;
  for (int y = 0; y < frame.height(); y += factor)
    for (int x = 0; x < frame.width(); x += factor, ++count) {
      const float* rgb = frame.at(0, y, x);
      sum[0] += stops(rgb[0]) - stops(rgb[1]);
      sum[1] += stops(rgb[2]) - stops(rgb[1]);
    }
  return {sum[0] / static_cast<double>(count), sum[1] / static_cast<double>(count)};
}

float median_in_place(std::vector<float>& values) {
  if (values.empty()) return 0;
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

// Median change of `values` over matched pixels whose brightness, taken over both frames so that neither is favoured, is
// above `floor`.
float change_between(const Plane& values, const Plane& values_before, const Plane& after, const Plane& before,
                     const Motion& motion, int width, int height, float floor) {
  std::vector<float> differences;
  differences.reserve(after.size());
  const int columns = (width + kMotionBlock - 1) / kMotionBlock;
  for (int y = 0; y < height; ++y)
    for (int x = 0; x < width; ++x) {
      const std::size_t here = static_cast<std::size_t>(y) * width + x;
      const Shift shift =
          motion.blocks[static_cast<std::size_t>(y / kMotionBlock) * columns + x / kMotionBlock];
      const std::size_t there = static_cast<std::size_t>(y + shift.y) * width + x + shift.x;
      if (after[here] + before[there] >= 2 * floor)
        differences.push_back(values[here] - values_before[there]);
    }
  return median_in_place(differences);
}

float median_light(Plane copy) { return median_in_place(copy); }

}  // namespace

Plane stops_of(ClipView frame) {
  Plane plane;
  plane.reserve(static_cast<std::size_t>(frame.width()) * static_cast<std::size_t>(frame.height()));
  for (int y = 0; y < frame.height(); ++y)
    for (int x = 0; x < frame.width(); ++x) plane.push_back(stops(luminance(frame.at(0, y, x))));
  return plane;
}

double upper_difference(const Plane& a, const Plane& b, float gain) {
  if (a.empty()) return 0;
  std::vector<float> differences(a.size());
  for (std::size_t i = 0; i < a.size(); ++i) differences[i] = std::fabs(a[i] - gain - b[i]);
  const std::size_t count = std::max<std::size_t>(1, a.size() / 20);
  const auto first = differences.end() - static_cast<std::ptrdiff_t>(count);
  std::nth_element(differences.begin(), first, differences.end());
  std::sort(first, differences.end());  // one order of the sum whatever nth_element leaves
  double sum = 0;
  for (auto value = first; value != differences.end(); ++value) sum += *value;
  return sum / static_cast<double>(count);
}

void Meter::add(ClipView frame) {
  if (size_.width == 0) size_ = working_size(frame);
  before_ = std::move(now_);
  now_ = {};
  now_.tint = tint_of(frame, size_.factor);
  now_.light = light_of(frame, size_);
  colour_of(frame, size_, now_.red, now_.blue);
  Plane half = half_size(now_.light, size_.width, size_.height);
  Range3x3 range = neighbourhood(now_.light, size_.width, size_.height);
  if (!before_.light.empty()) compare(half, range);
  half_ = std::move(half);
  range_ = std::move(range);
}

void Meter::compare(const Plane& half, const Range3x3& range) {
  const int width = size_.width, height = size_.height;
  const Plane &now = now_.light, &before = before_.light;
  const float level = median_light(now), level_before = median_light(before);
  const float rough = level - level_before;
  now_.back = find_motion(now, before, half, half_, width, height, -rough);
  const float floor = 0.5F * (level + level_before);
  const auto change = [&](const Plane& values, const Plane& values_before) {
    return change_between(values, values_before, now, before, now_.back, width, height, floor);
  };
  const float gain = change(now, before);
  now_.tint_change = {static_cast<double>(change(now_.red, before_.red)),
                      static_cast<double>(change(now_.blue, before_.blue))};
  before_.ahead = find_motion(before, now, half_, half, width, height, gain);
  now_.gain = gain;
  now_.change = upper_difference(now, before, gain);
  now_.back = settled(now_.back, now, range_, width, height, -gain);
  before_.ahead = settled(before_.ahead, before, range, width, height, gain);
  now_.from_before = unexplained(now, now_.back, range_, width, height, -gain);
  before_.from_after = unexplained(before, before_.ahead, range, width, height, gain);
}

double median_of(std::vector<double> values) {
  if (values.empty()) return 0;
  const std::size_t middle = values.size() / 2;
  std::sort(values.begin(), values.end());
  return values.size() % 2 == 1 ? values[middle] : 0.5 * (values[middle - 1] + values[middle]);
}

Box box_around(const WorkingSize& size, const std::vector<bool>& bad) {
  int left = size.columns, top = size.rows, right = -1, bottom = -1;
  for (int row = 0; row < size.rows; ++row)
    for (int column = 0; column < size.columns; ++column) {
      if (!bad[static_cast<std::size_t>(row) * size.columns + column]) continue;
      left = std::min(left, column);
      right = std::max(right, column);
      top = std::min(top, row);
      bottom = std::max(bottom, row);
    }
  if (right < 0) return {};
  const auto share = [](int blocks, int pixels) {
    return std::min(1.0F, static_cast<float>(blocks * kMotionBlock) / static_cast<float>(pixels));
  };
  Box box;
  box.x = share(left, size.width);
  box.y = share(top, size.height);
  box.width = share(right + 1, size.width) - box.x;
  box.height = share(bottom + 1, size.height) - box.y;
  return box;
}

std::vector<EvidenceRun> runs_above(const std::vector<double>& evidence, double limit) {
  std::vector<EvidenceRun> runs;
  for (int t = 0; t < static_cast<int>(evidence.size()); ++t) {
    const double value = evidence[static_cast<std::size_t>(t)];
    if (value <= limit) continue;  // NaN is above every limit
    if (runs.empty() || runs.back().frames.end != t) runs.push_back({{t, t}, t});
    runs.back().frames.end = t + 1;
    if (value > evidence[static_cast<std::size_t>(runs.back().worst)]) runs.back().worst = t;
  }
  return runs;
}

}  // namespace rushes::worker
