#include "tools/bench/tabletop_score.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace rushes::bench {
namespace {

// The order of the report: the goals of the model first.
constexpr const char* kAttributes[] = {"light",    "colour", "direction", "shape",
                                       "material", "camera", "place",     "emission"};

}  // namespace

Interval wilson(int right, int total) {
  if (total == 0) return {};
  const double n = total, p = right / n, z = 1.959964, z2 = z * z;
  const double centre = (p + z2 / (2 * n)) / (1 + z2 / n);
  const double half = z / (1 + z2 / n) * std::sqrt(p * (1 - p) / n + z2 / (4 * n * n));
  return {std::max(0.0, centre - half), std::min(1.0, centre + half)};
}

std::string Score::add(const scene::Stated& truth, const scene::Seen& seen) {
  std::string wrong;
  const auto count = [&](const char* attribute, const auto& stated, const auto& found, bool valid,
                         const auto& names) {
    if (!stated) return;
    Count& at = counts_[attribute];
    at.total += 1;
    if (valid && *stated == found) {
      at.right += 1;
      return;
    }
    wrong += std::string(wrong.empty() ? "" : ", ") + attribute + " " +
             (valid ? std::string(names[static_cast<std::size_t>(found)]) : std::string("not seen")) +
             " for " + std::string(names[static_cast<std::size_t>(*stated)]);
  };
  const bool object = seen.object_found;
  count("light", truth.light, seen.light, true, scene::kLightNames);
  count("place", truth.place, seen.place, true, scene::kPlaceNames);
  count("camera", truth.camera, seen.camera, true, scene::kCameraNames);
  count("direction", truth.motion, seen.motion, object, scene::kMotionNames);
  count("shape", truth.shape, seen.shape, object, scene::kShapeNames);
  count("colour", truth.colour, seen.colour, object, scene::kColourNames);
  count("material", truth.material, seen.material, object, scene::kMaterialNames);
  if (truth.emission && seen.material == scene::Material::kEmissive) {
    Count& at = counts_["emission"];
    at.total += 1;
    if (object && *truth.emission == seen.emission) at.right += 1;
  }
  return wrong;
}

double Score::accuracy(const std::string& attribute) const {
  const auto found = counts_.find(attribute);
  return found == counts_.end() || found->second.total == 0
             ? 0.0
             : static_cast<double>(found->second.right) / found->second.total;
}

std::string Score::table() const {
  std::string text = "attribute   right  of    accuracy  95 % interval\n";
  for (const char* attribute : kAttributes) {
    const auto found = counts_.find(attribute);
    if (found == counts_.end()) continue;
    const auto [right, total] = found->second;
    const Interval interval = wilson(right, total);
    char line[128];
    std::snprintf(line, sizeof line, "%-11s %5d %4d    %6.1f %%  %.1f to %.1f\n", attribute, right, total,
                  100 * accuracy(attribute), 100 * interval.low, 100 * interval.high);
    text += line;
  }
  return text;
}

nlohmann::json Score::json() const {
  nlohmann::json out = nlohmann::json::object();
  for (const auto& [attribute, count] : counts_) {
    const Interval interval = wilson(count.right, count.total);
    out[attribute] = {{"right", count.right},
                      {"total", count.total},
                      {"accuracy", accuracy(attribute)},
                      {"low", interval.low},
                      {"high", interval.high}};
  }
  return out;
}

}  // namespace rushes::bench
