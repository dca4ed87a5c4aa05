#include "worker/picture/resample.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <span>
#include <vector>

namespace rushes::worker {
namespace {

// Mitchell and Netravali 1988, eq. 8.
double cubic_weight(double distance, Cubic cubic) {
  const double b = cubic == Cubic::kMitchell ? 1.0 / 3.0 : 0.0;
  const double c = cubic == Cubic::kMitchell ? 1.0 / 3.0 : 0.5;
  const double d = std::fabs(distance);
  if (d < 1.0) return ((12 - 9 * b - 6 * c) * d * d * d + (-18 + 12 * b + 6 * c) * d * d + (6 - 2 * b)) / 6;
  if (d < 2.0) {
    return ((-b - 6 * c) * d * d * d + (6 * b + 30 * c) * d * d + (-12 * b - 48 * c) * d + (8 * b + 24 * c)) /
           6;
  }
  return 0.0;
}

// The inputs that one output pixel sums, along one axis.
struct Taps {
  std::vector<std::size_t> index;
  std::vector<float> weight;
};

std::vector<Taps> cubic_taps(int input, int output, Cubic cubic) {
  std::vector<Taps> all(static_cast<std::size_t>(output));
  const double step = static_cast<double>(input) / output;
  for (int i = 0; i < output; ++i) {
    const double position = (i + 0.5) * step - 0.5;
    const auto first = static_cast<int>(std::floor(position)) - 1;
    Taps& taps = all[static_cast<std::size_t>(i)];
    for (int k = first; k < first + 4; ++k) {
      taps.index.push_back(static_cast<std::size_t>(std::clamp(k, 0, input - 1)));
      taps.weight.push_back(static_cast<float>(cubic_weight(position - k, cubic)));
    }
  }
  return all;
}

std::vector<Taps> area_taps(int input, int output) {
  std::vector<Taps> all(static_cast<std::size_t>(output));
  for (int i = 0; i < output; ++i) {
    // Output pixel i covers [i*input/output, (i+1)*input/output) in input pixels, in exact units of 1/output.
    const std::int64_t begin = std::int64_t{i} * input;
    const std::int64_t end = begin + input;
    Taps& taps = all[static_cast<std::size_t>(i)];
    for (std::int64_t k = begin / output; k * output < end; ++k) {
      const std::int64_t covered = std::min(end, (k + 1) * output) - std::max(begin, k * output);
      taps.index.push_back(static_cast<std::size_t>(k));
      taps.weight.push_back(static_cast<float>(static_cast<double>(covered) / input));
    }
  }
  return all;
}

// Rows first, then columns; of the rows only those that the columns sum.
Clip resample(ClipView clip, std::span<const Taps> across, std::span<const Taps> down) {
  Clip out(static_cast<int>(across.size()), static_cast<int>(down.size()), clip.frames(), clip.fps());
  const std::size_t row_values = out.row_values();
  std::size_t first = static_cast<std::size_t>(clip.height()), last = 0;
  for (const Taps& taps : down) {
    first = std::min(first, *std::min_element(taps.index.begin(), taps.index.end()));
    last = std::max(last, *std::max_element(taps.index.begin(), taps.index.end()));
  }
  std::vector<float> narrow(row_values * (last + 1 - first));
  for (int t = 0; t < clip.frames(); ++t) {
    for (std::size_t y = first; y <= last; ++y) {
      const float* source = clip.row(t, static_cast<int>(y));
      float* target = narrow.data() + (y - first) * row_values;
      for (const Taps& taps : across) {
        float sum[kChannels] = {0.0F, 0.0F, 0.0F};
        for (std::size_t k = 0; k < taps.index.size(); ++k) {
          const float* pixel = source + taps.index[k] * kChannels;
          for (int c = 0; c < kChannels; ++c) sum[c] += taps.weight[k] * pixel[c];
        }
        for (int c = 0; c < kChannels; ++c) *target++ = sum[c];
      }
    }
    for (int y = 0; y < out.height; ++y) {
      const Taps& taps = down[static_cast<std::size_t>(y)];
      float* target = out.at(t, y, 0);
      for (std::size_t k = 0; k < taps.index.size(); ++k) {
        const float* source = narrow.data() + (taps.index[k] - first) * row_values;
        const float weight = taps.weight[k];
        for (std::size_t x = 0; x < row_values; ++x) target[x] += weight * source[x];
      }
    }
  }
  return out;
}

}  // namespace

Clip resize_bicubic(ClipView clip, int width, int height, Cubic cubic) {
  assert(!clip.empty() && width >= clip.width() && height >= clip.height());
  return resample(clip, cubic_taps(clip.width(), width, cubic), cubic_taps(clip.height(), height, cubic));
}

Clip enlarge_light(ClipView light, int factor, Cubic cubic, WorkingSpace space, const PictureArea& area) {
  assert(factor >= 1 && area.x >= 0 && area.y >= 0 && area.width >= 1 && area.height >= 1);
  const int width = light.width() * factor, height = light.height() * factor;
  assert(area.x <= width - area.width && area.y <= height - area.height);
  const auto across = cubic_taps(light.width(), width, cubic),
             down = cubic_taps(light.height(), height, cubic);
  const auto part = [](const std::vector<Taps>& taps, int first, int count) {
    return std::span(taps).subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(count));
  };
  Clip out =
      resample(encode_clip(space, light), part(across, area.x, area.width), part(down, area.y, area.height));
  decode_pixels(space, out.pixels.data(), out.pixels.data(), out.pixels.size() / kChannels);
  // Beside a pixel far below zero the cubic overshoots, and a code of 60 is infinite light.
  limit_to_half(out);
  return out;
}

Clip shrink_area(ClipView clip, int width, int height) {
  assert(width >= 1 && height >= 1 && width <= clip.width() && height <= clip.height());
  return resample(clip, area_taps(clip.width(), width), area_taps(clip.height(), height));
}

Image8 enlarge_blocks(const Image8& image, int factor) {
  assert(factor >= 1);
  Image8 out(image.width * factor, image.height * factor);
  for (int y = 0; y < out.height; ++y) {
    for (int x = 0; x < out.width; ++x)
      std::copy_n(image.at(x / factor, y / factor), kChannels, out.at(x, y));
  }
  return out;
}

}  // namespace rushes::worker
