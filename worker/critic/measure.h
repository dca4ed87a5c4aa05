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
// Thread contract: measure() is pure; Measures is read-only afterwards.
#pragma once

#include <array>
#include <vector>

#include "worker/critic/finding.h"
#include "worker/picture/frames.h"

namespace rushes::worker {

inline constexpr int kWorkingSide = 256;  // pixels
inline constexpr int kMotionBlock = 8;    // pixels
inline constexpr int kMotionReach = 16;   // pixels per frame
inline constexpr float kDark = 0.01F;     // scene-linear

using Plane = std::vector<float>;  // [height, width]

struct Shift {
  int x = 0, y = 0;
};

// From one frame to a neighbour: where each block of this frame lies in the other one.
struct Motion {
  std::vector<Shift> blocks;  // [rows, columns]
};

struct Measures {
  int frames = 0, width = 0, height = 0;    // working size
  int columns = 0, rows = 0;                // blocks; those at the right and bottom edge may be smaller
  std::vector<Plane> light;                 // stops, one plane per frame
  std::vector<std::array<double, 2>> tint;  // [t] mean log2(R/G) and log2(B/G)
  std::vector<double>
      gain;  // [t] median change in stops from t-1 to t of the brighter matched pixels; gain[0] = 0
  std::vector<double>
      change;  // [t] how much of the picture changed from t-1: mean of the upper 5 % of |difference|
  std::vector<Motion> back;        // [t] where blocks of t lie in t-1; empty for 0
  std::vector<Motion> ahead;       // [t] where blocks of t lie in t+1; empty for the last
  std::vector<Plane> from_before;  // [t] signed excess over t-1 after motion and gain; empty for 0
  std::vector<Plane> from_after;   // [t] signed excess over t+1 after motion and gain; empty for the last
};

// Non-finite values count as black here; judge_light reports them.
Measures measure(ClipView clip);

// Mean of the upper 5 % of |a - b|, in stops.
double upper_difference(const Plane& a, const Plane& b);

double median_of(std::vector<double> values);  // 0 of nothing

// The box around the blocks for which `bad` is set; the whole frame when none is.
Box box_around(const Measures& measures, const std::vector<bool>& bad);

// Runs of frames whose evidence is above `limit`, each with the frame of its worst evidence.
struct EvidenceRun {
  FrameSpan frames;
  int worst = 0;
};
std::vector<EvidenceRun> runs_above(const std::vector<double>& evidence, double limit);

}  // namespace rushes::worker
