#include "tools/train/scene/grammar.h"

#include <algorithm>
#include <cctype>
#include <iterator>
#include <vector>

namespace rushes::scene {
namespace {

// A way to say one value of one attribute. The first phrase of a value is used twice as often as the others.
struct Phrase {
  int value;
  const char* text;
};

constexpr Phrase kLights[] = {
    {0, "by day"},   {0, "in daylight"},  {0, "at noon"},        {0, "in bright daylight"},
    {1, "at dusk"},  {1, "at sunset"},    {1, "in the evening"}, {1, "in warm evening light"},
    {2, "at night"}, {2, "by moonlight"}, {2, "after dark"},     {2, "in the dark night"},
};
constexpr Phrase kPlaces[] = {
    {0, "on a table"},     {0, "on a wooden table"}, {0, "on the tabletop"},
    {0, "across a table"}, {1, "on the ground"},     {1, "outdoors"},
    {1, "on open ground"}, {1, "across the ground"}, {1, "over dark ground"},
};
constexpr Phrase kShapes[] = {
    {0, "sphere"}, {0, "ball"}, {0, "orb"},      {1, "cube"},   {1, "box"},
    {1, "block"},  {2, "cone"}, {3, "cylinder"}, {3, "pillar"}, {3, "column"},
};
constexpr Phrase kColours[] = {
    {0, "red"},     {0, "crimson"}, {1, "orange"},    {2, "yellow"}, {3, "green"},
    {3, "emerald"}, {4, "cyan"},    {4, "turquoise"}, {5, "blue"},   {5, "azure"},
    {6, "purple"},  {6, "violet"},  {7, "white"},
};
// Material values: 0 matte, 1 metal, 2 emissive at 4, 3 at 8, 4 at 16.
constexpr Phrase kMaterials[] = {
    {0, "matte"},       {0, "painted"},          {0, "clay"},           {1, "metal"},         {1, "metallic"},
    {1, "shiny metal"}, {1, "polished metal"},   {2, "softly glowing"}, {2, "dimly glowing"}, {3, "glowing"},
    {3, "luminous"},    {4, "brightly glowing"}, {4, "blazing"},
};
constexpr Phrase kSizes[] = {{0, "small"}, {0, "little"}, {2, "large"}, {2, "big"}};
constexpr Phrase kMotions[] = {
    {0, "stands still"},
    {0, "rests"},
    {0, "is standing still"},
    {0, "does not move"},
    {1, "moves left"},
    {1, "slides to the left"},
    {1, "glides left"},
    {1, "moves from right to left"},
    {2, "moves right"},
    {2, "slides to the right"},
    {2, "glides right"},
    {2, "moves from left to right"},
    {3, "rises"},
    {3, "floats up"},
    {3, "lifts into the air"},
    {3, "moves up"},
    {4, "comes closer"},
    {4, "moves toward the camera"},
    {4, "approaches the camera"},
    {4, "moves closer"},
    {5, "moves away"},
    {5, "recedes"},
    {5, "moves away from the camera"},
    {5, "drifts away"},
};
constexpr Phrase kCameras[] = {
    {0, "static camera"},
    {0, "the camera is still"},
    {0, "locked camera"},
    {0, "the camera does not move"},
    {1, "the camera pans left"},
    {1, "camera pan to the left"},
    {1, "panning left"},
    {1, "slow pan left"},
    {2, "the camera pans right"},
    {2, "camera pan to the right"},
    {2, "panning right"},
    {2, "slow pan right"},
    {3, "the camera zooms in"},
    {3, "slow zoom in"},
    {3, "zooming in"},
    {3, "camera zoom in"},
    {4, "the camera zooms out"},
    {4, "slow zoom out"},
    {4, "zooming out"},
    {4, "camera zoom out"},
};

template <std::size_t N>
std::string say(const Phrase (&table)[N], int value, Random& random) {
  std::vector<const char*> ways;
  for (const Phrase& phrase : table) {
    if (phrase.value != value) continue;
    if (ways.empty()) ways.push_back(phrase.text);
    ways.push_back(phrase.text);
  }
  return ways[random.below(ways.size())];
}

int material_value(const Scene& scene) {
  if (scene.material == Material::kMatte) return 0;
  if (scene.material == Material::kMetal) return 1;
  return scene.emission < 6 ? 2 : scene.emission < 12 ? 3 : 4;
}

bool word_character(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0; }

std::size_t find_phrase(std::string_view text, std::string_view phrase) {
  for (std::size_t at = text.find(phrase); at != std::string_view::npos; at = text.find(phrase, at + 1)) {
    const bool starts = at == 0 || !word_character(text[at - 1]);
    const std::size_t end = at + phrase.size();
    if (starts && (end == text.size() || !word_character(text[end]))) return at;
  }
  return std::string_view::npos;
}

// The value whose phrase is the longest one found; the phrase is blanked out so that nothing reads it twice.
template <std::size_t N>
std::optional<int> read(const Phrase (&table)[N], std::string* text) {
  const Phrase* best = nullptr;
  std::size_t best_at = 0, best_length = 0;
  for (const Phrase& phrase : table) {
    const std::size_t at = find_phrase(*text, phrase.text), length = std::string_view(phrase.text).size();
    if (at != std::string_view::npos && length > best_length)
      best = &phrase, best_at = at, best_length = length;
  }
  if (best == nullptr) return std::nullopt;
  text->replace(best_at, best_length, std::string(best_length, ' '));
  return best->value;
}

std::string article(std::string_view noun) {
  return std::string(std::string_view("aeiou").find(noun.front()) == std::string_view::npos ? "a " : "an ");
}

std::string describe_object(const Scene& scene, Random& random, Detail detail) {
  std::string words;
  if (scene.size != Size::kMedium) words += say(kSizes, static_cast<int>(scene.size), random) + " ";
  const std::string colour = say(kColours, static_cast<int>(scene.colour), random) + " ";
  std::string material = say(kMaterials, material_value(scene), random) + " ";
  const bool plain = detail == Detail::kCasual && scene.material == Material::kMatte && random.chance(0.25);
  if (plain) material.clear();
  const bool colour_first = random.chance(0.35) && material.find(' ') + 1 == material.size();
  words += colour_first ? colour + material : material + colour;
  words += say(kShapes, static_cast<int>(scene.shape), random);
  return article(words) + words;
}

std::string describe_companion(const Companion& companion, Random& random) {
  return std::string(", with ") + "a small " + say(kColours, static_cast<int>(companion.colour), random) +
         " " + say(kShapes, static_cast<int>(companion.shape), random) + " behind it on the " +
         (companion.on_left ? "left" : "right");
}

}  // namespace

std::string caption(const Scene& scene, Random& random, Detail detail) {
  const bool casual = detail == Detail::kCasual;
  const std::string object = describe_object(scene, random, detail);
  std::string motion = say(kMotions, static_cast<int>(scene.motion), random);
  std::string place = say(kPlaces, static_cast<int>(scene.place), random);
  std::string light = say(kLights, static_cast<int>(scene.light), random);
  std::string camera = say(kCameras, static_cast<int>(scene.camera), random);
  const double omit_motion = random.uniform(), omit_place = random.uniform(), omit_light = random.uniform();
  const double omit_camera = random.uniform();
  if (casual && scene.motion == Motion::kStill && omit_motion < 0.25) motion.clear();
  if (casual && omit_place < 0.08) place.clear();
  if (casual && omit_light < 0.05) light.clear();
  if (casual && scene.camera == CameraMove::kStatic && omit_camera < 0.35) camera.clear();

  std::string text = object;
  for (const std::string& clause : {motion, place}) {
    if (!clause.empty()) text.append(1, ' ').append(clause);
  }
  const bool light_first = random.chance(0.25) && !light.empty();
  if (light_first) text = light + ", " + text;
  if (!light_first && !light.empty()) text += " " + light;
  if (scene.companion) text += describe_companion(*scene.companion, random);
  if (!camera.empty()) text = random.chance(0.2) ? camera + ", " + text : text + ", " + camera;
  return text;
}

Stated parse_caption(std::string_view text) {
  std::string rest(text);
  std::transform(rest.begin(), rest.end(), rest.begin(), [](unsigned char c) { return std::tolower(c); });
  Stated stated;
  const std::optional<int> camera = read(kCameras, &rest);
  const std::optional<int> light = read(kLights, &rest);
  const std::optional<int> place = read(kPlaces, &rest);
  const std::size_t with = find_phrase(rest, "with a small");
  std::string subject = rest;
  if (with != std::string::npos) {
    const std::size_t stop = rest.find(',', with);  // the companion's clause ends at the next comma
    subject = rest.substr(0, with) + (stop == std::string::npos ? "" : rest.substr(stop));
  }
  const std::optional<int> motion = read(kMotions, &subject);
  const std::optional<int> material = read(kMaterials, &subject);
  const std::optional<int> colour = read(kColours, &subject);
  const std::optional<int> shape = read(kShapes, &subject);
  stated.camera = camera ? static_cast<CameraMove>(*camera) : CameraMove::kStatic;
  stated.motion = motion ? static_cast<Motion>(*motion) : Motion::kStill;
  if (light) stated.light = static_cast<Light>(*light);
  if (place) stated.place = static_cast<Place>(*place);
  if (shape) stated.shape = static_cast<Shape>(*shape);
  if (colour) stated.colour = static_cast<Colour>(*colour);
  if (material) {
    stated.material = static_cast<Material>(std::min(*material, 2));
    if (*material >= 2) stated.emission = *material == 2 ? 4.0 : *material == 3 ? 8.0 : 16.0;
  } else if (colour || shape) {
    stated.material = Material::kMatte;
  }
  return stated;
}

}  // namespace rushes::scene
