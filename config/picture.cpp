#include "config/picture.h"

#include <algorithm>

#include "config/limits.h"

namespace rushes::config {
namespace {

constexpr std::string_view kPng("\x89PNG\r\n\x1a\n", 8), kExr("\x76\x2f\x31\x01\x02", 5);

// PNG (ISO 15948, 11.2.2): the first chunk is IHDR, which begins with width and height.
std::int64_t big_endian(std::string_view bytes) {
  std::int64_t number = 0;
  for (const char c : bytes) number = number * 256 + static_cast<unsigned char>(c);
  return number;
}

Status check_png(std::string_view begin) {
  if (begin.size() < 24 || begin.substr(12, 4) != "IHDR")
    return fail(ErrorKind::kInvalid, "expected a PNG or EXR file, found a PNG that is cut short");
  const std::int64_t width = big_endian(begin.substr(16, 4)), height = big_endian(begin.substr(20, 4));
  if (width < 1 || height < 1 || width > kMaxPictureSide || height > kMaxPictureSide ||
      width * height > kMaxPicturePixels)
    return fail(ErrorKind::kInvalid, "expected at most " + std::to_string(kMaxPictureSide) +
                                         " pixels a side and " + std::to_string(kMaxPicturePixels) +
                                         " in all, found " + std::to_string(width) + "x" +
                                         std::to_string(height));
  return check_aspect(width, height);
}

}  // namespace

Status check_aspect(std::int64_t width, std::int64_t height) {
  if (std::max(width, height) <= kMaxPictureAspect * std::min(width, height)) return {};
  return fail(ErrorKind::kInvalid, "expected sides of at most " + std::to_string(kMaxPictureAspect) +
                                       " to 1, found " + std::to_string(width) + "x" +
                                       std::to_string(height));
}

std::string key_frame_key(std::size_t index, std::string_view key) {
  return "key_frames[" + std::to_string(index) + "]." + std::string(key);
}

Status check_picture(std::string_view begin, std::uint64_t bytes) {
  if (bytes > kMaxPictureBytes)
    return fail(ErrorKind::kInvalid, "expected at most " + std::to_string(kMaxPictureBytes >> 20) +
                                         " MiB, found " + std::to_string(bytes >> 20) + " MiB");
  if (begin.starts_with(kPng)) return check_png(begin);
  if (begin.starts_with(kExr)) return {};
  return fail(ErrorKind::kInvalid, "expected a PNG or EXR file");
}

}  // namespace rushes::config
