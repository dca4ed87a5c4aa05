#include "tools/train/scene/scene.h"

namespace rushes::scene {

namespace {

std::uint64_t scramble(std::uint64_t z) {
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
  return z ^ (z >> 31);
}

constexpr std::uint64_t kStep = 0x9e3779b97f4a7c15ULL;

}  // namespace

// The seed is scrambled first: neighbouring seeds would otherwise walk the same stream one step apart.
Random::Random(std::uint64_t seed) : state_(scramble(scramble(seed + kStep) + kStep)) {}

std::uint64_t Random::next() {
  state_ += kStep;
  return scramble(state_);
}

double Random::uniform() { return static_cast<double>(next() >> 11) * 0x1.0p-53; }

double Random::uniform(double low, double high) { return low + (high - low) * uniform(); }

std::size_t Random::below(std::size_t count) {
  return static_cast<std::size_t>(uniform() * static_cast<double>(count));
}

std::size_t Random::weighted(const double* weights, std::size_t count) {
  double total = 0.0;
  for (std::size_t i = 0; i < count; ++i) total += weights[i];
  double at = uniform() * total;
  for (std::size_t i = 0; i + 1 < count; ++i) {
    if (at < weights[i]) return i;
    at -= weights[i];
  }
  return count - 1;
}

Scene random_scene(Random& random) {
  // A still object under a still camera is the rarest thing in a shot list; left and right are the commonest.
  static constexpr double kMotionWeights[] = {0.20, 0.20, 0.20, 0.14, 0.13, 0.13};
  static constexpr double kCameraWeights[] = {0.40, 0.15, 0.15, 0.15, 0.15};
  static constexpr double kSizeWeights[] = {0.2, 0.6, 0.2};
  static constexpr double kEmissions[] = {4.0, 8.0, 16.0};
  Scene scene;
  scene.light = static_cast<Light>(random.below(kLightNames.size()));
  scene.place = static_cast<Place>(random.below(kPlaceNames.size()));
  scene.shape = static_cast<Shape>(random.below(kShapeNames.size()));
  scene.colour = static_cast<Colour>(random.below(kColourNames.size()));
  scene.material = static_cast<Material>(random.below(kMaterialNames.size()));
  scene.emission = kEmissions[random.below(3)];
  scene.size = static_cast<Size>(random.weighted(kSizeWeights, 3));
  scene.motion = static_cast<Motion>(random.weighted(kMotionWeights, 6));
  scene.camera = static_cast<CameraMove>(random.weighted(kCameraWeights, 5));
  if (random.chance(0.15)) {
    Companion companion;
    companion.shape = static_cast<Shape>(random.below(kShapeNames.size()));
    companion.colour = static_cast<Colour>(random.below(kColourNames.size()));
    companion.on_left = random.chance(0.5);
    scene.companion = companion;
  }
  scene.screen_offset = random.uniform(-0.12, 0.12);
  scene.pace = random.uniform(0.85, 1.15);
  scene.turn = random.uniform(0.45, 0.75);
  return scene;
}

void add_texture(Scene& scene, Random& random) {
  scene.texture = static_cast<Texture>(random.weighted(std::array{1.0, 0.7, 0.7, 0.6}.data(), 4));
  scene.texture_cells = random.uniform(2.5, 6.0);
  scene.texture_depth = random.uniform(0.15, 0.6);
}

}  // namespace rushes::scene
