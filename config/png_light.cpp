#include "config/png_light.h"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <span>
#include <utility>

#include "config/icc_profile.h"

namespace rushes::config {
namespace {

constexpr std::size_t kSignature = 8, kChunkFrame = 12;  // length, type and CRC
constexpr std::size_t kMaxProfile = 1u << 20;            // bytes of a profile that is looked at
constexpr std::array<std::string_view, 5> kOfLight{"cICP", "iCCP", "sRGB", "gAMA", "cHRM"};
constexpr const char* kConvert = "; convert the picture to sRGB, or write scene-linear EXR";

std::uint32_t number32(std::string_view bytes, std::size_t at) {
  std::uint32_t number = 0;
  for (std::size_t i = at; i < at + 4; ++i) number = number << 8 | static_cast<unsigned char>(bytes[i]);
  return number;
}

void append32(std::string& bytes, std::uint32_t number) {
  for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(number >> shift & 0xFF);
}

std::uint32_t crc_of(std::string_view bytes) {
  return static_cast<std::uint32_t>(::crc32_z(0, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()));
}

struct Chunk {
  std::string_view type, data;
  std::string_view whole;  // with its length and CRC
};

// Calls `each` with the chunks in front of the pixels, as far as they are whole; returns where it stopped.
template <class Each>
std::size_t walk(std::string_view bytes, const Each& each) {
  std::size_t at = kSignature;
  while (at < bytes.size() && bytes.size() - at >= kChunkFrame) {
    const std::size_t length = number32(bytes, at);
    const std::string_view type = bytes.substr(at + 4, 4);
    if (type == "IDAT" || type == "IEND" || length > bytes.size() - at - kChunkFrame) break;
    each(Chunk{type, bytes.substr(at + 8, length), bytes.substr(at, length + kChunkFrame)});
    at += length + kChunkFrame;
  }
  return std::min(at, bytes.size());
}

auto broken(std::string_view type, const std::string& why) {
  return fail(ErrorKind::kCorrupt, "a broken PNG file: " + std::string(type) + " " + why);
}
auto refused(std::string_view type, const std::string& why) {
  return fail(ErrorKind::kInvalid, std::string(type) + ": " + why + kConvert);
}

// libpng converts codes to the power 2.2 where the exponent's product with 2.2 and its reciprocal are both further from 1
// than 0.05. What is nearer stays as it is, and means sRGB.
void set_gamma(PngLight& light, std::uint32_t gamma) {
  constexpr double kOne = 100'000, kFar = 5000;
  const double product = std::floor(gamma * 2.2 + 0.5),
               reciprocal = std::floor(kOne * kOne / 2.2 / gamma + 0.5);
  if (std::fabs(product - kOne) <= kFar || std::fabs(reciprocal - kOne) <= kFar) return;
  light.gamma = gamma;
  light.replaced = light.light.power = true;
}

// ---- cICP: code points of ITU-T H.273

std::string point_name(std::uint32_t point, std::span<const std::pair<std::uint32_t, const char*>> names) {
  for (const auto& [number, name] : names)
    if (number == point) return std::to_string(point) + " (" + name + ")";
  return std::to_string(point);
}

std::string primaries_name(std::uint32_t point) {
  constexpr std::array<std::pair<std::uint32_t, const char*>, 6> kNames{{{2, "unspecified"},
                                                                         {5, "BT.601, 625 lines"},
                                                                         {6, "BT.601, 525 lines"},
                                                                         {7, "SMPTE 240M"},
                                                                         {10, "CIE XYZ"},
                                                                         {11, "DCI-P3"}}};
  return point_name(point, kNames);
}

std::string transfer_name(std::uint32_t point) {
  constexpr std::array<std::pair<std::uint32_t, const char*>, 9> kNames{{{1, "BT.709"},
                                                                         {2, "unspecified"},
                                                                         {4, "gamma 2.2"},
                                                                         {5, "gamma 2.8"},
                                                                         {6, "BT.601"},
                                                                         {14, "BT.2020"},
                                                                         {15, "BT.2020"},
                                                                         {16, "PQ"},
                                                                         {18, "HLG"}}};
  return point_name(point, kNames);
}

Result<PngLight> light_of_points(std::string_view points) {
  if (points.size() != 4) return broken("cICP", "does not have four bytes");
  const auto point = [&](std::size_t i) { return std::uint32_t{static_cast<unsigned char>(points[i])}; };
  PngLight light;
  light.replaced = true;
  if (point(0) == 9)
    light.light.primaries = kRec2020;
  else if (point(0) == 12)
    light.light.primaries = kP3D65;
  else if (point(0) != 1)
    return refused("cICP", "expected the primaries 1 (BT.709), 9 (BT.2020) or 12 (P3-D65), found " +
                               primaries_name(point(0)));
  if (point(1) == 8)
    set_gamma(light, 100'000);
  else if (point(1) != 13)
    return refused("cICP", "expected the curve 13 (sRGB) or 8 (linear), found " + transfer_name(point(1)));
  if (point(2) != 0 || point(3) != 1)
    return refused("cICP", "expected RGB in full range (0, 1), found " + std::to_string(point(2)) + ", " +
                               std::to_string(point(3)));
  return light;
}

// ---- iCCP

// The zlib stream of a profile, at most kMaxProfile bytes of it. Nothing: the stream is broken.
std::optional<std::string> inflated(std::string_view packed) {
  std::string out(kMaxProfile, '\0');
  z_stream stream{};
  if (::inflateInit(&stream) != Z_OK) return std::nullopt;
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data()));  // zlib only reads it
  stream.avail_in = static_cast<uInt>(packed.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  const int done = ::inflate(&stream, Z_FINISH);
  const bool full = done == Z_BUF_ERROR && stream.avail_out == 0;
  out.resize(out.size() - stream.avail_out);
  ::inflateEnd(&stream);
  if (done != Z_STREAM_END && !full) return std::nullopt;
  return out;
}

Result<PngLight> light_of_profile(std::string_view data) {
  constexpr std::size_t kMaxKeyword = 79;
  const std::size_t end = data.substr(0, kMaxKeyword + 1).find('\0');
  if (end == std::string_view::npos || data.size() < end + 2 || data[end + 1] != '\0')
    return broken("iCCP", "holds no profile");
  const auto profile = inflated(data.substr(end + 2));
  if (!profile) return broken("iCCP", "holds a broken profile");
  const auto primaries = known_profile(*profile, data.substr(0, end));
  if (!primaries)
    return refused("iCCP", "expected a profile of sRGB or Display P3, found " +
                               profile_name(*profile, data.substr(0, end)));
  PngLight light;
  light.light.primaries = *primaries;
  light.replaced = true;
  return light;
}

// ---- gAMA and cHRM

constexpr double kUnit = 100'000;

Result<std::uint32_t> gamma_of(std::string_view data) {
  if (data.size() != 4) return broken("gAMA", "does not have four bytes");
  const std::uint32_t gamma = number32(data, 0);
  if (gamma < kUnit / 10 || gamma > kUnit * 10)
    return refused("gAMA", "expected an exponent of 0.1 to 10, found " + std::to_string(gamma / kUnit));
  return gamma;
}

Result<Primaries> chromaticities_of(std::string_view data) {
  if (data.size() != 32) return broken("cHRM", "does not have 32 bytes");
  std::array<Chromaticity, 4> points;  // white, red, green, blue
  bool in_bounds = true;
  for (std::size_t i = 0; i < points.size(); ++i) {
    points[i] = {number32(data, 8 * i) / kUnit, number32(data, 8 * i + 4) / kUnit};
    in_bounds = in_bounds && points[i].x <= 1 && points[i].y <= 1;
  }
  const Primaries found{points[1], points[2], points[3], points[0]};
  const Chromaticity& white = found.white;
  // Of any light that people call white; a matrix to another one would multiply without bound.
  const bool is_white = white.x > 0.2 && white.x < 0.5 && white.y > 0.2 && white.y < 0.5;
  if (!in_bounds || !is_white || !mixes_white(found))
    return refused("cHRM", "expected three primaries that span a gamut, and a white inside");
  return found;
}

bool is_near(const Primaries& a, const Primaries& b) {
  constexpr double kTolerance = 0.001;  // files are written with three digits at least
  const auto near = [](const Chromaticity& p, const Chromaticity& q) {
    return std::fabs(p.x - q.x) <= kTolerance && std::fabs(p.y - q.y) <= kTolerance;
  };
  return near(a.red, b.red) && near(a.green, b.green) && near(a.blue, b.blue) && near(a.white, b.white);
}

struct Chunks {
  std::array<std::optional<Chunk>, kOfLight.size()> found;  // as in kOfLight
  const std::optional<Chunk>& get(std::string_view type) const {
    return found[static_cast<std::size_t>(std::find(kOfLight.begin(), kOfLight.end(), type) -
                                          kOfLight.begin())];
  }
};

Result<PngLight> light_of_gamma(const Chunks& chunks) {
  PngLight light;
  if (const auto& chunk = chunks.get("gAMA")) {
    const auto gamma = gamma_of(chunk->data);
    if (!gamma) return tl::unexpected<Error>(gamma.error());
    set_gamma(light, *gamma);
  }
  if (const auto& chunk = chunks.get("cHRM")) {
    const auto primaries = chromaticities_of(chunk->data);
    if (!primaries) return tl::unexpected<Error>(primaries.error());
    if (!is_near(*primaries, kRec709)) {
      light.light.primaries = *primaries;
      light.replaced = true;
    }
  }
  return light;
}

}  // namespace

Result<PngLight> png_light(std::string_view bytes) {
  Chunks chunks;
  walk(bytes, [&](const Chunk& chunk) {
    const auto type = std::find(kOfLight.begin(), kOfLight.end(), chunk.type);
    if (type == kOfLight.end()) return;
    auto& first = chunks.found[static_cast<std::size_t>(type - kOfLight.begin())];
    if (!first) first = chunk;
  });
  // libpng goes on without a chunk whose CRC is wrong, and the picture would have other colours.
  for (const auto& chunk : chunks.found)
    if (chunk && crc_of(chunk->whole.substr(4, chunk->data.size() + 4)) !=
                     number32(chunk->whole, chunk->data.size() + 8))
      return broken(chunk->type, "has another CRC than its bytes");
  if (const auto& chunk = chunks.get("cICP")) return light_of_points(chunk->data);
  if (const auto& chunk = chunks.get("iCCP")) return light_of_profile(chunk->data);
  if (chunks.get("sRGB")) return PngLight{};
  return light_of_gamma(chunks);
}

std::string replaced_light(std::string_view bytes, const PngLight& light) {
  std::string out(bytes.substr(0, kSignature));
  out.reserve(bytes.size());
  const std::size_t rest = walk(bytes, [&](const Chunk& chunk) {
    if (std::find(kOfLight.begin(), kOfLight.end(), chunk.type) != kOfLight.end()) return;
    out += chunk.whole;
    if (chunk.type != "IHDR" || light.gamma == 0) return;
    std::string gamma = "gAMA";
    append32(gamma, light.gamma);
    append32(out, 4);
    out += gamma;
    append32(out, crc_of(gamma));
  });
  return out += bytes.substr(rest);
}

}  // namespace rushes::config
