// Block motion between two planes of light; see measure.h for the method.
//
// Thread contract: plain values and pure functions.
#pragma once

#include <vector>

namespace rushes::worker {

inline constexpr int kMotionBlock = 8;   // pixels
inline constexpr int kMotionReach = 16;  // pixels per frame

using Plane = std::vector<float>;  // [height, width]

struct Shift {
  int x = 0, y = 0;
};

// From one frame to a neighbour: where each block of this frame lies in the other one.
struct Motion {
  std::vector<Shift> blocks;  // [rows, columns]
};

// Half the width and height (rounded up), each value the mean of the pixels it covers.
Plane half_size(const Plane& plane, int width, int height);

// Where each block of `from` lies in `to`, whose light is `gain` stops above that of `from`. The `_half`
// planes are half_size() of both.
Motion find_motion(const Plane& from, const Plane& to, const Plane& from_half, const Plane& to_half,
                   int width, int height, float gain);

// Smallest and largest value of each pixel's 3x3 neighbourhood.
struct Range3x3 {
  Plane low, high;
};
Range3x3 neighbourhood(const Plane& plane, int width, int height);

// The motion with every block given whichever of its own shift, its eight neighbours' and none leaves the
// least of it unexplained: sums of differences mislead where a block holds the rim of a much brighter thing.
Motion settled(const Motion& motion, const Plane& plane, const Range3x3& other, int width, int height,
               float gain);

// Signed excess of `plane` (moved by `gain`) over the range of the matched pixels in `other`.
Plane unexplained(const Plane& plane, const Motion& motion, const Range3x3& other, int width, int height,
                  float gain);

}  // namespace rushes::worker
