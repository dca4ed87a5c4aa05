// PNG pictures: previews, thumbnails, contact sheets out; reference pictures in.
//
// A PNG holds display light: codes of 8 bits, of sRGB where the file says nothing else. Out of the farm it comes through
// a DisplayView; into the farm it is decoded by its curve and converted from its primaries to ACES2065-1 with display white at 1.0: light of a display, not of a scene, and whoever shows or stores the result must
// say so.
//
// Thread contract: functions of their arguments.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "config/result.h"
#include "worker/picture/colour.h"
#include "worker/picture/frames.h"

namespace rushes::worker {

// Eight-bit codes, [height, width, 3], first row at the top.
struct Image8 {
  int width = 0;
  int height = 0;
  CodedLight light;  // that of sRGB; another only where a file that was read says so
  std::vector<std::uint8_t> pixels;

  Image8() = default;
  Image8(int image_width, int image_height)
      : width(image_width),
        height(image_height),
        pixels(static_cast<std::size_t>(image_width) * static_cast<std::size_t>(image_height) * kChannels) {}
  std::uint8_t* at(int x, int y) {
    return pixels.data() +
           (static_cast<std::size_t>(y) * static_cast<std::size_t>(width) + static_cast<std::size_t>(x)) *
               kChannels;
  }
  const std::uint8_t* at(int x, int y) const {
    return pixels.data() +
           (static_cast<std::size_t>(y) * static_cast<std::size_t>(width) + static_cast<std::size_t>(x)) *
               kChannels;
  }
};

// Frame t of a clip through a display view.
Result<Image8> display_image(ClipView clip, int t, const DisplayView& view);

Result<std::string> encode_png(const Image8& image);  // the bytes of the file; the same for the same pixels
Status write_png(const std::string& path, const Image8& image);  // atomically

// kCorrupt for a broken file, kInvalid beyond kMaxPictureSide or kMaxPicturePixels and for light that config/png_light.h
// does not take. Alpha is composed over
// black; 16-bit pictures are reduced to 8.
Result<Image8> read_png(const std::string& path);
Result<Image8> decode_png(std::string_view bytes, const std::string& name);  // name: for messages

// Display light as a clip of one frame in ACES2065-1 (see the top of this file). kInvalid where the primaries span no
// volume: decode_png() returns none such.
Result<Clip> clip_from_display(const Image8& image, config::Rate fps = {});

}  // namespace rushes::worker
