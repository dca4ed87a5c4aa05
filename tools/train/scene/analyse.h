// Reads light, place, camera, motion, shape, colour and material back out of frames, by comparing them with
// what the renderer says the empty scene looks like. Knows nothing of how the frames were made.
//
// Frames are scene-linear AP1, 33 or more of one clip, any size with the aspect of 160x96 (or its centre
// 160x90 padded back to 96 rows).
//
// Thread contract: an Analyser is immutable after construction; analyse() may be called from many threads.
#pragma once

#include <array>
#include <vector>

#include "tools/train/scene/render.h"

namespace rushes::scene {

// What was seen. Every attribute is a forced choice; `object_found` is false where nothing stands out.
struct Seen {
  Light light = Light::kDay;
  Place place = Place::kTable;
  CameraMove camera = CameraMove::kStatic;
  bool object_found = false;
  Motion motion = Motion::kStill;
  Shape shape = Shape::kSphere;
  Colour colour = Colour::kRed;
  Material material = Material::kMatte;
  double emission = 0.0;  // 4, 8 or 16 where the material is emissive
};

class Analyser {
 public:
  Analyser();
  Seen analyse(const Clip& clip) const;

 private:
  static constexpr int kWidth = 80, kHeight = 48;  // of the small pictures that find light and camera
  struct Reference {
    Pose pose;
    std::vector<float> code;  // ACEScct codes of the empty scene, kWidth x kHeight x 3
  };
  // Empty scenes by light and place, over the poses that a clip may take.
  std::array<std::vector<Reference>, 6> pans_, zooms_;

  CameraMove find_camera(const Clip& clip, std::size_t scene, std::vector<Pose>* poses) const;
};

}  // namespace rushes::scene
