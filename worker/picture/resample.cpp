#include "worker/picture/resample.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <deque>
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

// Output pixels [begin, end) of `output` pixels that `input` pixels are scaled to.
std::vector<Taps> cubic_taps(int input, int output, Cubic cubic, int begin, int end) {
  std::vector<Taps> all(static_cast<std::size_t>(end - begin));
  const double step = static_cast<double>(input) / output;
  for (int i = begin; i < end; ++i) {
    const double position = (i + 0.5) * step - 0.5;
    const auto first = static_cast<int>(std::floor(position)) - 1;
    Taps& taps = all[static_cast<std::size_t>(i - begin)];
    for (int k = first; k < first + 4; ++k) {
      taps.index.push_back(static_cast<std::size_t>(std::clamp(k, 0, input - 1)));
      taps.weight.push_back(static_cast<float>(cubic_weight(position - k, cubic)));
    }
  }
  return all;
}

std::vector<Taps> area_taps(int input, int output, int begin, int end) {
  std::vector<Taps> all(static_cast<std::size_t>(end - begin));
  for (int i = begin; i < end; ++i) {
    // Output pixel i covers [i*input/output, (i+1)*input/output) in input pixels, in exact units of 1/output.
    const std::int64_t from = std::int64_t{i} * input;
    const std::int64_t to = from + input;
    Taps& taps = all[static_cast<std::size_t>(i - begin)];
    for (std::int64_t k = from / output; k * output < to; ++k) {
      const std::int64_t covered = std::min(to, (k + 1) * output) - std::max(from, k * output);
      taps.index.push_back(static_cast<std::size_t>(k));
      taps.weight.push_back(static_cast<float>(static_cast<double>(covered) / input));
    }
  }
  return all;
}

// What some taps sum: inputs [first, last].
struct Reach {
  std::size_t first = 0, last = 0;
  int count() const { return static_cast<int>(last - first + 1); }
};
Reach reach_of(std::span<const Taps> taps) {
  Reach reach{taps.front().index.front(), 0};
  for (const Taps& each : taps) {
    reach.first = std::min(reach.first, *std::min_element(each.index.begin(), each.index.end()));
    reach.last = std::max(reach.last, *std::max_element(each.index.begin(), each.index.end()));
  }
  return reach;
}

// One row across. `source` begins with input pixel `first`.
void sum_across(const float* source, std::size_t first, std::span<const Taps> across, float* target) {
  for (const Taps& taps : across) {
    float sum[kChannels] = {0.0F, 0.0F, 0.0F};
    for (std::size_t k = 0; k < taps.index.size(); ++k) {
      const float* pixel = source + (taps.index[k] - first) * kChannels;
      for (int c = 0; c < kChannels; ++c) sum[c] += taps.weight[k] * pixel[c];
    }
    for (int c = 0; c < kChannels; ++c) *target++ = sum[c];
  }
}

// Rows first, then columns; of the rows only those that the columns sum, and of these only those of one output row
// at a time: what the next one needs too is kept. `read` gives input row y, whose first pixel is input pixel `first`.
Status resample_rows(const std::function<Result<const float*>(int y)>& read, std::size_t first,
                     std::span<const Taps> across, std::span<const Taps> down, float* target) {
  const std::size_t row_values = across.size() * kChannels;
  std::deque<std::vector<float>> held;  // input rows begin, begin + 1, ...
  std::size_t begin = reach_of(down).first;
  std::vector<float> spare(row_values);
  for (const Taps& taps : down) {
    const Reach reach = reach_of({&taps, 1});
    for (; begin < reach.first && !held.empty(); ++begin) {
      spare = std::move(held.front());
      held.pop_front();
    }
    if (held.empty()) begin = reach.first;
    while (begin + held.size() <= reach.last) {
      const auto source = read(static_cast<int>(begin + held.size()));
      if (!source) return tl::unexpected<Error>(source.error());
      spare.resize(row_values);
      sum_across(*source, first, across, spare.data());
      held.push_back(std::move(spare));
      spare = {};
    }
    for (std::size_t k = 0; k < taps.index.size(); ++k) {
      const float* source = held[taps.index[k] - begin].data();
      const float weight = taps.weight[k];
      for (std::size_t x = 0; x < row_values; ++x) target[x] += weight * source[x];
    }
    target += row_values;
  }
  return {};
}

Clip resample(ClipView clip, std::span<const Taps> across, std::span<const Taps> down) {
  Clip out(static_cast<int>(across.size()), static_cast<int>(down.size()), clip.frames(), clip.fps());
  for (int t = 0; t < clip.frames(); ++t) {
    const auto row = [&](int y) -> Result<const float*> { return clip.row(t, y); };
    [[maybe_unused]] const Status done = resample_rows(row, 0, across, down, out.frame(t));
    assert(done);  // a clip has all its rows
  }
  return out;
}

}  // namespace

Result<Clip> cover(const RowSource& rows, PictureSize picture, PictureSize target) {
  assert(picture.width >= 1 && picture.height >= 1 && target.width >= 1 && target.height >= 1);
  const double scale = std::max(static_cast<double>(target.width) / picture.width,
                                static_cast<double>(target.height) / picture.height);
  const auto taps = [scale](int input, int wanted) {
    const int output = std::max(wanted, static_cast<int>(input * scale + 0.5));
    const int begin = (output - wanted) / 2;
    return scale < 1.0 ? area_taps(input, output, begin, begin + wanted)
                       : cubic_taps(input, output, Cubic::kCatmullRom, begin, begin + wanted);
  };
  const std::vector<Taps> across = taps(picture.width, target.width),
                          down = taps(picture.height, target.height);
  const Reach columns = reach_of(across);
  std::vector<float> row(static_cast<std::size_t>(columns.count()) * kChannels);
  const auto read = [&](int y) -> Result<const float*> {
    if (Status got = rows(y, static_cast<int>(columns.first), columns.count(), row.data()); !got)
      return tl::unexpected<Error>(got.error());
    return row.data();
  };
  Clip out(target.width, target.height, 1);
  if (Status done = resample_rows(read, columns.first, across, down, out.frame(0)); !done)
    return tl::unexpected<Error>(done.error());
  return out;
}

Clip resize_bicubic(ClipView clip, int width, int height, Cubic cubic) {
  assert(!clip.empty() && width >= clip.width() && height >= clip.height());
  return resample(clip, cubic_taps(clip.width(), width, cubic, 0, width),
                  cubic_taps(clip.height(), height, cubic, 0, height));
}

Clip enlarge_light(ClipView light, int factor, Cubic cubic, WorkingSpace space, const PictureArea& area) {
  assert(factor >= 1 && area.x >= 0 && area.y >= 0 && area.width >= 1 && area.height >= 1);
  const int width = light.width() * factor, height = light.height() * factor;
  assert(area.x <= width - area.width && area.y <= height - area.height);
  Clip out = resample(encode_clip(space, light),
                      cubic_taps(light.width(), width, cubic, area.x, area.x + area.width),
                      cubic_taps(light.height(), height, cubic, area.y, area.y + area.height));
  decode_pixels(space, out.pixels.data(), out.pixels.data(), out.pixels.size() / kChannels);
  // Beside a pixel far below zero the cubic overshoots, and a code of 60 is infinite light.
  limit_to_half(out);
  return out;
}

Clip shrink_area(ClipView clip, int width, int height) {
  assert(width >= 1 && height >= 1 && width <= clip.width() && height <= clip.height());
  return resample(clip, area_taps(clip.width(), width, 0, width),
                  area_taps(clip.height(), height, 0, height));
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
