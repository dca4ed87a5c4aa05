// Display R'G'B' to 8-bit BT.709 Y'CbCr 4:2:0, for the movie writer.
//
// Thread contract: pure functions.
#pragma once

#include <cstdint>
#include <vector>

namespace rushes::worker {

// Planes of one picture of even size, limited range (ITU-R BT.709-6, 3.4 and 4.6): Y' 16..235, Cb and
// Cr 16..240.
struct Yuv420 {
  int width = 0;   // even, pixels of the luma plane
  int height = 0;  // even
  std::vector<std::uint8_t> y, cb, cr;
};

// `display` is [height, width, 3], nominally 0..1; values outside are limited to it (the display cannot show
// more). Odd sizes grow by a repeated column or row. Chroma is sited left (as H.264 assumes): a 1-2-1 filter
// across, the mean of two rows down.
Yuv420 to_yuv420(const std::vector<float>& display, int width, int height);

}  // namespace rushes::worker
