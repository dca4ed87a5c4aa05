// Clips without faults, for the critics to look at: true pictures of Tabletop's world, and procedural ones.
//
// Every clip follows from its number. Scene-linear ACES2065-1.
//
// Thread contract: pure functions.
#pragma once

#include <string>
#include <vector>

#include "tools/train/scene/scene.h"
#include "worker/picture/frames.h"

namespace rushes::bench {

struct Footage {
  std::string name;  // "tabletop 17: a matte red cube ...", "texture 4: pan"
  worker::Clip clip;
  bool moves = false;    // something does, all the time
  bool travels = false;  // the whole picture does
};

inline constexpr int kFootageFrames = 33;

// Alternately a scene of Tabletop, rendered (with a texture, as training has it), and a textured plane that stands, pans,
// zooms or turns under light that may flicker as a flame does or change slowly, with grain or without.
Footage clean_footage(int number);

}  // namespace rushes::bench
