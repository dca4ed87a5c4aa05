#include "tools/train/scene/sheet.h"

#include <png.h>

#include <algorithm>
#include <cmath>

namespace rushes::scene {
namespace {

// ACEScct code 0.15..0.80 to grey 0..1: a log picture shows night and a peak of 16 at once. AP1 to sRGB
// primaries is left out: the sheet is for reading shapes and hues, not for judging colour.
std::uint8_t screen_value(float linear) {
  const float code = acescct_encode(std::max(linear, 0.0f));
  const float grey = std::clamp((code - 0.12f) / 0.66f, 0.0f, 1.0f);
  return static_cast<std::uint8_t>(std::lround(255.0f * grey));
}

}  // namespace

void Sheet::add(const Clip& clip, int frame) {
  std::vector<std::uint8_t> picture(3 * static_cast<std::size_t>(width_) * static_cast<std::size_t>(height_));
  for (int y = 0; y < height_; ++y) {
    for (int x = 0; x < width_; ++x) {
      const float* light = clip.pixel(frame, y * clip.height / height_, x * clip.width / width_);
      std::uint8_t* out = &picture[3 * (static_cast<std::size_t>(y) * static_cast<std::size_t>(width_) +
                                        static_cast<std::size_t>(x))];
      for (int c = 0; c < 3; ++c) out[c] = screen_value(light[c]);
    }
  }
  pictures_.push_back(std::move(picture));
}

Status Sheet::write(const std::string& path) const {
  const int rows = (static_cast<int>(pictures_.size()) + columns_ - 1) / columns_;
  const int gap = 2, full_width = columns_ * (width_ + gap), full_height = rows * (height_ + gap);
  if (rows == 0) return fail(ErrorKind::kInvalid, "contact sheet " + path + ": no pictures to write");
  std::vector<std::uint8_t> sheet(
      3 * static_cast<std::size_t>(full_width) * static_cast<std::size_t>(full_height), 40);
  for (std::size_t i = 0; i < pictures_.size(); ++i) {
    const int left = static_cast<int>(i) % columns_ * (width_ + gap),
              top = static_cast<int>(i) / columns_ * (height_ + gap);
    for (int y = 0; y < height_; ++y) {
      const std::uint8_t* from =
          &pictures_[i][3 * static_cast<std::size_t>(y) * static_cast<std::size_t>(width_)];
      std::copy(from, from + 3 * width_,
                &sheet[3 * (static_cast<std::size_t>(top + y) * static_cast<std::size_t>(full_width) +
                            static_cast<std::size_t>(left))]);
    }
  }
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  image.width = static_cast<png_uint_32>(full_width);
  image.height = static_cast<png_uint_32>(full_height);
  image.format = PNG_FORMAT_RGB;
  if (png_image_write_to_file(&image, path.c_str(), 0, sheet.data(), 0, nullptr) == 0) {
    return fail(ErrorKind::kExhausted, "contact sheet " + path + ": cannot write: " + image.message);
  }
  return {};
}

}  // namespace rushes::scene
