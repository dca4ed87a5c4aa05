// What a PNG file says of the light of its codes, by the chunks cICP, iCCP, sRGB, gAMA and cHRM (PNG, third edition,
// 4.3: the first of them in this order that is there decides, gAMA and cHRM together).
//
// Taken: the primaries of BT.709, P3-D65 and BT.2020 and whatever cHRM says, with the curve of sRGB, or one of gAMA, or
// linear light; ICC profiles that are sRGB or Display P3. Anything else is refused by name: nothing is read as another
// colour than it was written as. A file that says nothing is sRGB.
//
// Thread contract: pure functions. The bytes are hostile: no chunk is trusted beyond its own length and its CRC.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "config/primaries.h"
#include "config/result.h"

namespace rushes::config {

struct PngLight {
  CodedLight light;  // of the codes that libpng gives
  // libpng knows gAMA and sRGB only. true: it must read replaced_light(), which holds no other word about the light
  // than `gamma`, as gAMA has it (100000 times the exponent): from any that is not near that of sRGB it converts to the
  // power 2.2. 0: the codes stay as they are.
  bool replaced = false;
  std::uint32_t gamma = 0;
};

// Error: kInvalid (light that is not taken; the message says what to do), kCorrupt (a broken chunk).
Result<PngLight> png_light(std::string_view bytes);

// The file with its chunks of light replaced. `light` is that of the same bytes.
std::string replaced_light(std::string_view bytes, const PngLight& light);

}  // namespace rushes::config
