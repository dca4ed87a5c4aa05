// The captions of Tabletop: a scene becomes a sentence, a sentence becomes the attributes that it states.
//
// One phrase table serves both ways, so that the bench can read the truth of any caption written in the
// grammar, by our own generator or by a person.
//
// Thread contract: pure functions.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "tools/train/scene/scene.h"

namespace rushes::scene {

enum class Detail {
  kFull,    // every attribute that the bench measures is stated
  kCasual,  // some attributes are left out, as people do; a motion or camera left out means still or static
};

// A sentence about the scene; `random` picks the paraphrase. Example: "a shiny metal blue cube slides to the
// left on a wooden table at dusk, the camera pans right".
std::string caption(const Scene& scene, Random& random, Detail detail);

// What a sentence states about the main object, light and camera. Empty: not stated (or not understood).
struct Stated {
  std::optional<Light> light;
  std::optional<Place> place;
  std::optional<Shape> shape;
  std::optional<Colour> colour;
  std::optional<Material> material;
  std::optional<double> emission;
  std::optional<Motion> motion;
  std::optional<CameraMove> camera;
};

// Reads a caption. Words before "with" belong to the main object; camera phrases are read first, so that
// "the camera pans left" is no motion to the left.
Stated parse_caption(std::string_view text);

}  // namespace rushes::scene
