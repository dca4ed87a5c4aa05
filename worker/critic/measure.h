// What several critics need to know of a clip, measured once: log light, motion between frames, and what
// motion does not explain.
//
// Light is measured in stops, log2(Y + kDark) of relative luminance Y, at a working size whose longer side is
// at most kWorkingSide (box average). kDark keeps noise in the black from counting as light: it is 4 stops
// under mid grey (0.18), below which a viewer of the SDR rendering sees next to nothing.
//
// Motion is found by block matching (8x8 blocks at the working size; full search at half size over
// +-kMotionReach/2, refined by one pixel at full size; sum of absolute differences after removing the global
// gain, with a cost per pixel of displacement so that flat blocks stay where they are).
//
// What motion does not explain is measured against the 3x3 neighbourhood of the matched pixel: a value inside
// the neighbourhood's range is explained, otherwise the excess counts, signed. Sub-pixel motion of an edge
// therefore counts as nothing, while a flat area shows any change (the neighbourhood clamping of temporal
// antialiasing: Karis, "High Quality Temporal Supersampling", SIGGRAPH 2014).
//
// A Meter takes one frame after the other and keeps the last two, so that its memory does not grow with the clip.
//
// Thread contract: one thread uses a Meter; the functions are pure.
#pragma once

#include <array>
#include <vector>

#include "worker/critic/finding.h"
#include "worker/critic/motion.h"
#include "worker/picture/frames.h"

namespace rushes::worker {

inline constexpr int kWorkingSide = 256;  // pixels
inline constexpr float kDark = 0.01F;     // scene-linear

struct WorkingSize {
  int factor = 1;             // pixels of the clip per working pixel, in each direction
  int width = 0, height = 0;  // working pixels
  int columns = 0, rows = 0;  // blocks; those at the right and bottom edge may be smaller
};

struct FrameMeasure {
  Plane light;                   // stops
  Plane red, blue;               // log2(R/G) and log2(B/G), stops
  std::array<double, 2> tint{};  // mean log2(R/G) and log2(B/G)
  // Against the frame before; of the first frame zero and empty.
  double gain = 0;  // median change in stops of the brighter matched pixels
  // Median change of log2(R/G) and log2(B/G) of the brighter matched pixels.
  std::array<double, 2> tint_change{};
  // How much of the picture changed, but for its gain: mean of the upper 5 % of |difference|.
  double change = 0;
  Motion back;        // where the blocks lie in the frame before
  Plane from_before;  // signed excess over the frame before after motion and gain
  // Against the frame after; empty until that frame was added.
  Motion ahead;      // where the blocks lie in the frame after
  Plane from_after;  // signed excess over the frame after, after motion and gain
};

class Meter {
 public:
  // Measures the next frame: `frame` holds one frame, of the same size every time. Non-finite values count as black
  // here; the critic of light reports them.
  void add(ClipView frame);
  const WorkingSize& size() const { return size_; }
  const FrameMeasure& now() const { return now_; }        // of the frame added last
  const FrameMeasure& before() const { return before_; }  // of the frame added before it, complete

 private:
  void compare(const Plane& half, const Range3x3& range);  // before_ and now_ with each other
  WorkingSize size_;
  FrameMeasure before_, now_;
  Plane half_;      // of now_.light
  Range3x3 range_;  // of now_.light
};

// Light of every pixel of one frame, [height, width], in stops. Non-finite and negative values count as black.
Plane stops_of(ClipView frame);

// Mean of the upper 5 % of |a - gain - b|, in stops.
double upper_difference(const Plane& a, const Plane& b, float gain = 0);

double median_of(std::vector<double> values);  // 0 of nothing

// The box around the blocks for which `bad` is set; the whole frame when none is.
Box box_around(const WorkingSize& size, const std::vector<bool>& bad);

// Runs of frames whose evidence is above `limit`, each with the frame of its worst evidence.
struct EvidenceRun {
  Range frames;
  int worst = 0;
};
std::vector<EvidenceRun> runs_above(const std::vector<double>& evidence, double limit);

}  // namespace rushes::worker
