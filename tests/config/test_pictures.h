// PNG files for tests, written by the library and by hand.
#pragma once

#include <png.h>

#include <cstdint>
#include <string>
#include <vector>

namespace rushes {

inline std::string encoded_png(int width, int height, const std::vector<std::uint8_t>& pixels) {
  png_image png{};
  png.version = PNG_IMAGE_VERSION;
  png.width = static_cast<png_uint_32>(width);
  png.height = static_cast<png_uint_32>(height);
  png.format = PNG_FORMAT_RGB;
  png_alloc_size_t size = PNG_IMAGE_PNG_SIZE_MAX(png);
  std::string bytes(size, '\0');
  png_image_write_to_memory(&png, bytes.data(), &size, 0, pixels.data(), 0, nullptr);
  bytes.resize(size);
  return bytes;
}

inline std::string png_of(int width, int height) {
  return encoded_png(width, height,
                     std::vector<std::uint8_t>(static_cast<std::size_t>(width * height * 3), 128));
}

// Most of its bytes are pixels.
inline std::string noisy_png(int width, int height) {
  std::vector<std::uint8_t> pixels(static_cast<std::size_t>(width * height * 3));
  std::uint32_t state = 1;
  for (std::uint8_t& value : pixels)
    value = static_cast<std::uint8_t>((state = state * 1664525u + 1013904223u) >> 24);
  return encoded_png(width, height, pixels);
}

// A file that begins like a PNG of this size.
inline std::string png_head(int width, int height) {
  std::string bytes("\x89PNG\r\n\x1a\n\0\0\0\rIHDR", 16);
  for (const int side : {width, height})
    for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(side >> shift);
  return bytes + "\x08\x02 and so on";
}

}  // namespace rushes
