// Display R'G'B' to 8-bit BT.709 Y'CbCr 4:2:0, for the movie writer.
//
// A movie is tagged BT.709, and a monitor that follows the tag shows a code V as light L = V^2.4 (ITU-R BT.1886, Annex
// 1, with black at 0). The SDR view gives codes of an sRGB display (IEC 61966-2-1) with the same primaries and white
// (BT.709, D65). A movie's code for the same light is therefore V = L^(1/2.4), L = C / 12.92 up to C = 0.04045 and
// ((C + 0.055) / 1.055)^2.4 above, for an sRGB code C.
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

// The code of a BT.1886 monitor for the light of an sRGB code in [0, 1], within 1e-4.
float bt1886_from_srgb(float code);

// `display` is [height, width, 3] in sRGB codes, nominally 0..1; values outside are limited to it (the display cannot
// show more). Odd sizes grow by a repeated column or row. Chroma is sited left (as H.264 assumes): a 1-2-1 filter
// across, the mean of two rows down.
Yuv420 to_yuv420(const std::vector<float>& display, int width, int height);

}  // namespace rushes::worker
