// What can stand on Tabletop's table: one description that the renderer, the captions and the analysers
// share.
//
// A scene is plain data. World axes: x right, y up, z away from the camera; one unit is about one object. The
// main object moves; the optional companion is small, matte and stays where it is.
//
// Thread contract: plain values and pure functions.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace rushes::scene {

enum class Light { kDay, kDusk, kNight };
enum class Place { kTable, kGround };
enum class Shape { kSphere, kCube, kCone, kCylinder };
enum class Colour { kRed, kOrange, kYellow, kGreen, kCyan, kBlue, kPurple, kWhite };
enum class Material { kMatte, kMetal, kEmissive };
enum class Motion { kStill, kLeft, kRight, kUp, kToward, kAway };
enum class CameraMove { kStatic, kPanLeft, kPanRight, kZoomIn, kZoomOut };
enum class Size { kSmall, kMedium, kLarge };
enum class Texture { kPlain, kStripes, kChecks, kSpots };

inline constexpr std::array<std::string_view, 3> kLightNames{"day", "dusk", "night"};
inline constexpr std::array<std::string_view, 2> kPlaceNames{"table", "ground"};
inline constexpr std::array<std::string_view, 4> kShapeNames{"sphere", "cube", "cone", "cylinder"};
inline constexpr std::array<std::string_view, 8> kColourNames{"red",  "orange", "yellow", "green",
                                                              "cyan", "blue",   "purple", "white"};
inline constexpr std::array<std::string_view, 3> kMaterialNames{"matte", "metal", "emissive"};
inline constexpr std::array<std::string_view, 6> kMotionNames{"still", "left",   "right",
                                                              "up",    "toward", "away"};
inline constexpr std::array<std::string_view, 5> kCameraNames{"static", "pan left", "pan right", "zoom in",
                                                              "zoom out"};
inline constexpr std::array<std::string_view, 3> kSizeNames{"small", "medium", "large"};
inline constexpr std::array<std::string_view, 4> kTextureNames{"plain", "stripes", "checks", "spots"};

// A deterministic stream of numbers (SplitMix64: Steele, Lea, Flood, "Fast splittable pseudorandom number
// generators", OOPSLA 2014). The same seed gives the same scene on every machine.
class Random {
 public:
  explicit Random(std::uint64_t seed);
  std::uint64_t next();
  double uniform();                         // [0, 1)
  double uniform(double low, double high);  // [low, high)
  std::size_t below(std::size_t count);     // 0 .. count-1
  bool chance(double probability) { return uniform() < probability; }
  std::size_t weighted(const double* weights, std::size_t count);

 private:
  std::uint64_t state_;
};

struct Companion {
  Shape shape = Shape::kCube;
  Colour colour = Colour::kBlue;
  bool on_left = true;
};

struct Scene {
  Light light = Light::kDay;
  Place place = Place::kTable;
  Shape shape = Shape::kSphere;
  Colour colour = Colour::kRed;
  Material material = Material::kMatte;
  double emission = 8.0;  // scene-linear peak of an emissive object: 4, 8 or 16
  Size size = Size::kMedium;
  Motion motion = Motion::kStill;
  CameraMove camera = CameraMove::kStatic;
  std::optional<Companion> companion;
  // What the caption does not say: small changes that keep two clips of one caption apart.
  double screen_offset = 0.0;  // where the middle of the object's way lies, units right of the centre
  double pace = 1.0;           // length of the motion and of the camera move, about 1
  double turn = 0.6;           // how far a cube is turned about the vertical, radians
  // Two tones that are fixed to the main object and move with it. Glowing objects show none.
  Texture texture = Texture::kPlain;
  double texture_cells = 4.0;  // light and dark cells per unit of length
  double texture_depth = 0.4;  // reflectance of the dark cells over that of the light ones
};

// A scene drawn from the training distribution.
Scene random_scene(Random& random);

// Gives two scenes of three a texture, which the captions do not name: more edges for what learns to see them.
void add_texture(Scene& scene, Random& random);

}  // namespace rushes::scene
