// Pictures of shots, decoded to their last byte: what config/picture.h tells from the first bytes is not known to be whole.
//
// The decoders are those by which workers read the same files, so that a shot is refused where it enters and not on a
// worker. A picture is hostile until it is checked: its size is bounded before memory is taken.
//
// Thread contract: pure functions.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "config/picture.h"
#include "config/primaries.h"
#include "config/result.h"

namespace rushes::config {

// A PNG in 8 bits, rows from the top, three bytes a pixel, into the room that `room` gives for its size; returns what
// these codes mean (config/png_light.h). Alpha is composed over black; 16-bit pictures are
// reduced to 8. Errors: kCorrupt (broken), kInvalid (beyond kMaxPictureSide or kMaxPicturePixels, light that is not
// taken), kExhausted.
Result<CodedLight> decode_png(std::string_view bytes,
                              const std::function<std::uint8_t*(int width, int height)>& room);

// The load of a PNG or EXR file that a worker can read. Finding out takes the memory of a decoded PNG, three bytes a
// pixel, and of an EXR its blocks. Errors: kInvalid, "expected ..."; kExhausted: no memory to find out.
Result<PictureLoad> check_whole_picture(const std::string& bytes);

}  // namespace rushes::config
