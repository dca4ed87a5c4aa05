#include "worker/picture/yuv.h"

#include <algorithm>
#include <cassert>
#include <cmath>

namespace rushes::worker {
namespace {

// ITU-R BT.709-6, item 3.2: luma, and the scale of the colour differences.
constexpr float kRed = 0.2126F, kGreen = 0.7152F, kBlue = 0.0722F;
constexpr float kCbScale = 1.8556F, kCrScale = 1.5748F;

std::uint8_t code(float value) { return static_cast<std::uint8_t>(value + 0.5F); }  // value > 0

float limited(float value) {
  if (!(value > 0.0F)) return 0.0F;  // NaN too
  return std::min(value, 1.0F);
}

// bt1886_from_srgb() at index / kSteps. Two powers for every value of a 4K frame would cost half of its encoding.
constexpr std::size_t kSteps = 65536;
std::vector<float> tabulate_codes() {
  std::vector<float> table(kSteps + 2);
  for (std::size_t i = 0; i < table.size(); ++i) {
    const double c = static_cast<double>(i) / kSteps;
    const double light = c <= 0.04045 ? c / 12.92 : std::pow((c + 0.055) / 1.055, 2.4);
    table[i] = static_cast<float>(std::pow(light, 1 / 2.4));
  }
  return table;
}

}  // namespace

float bt1886_from_srgb(float code) {
  static const std::vector<float> table = tabulate_codes();
  assert(code >= 0.0F && code <= 1.0F);
  const float place = code * static_cast<float>(kSteps);
  const auto index = static_cast<std::size_t>(place);
  const float part = place - static_cast<float>(index);
  return table[index] + part * (table[index + 1] - table[index]);
}

Yuv420 to_yuv420(const std::vector<float>& display, int width, int height) {
  assert(width > 0 && height > 0);
  assert(display.size() == static_cast<std::size_t>(width) * static_cast<std::size_t>(height) * 3);
  Yuv420 out;
  out.width = width + (width & 1);
  out.height = height + (height & 1);
  const auto w = static_cast<std::size_t>(out.width), h = static_cast<std::size_t>(out.height);
  out.y.resize(w * h);
  out.cb.resize(w * h / 4);
  out.cr.resize(w * h / 4);
  std::vector<float> cb(w * 2), cr(w * 2);  // colour differences of two rows, -0.5..0.5
  for (std::size_t y = 0; y < h; ++y) {
    const std::size_t source_y = std::min(y, static_cast<std::size_t>(height) - 1);
    const std::size_t half = (y & 1U) * w;
    for (std::size_t x = 0; x < w; ++x) {
      const std::size_t source_x = std::min(x, static_cast<std::size_t>(width) - 1);
      const float* rgb = display.data() + (source_y * static_cast<std::size_t>(width) + source_x) * 3;
      const float r = bt1886_from_srgb(limited(rgb[0])), g = bt1886_from_srgb(limited(rgb[1])),
                  b = bt1886_from_srgb(limited(rgb[2]));
      const float luma = kRed * r + kGreen * g + kBlue * b;
      out.y[y * w + x] = code(16.0F + 219.0F * luma);
      cb[half + x] = (b - luma) / kCbScale;
      cr[half + x] = (r - luma) / kCrScale;
    }
    if ((y & 1U) == 0U) continue;
    for (std::size_t x = 0; x < w; x += 2) {
      const std::size_t left = x == 0 ? 0 : x - 1, right = x + 1;
      const auto mean = [&](const std::vector<float>& d) {
        const float upper = d[left] + 2.0F * d[x] + d[right];
        const float lower = d[w + left] + 2.0F * d[w + x] + d[w + right];
        return (upper + lower) * 0.125F;
      };
      const std::size_t at = (y / 2) * (w / 2) + x / 2;
      out.cb[at] = code(128.0F + 224.0F * mean(cb));
      out.cr[at] = code(128.0F + 224.0F * mean(cr));
    }
  }
  return out;
}

}  // namespace rushes::worker
