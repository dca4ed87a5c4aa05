#include "config/icc_profile.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <vector>

namespace rushes::config {
namespace {

constexpr std::size_t kHeader = 128, kTagEntry = 12, kMaxTags = 100;
constexpr std::size_t kMaxName = 60;  // letters in a message

std::uint32_t big_endian(std::string_view bytes, std::size_t at, std::size_t count) {
  std::uint32_t number = 0;
  for (std::size_t i = at; i < at + count; ++i) number = number << 8 | static_cast<unsigned char>(bytes[i]);
  return number;
}
std::uint32_t number32(std::string_view bytes, std::size_t at) { return big_endian(bytes, at, 4); }

// s15Fixed16Number
double fixed(std::string_view bytes, std::size_t at) {
  return static_cast<std::int32_t>(number32(bytes, at)) / 65536.0;
}

// The element of a tag, whose first four bytes are its type; empty where the profile has none that is whole.
std::string_view tag(std::string_view profile, std::string_view signature) {
  if (profile.size() < kHeader + 4) return {};
  const std::size_t count = std::min<std::size_t>(number32(profile, kHeader), kMaxTags);
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t at = kHeader + 4 + i * kTagEntry;
    if (at + kTagEntry > profile.size()) return {};
    if (profile.substr(at, 4) != signature) continue;
    const std::size_t offset = number32(profile, at + 4), size = number32(profile, at + 8);
    if (offset > profile.size() || size > profile.size() - offset || size < 8) return {};
    return profile.substr(offset, size);
  }
  return {};
}

std::optional<std::array<double, 3>> colorant(std::string_view profile, std::string_view signature) {
  const std::string_view element = tag(profile, signature);
  if (element.size() < 20 || element.substr(0, 4) != "XYZ ") return std::nullopt;
  return std::array<double, 3>{fixed(element, 8), fixed(element, 12), fixed(element, 16)};
}

// IEC 61966-2-1
double srgb_light(double code) {
  return code <= 0.04045 ? code / 12.92 : std::pow((code + 0.055) / 1.055, 2.4);
}
constexpr double kCurveTolerance =
    0.002;  // of light, where white is 1: half a code of eight bits in the middle
bool is_near_srgb(double code, double light) {
  return std::fabs(light - srgb_light(code)) < kCurveTolerance;  // false for NaN
}

bool is_srgb_table(std::string_view element) {
  if (element.size() < 12) return false;
  const std::size_t count = number32(element, 8);
  if (count < 16 || count > (element.size() - 12) / 2) return false;
  for (std::size_t i = 0; i < count; ++i)
    if (!is_near_srgb(static_cast<double>(i) / static_cast<double>(count - 1),
                      big_endian(element, 12 + 2 * i, 2) / 65535.0))
      return false;
  return true;
}

// Functions 3 and 4: (a x + b)^g + e from d on, c x + f below; e and f are 0 in function 3.
bool is_srgb_function(std::string_view element) {
  if (element.size() < 12) return false;
  const std::uint32_t type = big_endian(element, 8, 2);
  const std::size_t count = type == 3 ? 5 : 7;
  if ((type != 3 && type != 4) || element.size() < 12 + 4 * count) return false;
  std::array<double, 7> p{};
  for (std::size_t i = 0; i < count; ++i) p[i] = fixed(element, 12 + 4 * i);
  const auto& [g, a, b, c, d, e, f] = p;
  for (int i = 0; i <= 255; ++i) {
    const double x = i / 255.0;
    if (!is_near_srgb(x, x >= d ? std::pow(a * x + b, g) + e : c * x + f)) return false;
  }
  return true;
}

bool is_srgb_curve(std::string_view element) {
  if (element.starts_with("curv")) return is_srgb_table(element);
  return element.starts_with("para") && is_srgb_function(element);
}

// Of linear light 1 in one channel, adapted to D50 as profiles have it (Bradford).
struct Colorants {
  Primaries primaries;
  std::array<std::array<double, 3>, 3> xyz;
};
constexpr std::array<Colorants, 2> kKnown{
    {{kRec709, {{{0.43607, 0.22249, 0.01392}, {0.38515, 0.71687, 0.09708}, {0.14307, 0.06061, 0.71410}}}},
     {kP3D65, {{{0.51512, 0.24120, -0.00105}, {0.29198, 0.69225, 0.04189}, {0.15710, 0.06657, 0.78407}}}}}};
constexpr double kColorantTolerance = 0.0015;  // as far as the profiles of different makers lie apart

bool says_srgb(std::string_view name) { return name.starts_with("sRGB"); }

std::string printable(std::string_view text) {
  std::string clean;
  for (const char c : text.substr(0, kMaxName)) clean += c >= 0x20 && c < 0x7F && c != '"' ? c : '?';
  return clean;
}

// Of the tag 'desc': ASCII in version 2, the first text in UTF-16 in version 4.
std::string description(std::string_view profile) {
  const std::string_view element = tag(profile, "desc");
  if (element.starts_with("desc") && element.size() > 12) {
    const std::string_view text = element.substr(12, number32(element, 8));
    return printable(text.substr(0, text.find('\0')));
  }
  if (!element.starts_with("mluc") || element.size() < 28 || number32(element, 8) == 0) return {};
  const std::size_t bytes = number32(element, 20), offset = number32(element, 24);
  if (offset > element.size() || bytes > element.size() - offset) return {};
  std::string text;
  for (std::size_t i = 0; i + 1 < bytes && text.size() < kMaxName; i += 2)
    text += element[offset + i] == '\0' ? element[offset + i + 1] : '?';
  return printable(text.substr(0, text.find('\0')));
}

bool is_profile(std::string_view profile) {
  return profile.size() >= kHeader + 4 && profile.substr(36, 4) == "acsp";
}

}  // namespace

std::optional<Primaries> known_profile(std::string_view profile, std::string_view name) {
  if (!is_profile(profile)) return std::nullopt;
  const std::string_view space = profile.substr(16, 4);
  if (space == "GRAY") {
    if (is_srgb_curve(tag(profile, "kTRC"))) return kRec709;
    return std::nullopt;
  }
  if (space != "RGB ") return std::nullopt;
  const auto red = colorant(profile, "rXYZ"), green = colorant(profile, "gXYZ"),
             blue = colorant(profile, "bXYZ");
  if (!red && !green && !blue) {
    if (says_srgb(name) || says_srgb(description(profile))) return kRec709;
    return std::nullopt;
  }
  if (!red || !green || !blue) return std::nullopt;
  for (const char* curve : {"rTRC", "gTRC", "bTRC"})
    if (!is_srgb_curve(tag(profile, curve))) return std::nullopt;
  const std::array<std::array<double, 3>, 3> found{*red, *green, *blue};
  for (const Colorants& known : kKnown) {
    double apart = 0;
    for (std::size_t c = 0; c < 3; ++c)
      for (std::size_t i = 0; i < 3; ++i) apart = std::max(apart, std::fabs(found[c][i] - known.xyz[c][i]));
    if (apart < kColorantTolerance) return known.primaries;
  }
  return std::nullopt;
}

std::string profile_name(std::string_view profile, std::string_view name) {
  std::string own = is_profile(profile) ? description(profile) : std::string();
  if (own.empty()) own = printable(name);
  return own.empty() ? "a profile without a name" : "\"" + own + "\"";
}

}  // namespace rushes::config
