// Sizes: bicubic enlargement and area reduction, with the same bits on every host (fixed order of sums,
// fp32).
//
// Pixel centres are at half-integer positions and the picture's corners stay where they are: output pixel i
// of a factor f looks at input position (i + 0.5) / f - 0.5. Beyond the border the edge pixel is repeated.
//
// Thread contract: pure functions.
#pragma once

#include <functional>

#include "worker/picture/colour.h"
#include "worker/picture/frames.h"
#include "worker/picture/png_image.h"

namespace rushes::worker {

// Cubics of Mitchell and Netravali, "Reconstruction Filters in Computer Graphics" (1988), as (B, C).
enum class Cubic {
  kCatmullRom,  // (0, 1/2): passes through the samples, crisp, may overshoot by a few percent
  kMitchell,    // (1/3, 1/3): softer, less ringing
};

// Any size not smaller than the input's (asserted), on the values as they are.
Clip resize_bicubic(ClipView clip, int width, int height, Cubic cubic);

// The rows of a picture, from the top: pixels [first, first + count) of row y, as count * 3 values.
using RowSource = std::function<Status(int y, int first, int count, float* values)>;

// A picture of width x height scaled until it covers `target` and cut to its centre: by area where that makes it
// smaller, else by Catmull and Rom's cubic. The values of the whole picture scaled and then cropped, bit for bit; but
// only what the cut needs is read, each row at most once and in order, and only rows that one output row sums are held.
// Error: the source's.
struct PictureSize {
  int width = 0, height = 0;
};
Result<Clip> cover(const RowSource& rows, PictureSize picture, PictureSize target);

// A rectangle of a picture, in pixels.
struct PictureArea {
  int x = 0, y = 0, width = 0, height = 0;
};

// Scene light, enlarged by a whole factor in the code values of `space`, where a highlight next to a shadow
// does not ring as it would in linear light. This is the guide that `enlarge` makes for `refine`. `area` is the
// part of the large picture that is computed and must lie inside it (asserted): bit for bit what the whole has
// there. Finite light gives light within half float.
Clip enlarge_light(ClipView light, int factor, Cubic cubic, WorkingSpace space, const PictureArea& area);

// Mean over the area that each output pixel covers, any size not larger than the input's (asserted). On scene
// light this is what a larger sensor pixel would have seen.
Clip shrink_area(ClipView clip, int width, int height);

// Whole-factor enlargement of a display picture: every pixel a block.
Image8 enlarge_blocks(const Image8& image, int factor);

}  // namespace rushes::worker
