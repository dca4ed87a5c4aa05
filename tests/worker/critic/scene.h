// Synthetic clips with a known truth: a textured ground, objects that move by fractions of a pixel, a camera,
// light that changes slowly, grain. Every clip follows from its seed.
#pragma once

#include <cstdint>

#include "worker/picture/frames.h"

namespace rushes::worker::testing {

// What the clip does; all are clean.
enum class Action { kStill, kMove, kPan, kZoom, kFade, kPass };
inline constexpr Action kActions[]{Action::kStill, Action::kMove, Action::kPan,
                                   Action::kZoom,  Action::kFade, Action::kPass};
const char* to_string(Action action);

struct SceneOptions {
  int width = 160, height = 90, frames = 49;
  bool grain = true;  // noise as a decoder leaves it, about 1 % of light
};

// Scene-linear ACES2065-1 of an action; seed decides texture, colours, objects, speeds, directions.
Clip render(Action action, std::uint64_t seed, const SceneOptions& options = {});

// Uniform numbers in [0, 1) by SplitMix64 (Steele, Lea, Flood 2014).
class Dice {
 public:
  explicit Dice(std::uint64_t seed) : state_(seed) {}
  std::uint64_t next();
  double uniform() { return static_cast<double>(next() >> 11) * 0x1p-53; }
  double between(double low, double high) { return low + (high - low) * uniform(); }
  int whole(int low, int high) {
    return low + static_cast<int>(uniform() * (high - low + 1));
  }  // both ends included

 private:
  std::uint64_t state_;
};

// Multiplies the light of frames [first, last] inside a rectangle.
void scale_light(Clip& clip, int first, int last, int x, int y, int width, int height, double factor);
// Multiplies one channel of frames [first, last].
void scale_channel(Clip& clip, int first, int last, int channel, double factor);
void copy_frame(Clip& clip, int from, int to);
// Moves the picture of frames [first, last] by whole pixels, edges repeated.
void shift_picture(Clip& clip, int first, int last, int dx, int dy);

}  // namespace rushes::worker::testing
