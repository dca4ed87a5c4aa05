// Renders a scene to scene-linear light: analytic ray casting, deterministic to the bit on one machine.
//
// Frames are AP1 (ACEScg) primaries, linear, unclamped; an emissive object reaches its peak of 4, 8 or 16.
// Edges between surfaces are supersampled 4x4, everything else takes one ray per pixel.
//
// Thread contract: pure functions; call them from as many threads as you like.
#pragma once

#include <cstdint>
#include <vector>

#include "tools/train/scene/scene.h"

namespace rushes::scene {

// Frames of [frame][row][column][r, g, b].
struct Clip {
  int frames = 0;
  int height = 0;
  int width = 0;
  std::vector<float> light;

  float* pixel(int frame, int row, int column) {
    return &light[3 * ((static_cast<std::size_t>(frame) * static_cast<std::size_t>(height) +
                        static_cast<std::size_t>(row)) *
                           static_cast<std::size_t>(width) +
                       static_cast<std::size_t>(column))];
  }
  const float* pixel(int frame, int row, int column) const {
    return const_cast<Clip*>(this)->pixel(frame, row, column);
  }
};

// Which part of the picture is wanted: the whole is width x height; the crop is rendered.
struct View {
  int width = 160;
  int height = 96;
  int left = 0;
  int top = 0;
  int crop_width = 160;
  int crop_height = 96;

  static View whole(int width, int height) { return View{width, height, 0, 0, width, height}; }
};

// The camera: yaw in radians (positive looks right), focal length relative to the plain view.
struct Pose {
  double yaw = 0.0;
  double zoom = 1.0;
};

// Where the camera looks at `progress` in 0..1 of the clip.
Pose camera_pose(const Scene& scene, double progress);

// The clip of `frames` frames; progress runs from 0 at the first frame to 1 at the last.
Clip render(const Scene& scene, int frames, const View& view);

// One frame of the scene without its objects, seen from `pose`: what the analysers compare with.
Clip render_empty(Light light, Place place, const Pose& pose, const View& view);

// What a white, fully lit matte surface sends out under this light (AP1, linear).
std::array<double, 3> white_level(Light light);

// What the key and the sky each add to the floor's light (AP1, linear): what shadows take away.
struct Lamps {
  std::array<double, 3> key, sky;
};
Lamps lamps_of(Light light);

// The colour's reflectance (AP1, linear).
std::array<double, 3> reflectance(Colour colour);

// ACEScct (Academy S-2016-001): scene-linear AP1 to a code of about 0.07 (black) to 0.78 (16.0).
float acescct_encode(float linear);
float acescct_decode(float code);

}  // namespace rushes::scene
