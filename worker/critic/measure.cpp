#include "worker/critic/measure.h"

#include <algorithm>
#include <cmath>

#include "worker/critic/motion.h"

namespace rushes::worker {
namespace {

float stops(float luminance_value) {
  if (!std::isfinite(luminance_value)) return std::log2(kDark);
  return std::log2(std::max(luminance_value, 0.0F) + kDark);
}

// Stops of one frame at the working size: the box average of linear light, then the logarithm.
Plane light_of(ClipView clip, int t, int factor, int width, int height) {
  Plane plane(static_cast<std::size_t>(width) * height);
  for (int y = 0; y < height; ++y)
    for (int x = 0; x < width; ++x) {
      float sum = 0;
      int count = 0;
      for (int v = y * factor; v < std::min((y + 1) * factor, clip.height()); ++v)
        for (int u = x * factor; u < std::min((x + 1) * factor, clip.width()); ++u, ++count) {
          const float value = luminance(clip.at(t, v, u));
          sum += std::isfinite(value) ? value : 0.0F;
        }
      plane[static_cast<std::size_t>(y) * width + x] = stops(sum / static_cast<float>(std::max(count, 1)));
    }
  return plane;
}

// Mean log2(R/G) and log2(B/G) of one frame, of every `factor`-th pixel.
std::array<double, 2> tint_of(ClipView clip, int t, int factor) {
  std::array<double, 2> sum{};
  std::int64_t count = 0;
  for (int y = 0; y < clip.height(); y += factor)
    for (int x = 0; x < clip.width(); x += factor, ++count) {
      const float* rgb = clip.at(t, y, x);
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

// Median change of matched pixels whose brightness, taken over both frames so that neither is favoured, is
// above `floor`.
float gain_between(const Plane& after, const Plane& before, const Motion& motion, int width, int height,
                   float floor) {
  std::vector<float> differences;
  differences.reserve(after.size());
  const int columns = (width + kMotionBlock - 1) / kMotionBlock;
  for (int y = 0; y < height; ++y)
    for (int x = 0; x < width; ++x) {
      const std::size_t here = static_cast<std::size_t>(y) * width + x;
      const Shift shift =
          motion.blocks[static_cast<std::size_t>(y / kMotionBlock) * columns + x / kMotionBlock];
      const std::size_t there = static_cast<std::size_t>(y + shift.y) * width + x + shift.x;
      if (after[here] + before[there] >= 2 * floor) differences.push_back(after[here] - before[there]);
    }
  return median_in_place(differences);
}

float median_light(Plane copy) { return median_in_place(copy); }

}  // namespace

double upper_difference(const Plane& a, const Plane& b) {
  if (a.empty()) return 0;
  std::vector<float> differences(a.size());
  for (std::size_t i = 0; i < a.size(); ++i) differences[i] = std::fabs(a[i] - b[i]);
  const std::size_t count = std::max<std::size_t>(1, a.size() / 20);
  const auto first = differences.end() - static_cast<std::ptrdiff_t>(count);
  std::nth_element(differences.begin(), first, differences.end());
  std::sort(first, differences.end());  // one order of the sum whatever nth_element leaves
  double sum = 0;
  for (auto value = first; value != differences.end(); ++value) sum += *value;
  return sum / static_cast<double>(count);
}

Measures measure(ClipView clip) {
  Measures out;
  if (clip.empty()) return out;
  const int factor = (std::max(clip.width(), clip.height()) + kWorkingSide - 1) / kWorkingSide;
  out.frames = clip.frames();
  out.width = (clip.width() + factor - 1) / factor;
  out.height = (clip.height() + factor - 1) / factor;
  out.columns = (out.width + kMotionBlock - 1) / kMotionBlock;
  out.rows = (out.height + kMotionBlock - 1) / kMotionBlock;
  const std::size_t frames = static_cast<std::size_t>(out.frames);
  out.gain.assign(frames, 0.0);
  out.change.assign(frames, 0.0);
  out.back.resize(frames);
  out.ahead.resize(frames);
  out.from_before.resize(frames);
  out.from_after.resize(frames);

  Plane half_before;
  Range3x3 range_before;
  for (std::size_t t = 0; t < frames; ++t) {
    out.tint.push_back(tint_of(clip, static_cast<int>(t), factor));
    out.light.push_back(light_of(clip, static_cast<int>(t), factor, out.width, out.height));
    const Plane& now = out.light[t];
    Plane half = half_size(now, out.width, out.height);
    Range3x3 range = neighbourhood(now, out.width, out.height);
    if (t > 0) {
      const Plane& before = out.light[t - 1];
      const float level = median_light(now), level_before = median_light(before);
      const float rough = level - level_before;
      out.back[t] = find_motion(now, before, half, half_before, out.width, out.height, -rough);
      const float gain =
          gain_between(now, before, out.back[t], out.width, out.height, 0.5F * (level + level_before));
      out.ahead[t - 1] = find_motion(before, now, half_before, half, out.width, out.height, gain);
      out.gain[t] = gain;
      out.change[t] = upper_difference(now, before);
      out.back[t] = settled(out.back[t], now, range_before, out.width, out.height, -gain);
      out.ahead[t - 1] = settled(out.ahead[t - 1], before, range, out.width, out.height, gain);
      out.from_before[t] = unexplained(now, out.back[t], range_before, out.width, out.height, -gain);
      out.from_after[t - 1] = unexplained(before, out.ahead[t - 1], range, out.width, out.height, gain);
    }
    half_before = std::move(half);
    range_before = std::move(range);
  }
  return out;
}

double median_of(std::vector<double> values) {
  if (values.empty()) return 0;
  const std::size_t middle = values.size() / 2;
  std::sort(values.begin(), values.end());
  return values.size() % 2 == 1 ? values[middle] : 0.5 * (values[middle - 1] + values[middle]);
}

Box box_around(const Measures& measures, const std::vector<bool>& bad) {
  int left = measures.columns, top = measures.rows, right = -1, bottom = -1;
  for (int row = 0; row < measures.rows; ++row)
    for (int column = 0; column < measures.columns; ++column) {
      if (!bad[static_cast<std::size_t>(row) * measures.columns + column]) continue;
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
  box.x = share(left, measures.width);
  box.y = share(top, measures.height);
  box.width = share(right + 1, measures.width) - box.x;
  box.height = share(bottom + 1, measures.height) - box.y;
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
