#include "worker/picture/yuv.h"

#include <algorithm>
#include <cassert>

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

}  // namespace

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
      const float r = limited(rgb[0]), g = limited(rgb[1]), b = limited(rgb[2]);
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
