// Do the borders between tiles show?
//
// Pixels on both sides of a border should differ no more than neighbours elsewhere do. The measure compares
// the mean step across the borders with the mean step one pixel to either side of them, in code values (where
// the eye lives), so that busy pictures and flat ones are judged alike.
//
// Thread contract: pure functions.
#pragma once

#include <span>

#include "worker/picture/frames.h"

namespace rushes::worker {

struct SeamSteps {
  double across = 0.0;  // mean |difference| of the two pixels that a border parts
  double beside = 0.0;  // mean |difference| one pixel to the left and to the right (above and below) of it
  int borders = 0;      // border lines that were measured, one for each frame and border
  // across / beside; 1 where both are 0. 1 means no seam.
  double ratio() const;
};

// `code` is a clip of code values (encode_clip). `columns` holds the x of the first pixel right of a vertical
// border, `rows` the y of the first pixel below a horizontal one; borders closer than 2 pixels to the
// picture's edge are left out.
SeamSteps measure_seams(ClipView code, std::span<const int> columns, std::span<const int> rows);

}  // namespace rushes::worker
