// How the whole picture moves from one frame to the next: shift, zoom and turn, to a fraction of a pixel.
//
// Gauss-Newton on the squared differences of light (Lucas and Kanade, "An Iterative Image Registration Technique", IJCAI
// 1981) over all pixels, from a quarter of the working size to the whole, with weights 1 / (1 + (r / s)^2) that leave out
// what moves otherwise; s is 2.5 times the median residual. A change of gain is fitted along.
//
// Thread contract: plain values and pure functions.
#pragma once

#include <array>
#include <optional>

#include "worker/critic/motion.h"

namespace rushes::worker {

// In pixels of the working size: what lies at p of the frame before lies at p + shift of this one; zoom and turn as the
// displacement that they make kArm pixels from the centre.
struct CameraStep {
  double x = 0, y = 0, zoom = 0, turn = 0;
};
inline constexpr double kArm = 64;

double apart(const CameraStep& a, const CameraStep& b);

// `start`: what to begin with, such as the step before. None where the picture has too little detail to tell.
std::optional<CameraStep> camera_step(const Plane& before, const Plane& now, int width, int height,
                                      const CameraStep& start);

}  // namespace rushes::worker
