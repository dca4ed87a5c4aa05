#include "tools/bench/footage.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "tools/train/scene/grammar.h"
#include "tools/train/scene/render.h"
#include "worker/picture/colour.h"

namespace rushes::bench {
namespace {

using worker::Clip;

constexpr int kWidth = 192, kHeight = 112;
constexpr std::uint64_t kSeeds = 910'000'000;  // beyond those of training and of `rushes-bench tabletop`

Clip from_ap1(const scene::Clip& from) {
  const auto matrix = *worker::primaries_matrix(worker::kAp1, worker::kAp0);
  Clip to(from.width, from.height, from.frames, {24, 1});
  for (std::size_t i = 0; i < to.pixels.size(); i += 3)
    for (std::size_t r = 0; r < 3; ++r) {
      double sum = 0;
      for (std::size_t c = 0; c < 3; ++c) sum += matrix[3 * r + c] * static_cast<double>(from.light[i + c]);
      to.pixels[i + r] = static_cast<float>(sum);
    }
  return to;
}

Footage tabletop(int number) {
  scene::Random random(kSeeds + static_cast<std::uint64_t>(number));
  scene::Scene made = scene::random_scene(random);
  scene::add_texture(made, random);
  Footage footage;
  footage.name =
      "tabletop " + std::to_string(number) + ": " + scene::caption(made, random, scene::Detail::kFull);
  footage.clip = from_ap1(scene::render(made, kFootageFrames, scene::View::whole(kWidth, kHeight)));
  footage.travels = made.camera != scene::CameraMove::kStatic;
  footage.moves = footage.travels || made.motion != scene::Motion::kStill;
  return footage;
}

// Smooth noise of a lattice of random numbers, four octaves; about -1 to 1.
class Noise {
 public:
  explicit Noise(scene::Random& random) {
    for (float& value : lattice_) value = static_cast<float>(random.uniform(-1, 1));
  }
  double at(double x, double y) const {
    double sum = 0, weight = 0.55;
    for (double scale = 1.0 / 48; scale < 1.0 / 3; scale *= 2, weight *= 0.62)
      sum += weight * octave(x * scale, y * scale);
    return sum;
  }

 private:
  static constexpr int kSide = 64;
  double value(int x, int y) const {
    return static_cast<double>(
        lattice_[static_cast<std::size_t>((y & (kSide - 1)) * kSide + (x & (kSide - 1)))]);
  }
  double octave(double x, double y) const {
    const double fx = std::floor(x), fy = std::floor(y);
    const auto ease = [](double t) { return t * t * (3 - 2 * t); };
    const double u = ease(x - fx), v = ease(y - fy);
    const int i = static_cast<int>(fx), j = static_cast<int>(fy);
    return (1 - v) * ((1 - u) * value(i, j) + u * value(i + 1, j)) +
           v * ((1 - u) * value(i, j + 1) + u * value(i + 1, j + 1));
  }
  std::array<float, kSide * kSide> lattice_{};
};

struct Take {
  double pan_x = 0, pan_y = 0, zoom = 0, turn = 0;  // a frame: pixels, pixels, share, radians
  double fade = 0, flame = 0;                       // stops: a frame, of one flicker
  double grain = 0;
};

Footage texture(int number) {
  scene::Random random(kSeeds + 500'000 + static_cast<std::uint64_t>(number));
  const Noise light(random), red(random), blue(random);
  constexpr std::array<const char*, 6> kNames{"stands", "pans", "zooms", "turns", "whips", "by a flame"};
  const std::size_t kind = random.below(kNames.size());
  const double sign = random.chance(0.5) ? 1 : -1;
  Take take;
  if (kind == 1) take.pan_x = sign * random.uniform(0.5, 4), take.pan_y = random.uniform(-0.5, 0.5);
  if (kind == 2) take.zoom = sign * random.uniform(0.003, 0.009);
  if (kind == 3) take.turn = sign * random.uniform(0.004, 0.012);
  if (kind == 4) take.pan_x = sign * random.uniform(6, 10);
  if (kind == 5) take.flame = random.uniform(0.02, 0.06);
  if (random.chance(0.3)) take.fade = (random.chance(0.5) ? 1 : -1) * random.uniform(0.003, 0.012);
  if (random.chance(0.6)) take.grain = random.uniform(0.004, 0.02);
  const double level = random.uniform(0.05, 0.5), contrast = random.uniform(0.7, 1.6);
  const std::array<double, 3> colour{random.uniform(0.6, 1.4), 1, random.uniform(0.6, 1.4)};
  Footage footage;
  footage.name = "texture " + std::to_string(number) + ": " + kNames[kind];
  footage.moves = footage.travels = kind >= 1 && kind <= 4;
  footage.clip = Clip(kWidth, kHeight, kFootageFrames, {24, 1});
  double flame = 0;
  for (int t = 0; t < kFootageFrames; ++t) {
    flame = 0.7 * flame + take.flame * random.uniform(-1, 1);
    const double gain = level * std::exp2(take.fade * t + flame), scale = std::exp(take.zoom * t),
                 sine = std::sin(take.turn * t), cosine = std::cos(take.turn * t);
    for (int y = 0; y < kHeight; ++y)
      for (int x = 0; x < kWidth; ++x) {
        const double u = (x - kWidth / 2) * scale, v = (y - kHeight / 2) * scale;
        const double px = cosine * u - sine * v + 300 + take.pan_x * t,
                     py = sine * u + cosine * v + 300 + take.pan_y * t;
        const double value = gain * std::exp2(contrast * light.at(px, py));
        const double r = 0.5 * red.at(px, py), b = 0.5 * blue.at(px, py);
        const double grain = 1 + take.grain * (random.uniform(-1, 1) + random.uniform(-1, 1));
        float* pixel = footage.clip.at(t, y, x);
        pixel[0] = static_cast<float>(value * grain * colour[0] * std::exp2(r));
        pixel[1] = static_cast<float>(value * grain);
        pixel[2] = static_cast<float>(value * grain * colour[2] * std::exp2(b));
      }
  }
  return footage;
}

}  // namespace

Footage clean_footage(int number) { return number % 2 == 0 ? tabletop(number / 2) : texture(number / 2); }

}  // namespace rushes::bench
