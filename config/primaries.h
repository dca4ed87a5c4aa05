// The primaries and the white of RGB light, as CIE 1931 chromaticities.
//
// Thread contract: plain values and pure functions.
#pragma once

#include <cmath>

namespace rushes::config {

struct Chromaticity {
  double x = 0.0;
  double y = 0.0;
  bool operator==(const Chromaticity&) const = default;
};
struct Primaries {
  Chromaticity red, green, blue, white;
  bool operator==(const Primaries&) const = default;
};

// ITU-R BT.709 (sRGB has the same), SMPTE EG 432-1 with the white D65 (Display P3), ITU-R BT.2020.
inline constexpr Primaries kRec709{{0.64, 0.33}, {0.30, 0.60}, {0.15, 0.06}, {0.3127, 0.3290}};
inline constexpr Primaries kP3D65{{0.680, 0.320}, {0.265, 0.690}, {0.150, 0.060}, {0.3127, 0.3290}};
inline constexpr Primaries kRec2020{{0.708, 0.292}, {0.170, 0.797}, {0.131, 0.046}, {0.3127, 0.3290}};

// What the codes 0 to 255 of a display mean.
struct CodedLight {
  Primaries primaries = kRec709;
  bool power = false;  // their curve is the plain power 2.2, else that of sRGB (IEC 61966-2-1)
  bool operator==(const CodedLight&) const = default;
};

// Twice the area of the triangle a, b, c; negative where they turn clockwise.
constexpr double turn(const Chromaticity& a, const Chromaticity& b, const Chromaticity& c) {
  return (b.x - a.x) * (c.y - a.y) - (c.x - a.x) * (b.y - a.y);
}

// Whether some light is mixed of these primaries: three that are not on one line, and a white (NaN is none).
inline bool spans_gamut(const Primaries& p) {
  const double area = std::fabs(turn(p.red, p.green, p.blue));
  return area > 1e-6 && area < 1e6 && p.white.y > 1e-5;
}

// Whether the white is a mixture of all three primaries.
inline bool mixes_white(const Primaries& p) {
  const double area = turn(p.red, p.green, p.blue);
  return spans_gamut(p) && turn(p.red, p.green, p.white) / area > 0 &&
         turn(p.green, p.blue, p.white) / area > 0 && turn(p.blue, p.red, p.white) / area > 0;
}

}  // namespace rushes::config
