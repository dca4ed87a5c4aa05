#include "worker/picture/colour.h"

#include <bit>
#include <cmath>
#include <limits>

namespace rushes::worker {
namespace {

// ---- 3x3 algebra in double

Matrix3 multiply(const Matrix3& a, const Matrix3& b) {
  Matrix3 out{};
  for (std::size_t row = 0; row < 3; ++row) {
    for (std::size_t column = 0; column < 3; ++column) {
      out[row * 3 + column] =
          a[row * 3] * b[column] + a[row * 3 + 1] * b[3 + column] + a[row * 3 + 2] * b[6 + column];
    }
  }
  return out;
}

std::array<double, 3> multiply(const Matrix3& m, const std::array<double, 3>& v) {
  return {m[0] * v[0] + m[1] * v[1] + m[2] * v[2], m[3] * v[0] + m[4] * v[1] + m[5] * v[2],
          m[6] * v[0] + m[7] * v[1] + m[8] * v[2]};
}

Result<Matrix3> inverse(const Matrix3& m) {
  const double c0 = m[4] * m[8] - m[5] * m[7];
  const double c1 = m[5] * m[6] - m[3] * m[8];
  const double c2 = m[3] * m[7] - m[4] * m[6];
  const double determinant = m[0] * c0 + m[1] * c1 + m[2] * c2;
  if (!(std::fabs(determinant) > 1e-9)) {  // NaN too
    return fail(ErrorKind::kInvalid, "chromaticities: expected three primaries that span a gamut");
  }
  const double s = 1.0 / determinant;
  return Matrix3{c0 * s, (m[2] * m[7] - m[1] * m[8]) * s, (m[1] * m[5] - m[2] * m[4]) * s,
                 c1 * s, (m[0] * m[8] - m[2] * m[6]) * s, (m[2] * m[3] - m[0] * m[5]) * s,
                 c2 * s, (m[1] * m[6] - m[0] * m[7]) * s, (m[0] * m[4] - m[1] * m[3]) * s};
}

// XYZ of a chromaticity with Y = 1.
std::array<double, 3> xyz(const Chromaticity& c) { return {c.x / c.y, 1.0, (1.0 - c.x - c.y) / c.y}; }

// SMPTE RP 177: columns are the primaries' XYZ, scaled so that RGB (1,1,1) is white.
Result<Matrix3> rgb_to_xyz(const Primaries& p) {
  // Primaries may have y = 0 (imaginary), so x, y, z are used as they are and only white is normalised.
  const Matrix3 columns{p.red.x,
                        p.green.x,
                        p.blue.x,
                        p.red.y,
                        p.green.y,
                        p.blue.y,
                        1.0 - p.red.x - p.red.y,
                        1.0 - p.green.x - p.green.y,
                        1.0 - p.blue.x - p.blue.y};
  auto inverted = inverse(columns);
  if (!inverted) return tl::unexpected<Error>(inverted.error());
  if (!(p.white.y > 1e-6)) return fail(ErrorKind::kInvalid, "chromaticities: expected a white with y > 0");
  const std::array<double, 3> scale = multiply(*inverted, xyz(p.white));
  Matrix3 out = columns;
  for (std::size_t i = 0; i < 9; ++i) out[i] *= scale[i % 3];
  return out;
}

// Bradford cone responses (Lam 1985), as used by ICC and by the ACES output transforms.
constexpr Matrix3 kBradford{0.8951, 0.2664, -0.1614, -0.7502, 1.7135, 0.0367, 0.0389, -0.0685, 1.0296};

// ---- log2 and exp2 in double, from IEEE operations only
// libm differs between hosts (its FMA variants are picked at run time); these give the same bits everywhere.

constexpr double kLn2 = 0.693147180559945309417;

// Coefficients of 2 artanh(s)/ln 2 = s * (c0 + c1 s^2 + ...), c_i = 2 / ((2i+1) ln 2).
constexpr std::array<double, 11> kLog2Series = [] {
  std::array<double, 11> c{};
  for (std::size_t i = 0; i < c.size(); ++i) c[i] = 2.0 / (static_cast<double>(2 * i + 1) * kLn2);
  return c;
}();

// Coefficients of 2^f = sum over c_i f^i, c_i = (ln 2)^i / i!.
constexpr std::array<double, 15> kExp2Series = [] {
  std::array<double, 15> c{1.0};
  for (std::size_t i = 1; i < c.size(); ++i) c[i] = c[i - 1] * kLn2 / static_cast<double>(i);
  return c;
}();

// log2(x) for normal x > 0; infinity and NaN stay what they are. x = m * 2^e with m in [sqrt(1/2), sqrt(2))
// and log(m) = 2 artanh((m-1)/(m+1)); the rest of the series is below 1e-17.
double log2_exact(double x) {
  if (!(x < std::numeric_limits<double>::infinity())) return x;
  const auto bits = std::bit_cast<std::uint64_t>(x);
  auto exponent = static_cast<int>(bits >> 52) - 1023;
  double m = std::bit_cast<double>((bits & 0x000FFFFFFFFFFFFFULL) | 0x3FF0000000000000ULL);
  if (m > 1.41421356237309504880) {
    m *= 0.5;
    ++exponent;
  }
  const double s = (m - 1.0) / (m + 1.0);
  const double q = s * s;
  double sum = 0.0;
  for (std::size_t i = kLog2Series.size(); i-- > 0;) sum = sum * q + kLog2Series[i];
  return exponent + s * sum;
}

// 2^x: 2^n * 2^f with f in [-1/2, 1/2]; the rest of the series is below 1e-17. NaN stays NaN.
double exp2_exact(double x) {
  if (!(x < 1023.0)) return x != x ? x : std::numeric_limits<double>::infinity();
  if (x < -1022.0) return 0.0;
  const double n = std::floor(x + 0.5);
  const double f = x - n;
  double sum = 0.0;
  for (std::size_t i = kExp2Series.size(); i-- > 0;) sum = sum * f + kExp2Series[i];
  return sum * std::bit_cast<double>(static_cast<std::uint64_t>(static_cast<int>(n) + 1023) << 52);
}

// ---- the curves

// Academy S-2016-001, section 4: ACEScct.
constexpr double kCctCutLinear = 0.0078125;
constexpr double kCctCutCode = 0.155251141552511;
constexpr double kCctSlope = 10.5402377416545;
constexpr double kCctOffset = 0.0729055341958355;

double acescct_encode(double x) {
  return x <= kCctCutLinear ? kCctSlope * x + kCctOffset : (log2_exact(x) + 9.72) / 17.52;
}
double acescct_decode(double code) {
  return code <= kCctCutCode ? (code - kCctOffset) / kCctSlope : exp2_exact(code * 17.52 - 9.72);
}

// ARRI "ALEXA Log C Curve - Usage in VFX" (2017), EI 800, exposure values. The printed constants meet at the
// cut to 1e-6 in code.
constexpr double kLogCCut = 0.010591, kLogCA = 5.555556, kLogCB = 0.052272, kLogCC = 0.247190;
constexpr double kLogCD = 0.385537, kLogCE = 5.367655, kLogCF = 0.092809;
constexpr double kLog2Of10 = 3.32192809488736234787;

double logc3_encode(double x) {
  return x > kLogCCut ? kLogCC * (log2_exact(kLogCA * x + kLogCB) / kLog2Of10) + kLogCD : kLogCE * x + kLogCF;
}
double logc3_decode(double code) {
  return code > kLogCE * kLogCCut + kLogCF
             ? (exp2_exact((code - kLogCD) / kLogCC * kLog2Of10) - kLogCB) / kLogCA
             : (code - kLogCF) / kLogCE;
}

// IEC 61966-2-1, mirrored at zero.
double srgb_encode(double x) {
  const double v = std::fabs(x);
  const double code = v <= 0.0031308 ? 12.92 * v : 1.055 * exp2_exact(log2_exact(v) / 2.4) - 0.055;
  return std::copysign(code, x);
}
double srgb_decode(double code) {
  const double v = std::fabs(code);
  const double x = v <= 0.04045 ? v / 12.92 : exp2_exact(2.4 * log2_exact((v + 0.055) / 1.055));
  return std::copysign(x, code);
}

double encode(WorkingSpace space, double x) {
  switch (space) {
    case WorkingSpace::kAcescct:
      return acescct_encode(x);
    case WorkingSpace::kLogC3:
      return logc3_encode(x);
    case WorkingSpace::kSrgb:
      return srgb_encode(x);
  }
  return x;
}

double decode(WorkingSpace space, double code) {
  switch (space) {
    case WorkingSpace::kAcescct:
      return acescct_decode(code);
    case WorkingSpace::kLogC3:
      return logc3_decode(code);
    case WorkingSpace::kSrgb:
      return srgb_decode(code);
  }
  return code;
}

// ---- between AP0 and a space's own primaries

// Academy S-2014-004 / TB-2014-004, the ten digits that the ACES reference code prints.
constexpr Matrix3 kAp0ToAp1{1.4514393161,  -0.2365107469, -0.2149285693, -0.0765537734, 1.1762296998,
                            -0.0996759264, 0.0083161484,  -0.0060324498, 0.9977163014};
constexpr Matrix3 kAp1ToAp0{0.6954522414, 0.1406786965,  0.1638690622, 0.0447945634, 0.8596711185,
                            0.0955343182, -0.0055258826, 0.0040252103, 1.0015006723};

struct SpaceMatrices {
  Matrix3 from_ap0;
  Matrix3 to_ap0;
};

const SpaceMatrices& matrices(WorkingSpace space) {
  static const SpaceMatrices acescct{kAp0ToAp1, kAp1ToAp0};
  static const SpaceMatrices logc3{*primaries_matrix(kAp0, kArriWideGamut3),
                                   *primaries_matrix(kArriWideGamut3, kAp0)};
  static const SpaceMatrices srgb{*primaries_matrix(kAp0, kRec709), *primaries_matrix(kRec709, kAp0)};
  switch (space) {
    case WorkingSpace::kAcescct:
      return acescct;
    case WorkingSpace::kLogC3:
      return logc3;
    case WorkingSpace::kSrgb:
      return srgb;
  }
  return acescct;
}

}  // namespace

Result<Matrix3> primaries_matrix(const Primaries& from, const Primaries& to) {
  auto from_xyz = rgb_to_xyz(from);
  if (!from_xyz) return tl::unexpected<Error>(from_xyz.error());
  auto to_xyz = rgb_to_xyz(to);
  if (!to_xyz) return tl::unexpected<Error>(to_xyz.error());
  auto to_rgb = inverse(*to_xyz);
  if (!to_rgb) return tl::unexpected<Error>(to_rgb.error());
  if (from.white == to.white) return multiply(*to_rgb, *from_xyz);
  const auto source = multiply(kBradford, xyz(from.white));
  const auto target = multiply(kBradford, xyz(to.white));
  auto from_cones = inverse(kBradford);
  if (!from_cones) return tl::unexpected<Error>(from_cones.error());
  Matrix3 adapt = kBradford;
  for (std::size_t i = 0; i < 9; ++i) adapt[i] *= target[i / 3] / source[i / 3];
  return multiply(*to_rgb, multiply(multiply(*from_cones, adapt), *from_xyz));
}

float curve_encode(WorkingSpace space, float linear) { return static_cast<float>(encode(space, linear)); }
float curve_decode(WorkingSpace space, float code) { return static_cast<float>(decode(space, code)); }

void encode_pixels(WorkingSpace space, const float* light, float* code, std::size_t pixels) {
  const Matrix3& m = matrices(space).from_ap0;
  for (std::size_t i = 0; i < pixels; ++i, light += kChannels, code += kChannels) {
    const double r = light[0], g = light[1], b = light[2];
    code[0] = static_cast<float>(encode(space, m[0] * r + m[1] * g + m[2] * b));
    code[1] = static_cast<float>(encode(space, m[3] * r + m[4] * g + m[5] * b));
    code[2] = static_cast<float>(encode(space, m[6] * r + m[7] * g + m[8] * b));
  }
}

void decode_pixels(WorkingSpace space, const float* code, float* light, std::size_t pixels) {
  const Matrix3& m = matrices(space).to_ap0;
  for (std::size_t i = 0; i < pixels; ++i, light += kChannels, code += kChannels) {
    const double r = decode(space, code[0]), g = decode(space, code[1]), b = decode(space, code[2]);
    light[0] = static_cast<float>(m[0] * r + m[1] * g + m[2] * b);
    light[1] = static_cast<float>(m[3] * r + m[4] * g + m[5] * b);
    light[2] = static_cast<float>(m[6] * r + m[7] * g + m[8] * b);
  }
}

Result<DisplayCodes> DisplayCodes::of(const CodedLight& light) {
  const auto matrix = primaries_matrix(light.primaries, kAp0);
  if (!matrix) return tl::unexpected<Error>(matrix.error());
  DisplayCodes codes;
  codes.to_ap0_ = *matrix;
  for (std::size_t i = 1; i < codes.linear_.size(); ++i) {  // 0 is no light
    const double code = static_cast<double>(static_cast<float>(i) / 255.0F);
    codes.linear_[i] = light.power ? exp2_exact(2.2 * log2_exact(code)) : srgb_decode(code);
  }
  return codes;
}

void DisplayCodes::decode(const std::uint8_t* code, float* light, std::size_t pixels) const {
  const Matrix3& m = to_ap0_;
  for (std::size_t i = 0; i < pixels; ++i, code += kChannels, light += kChannels) {
    const double r = linear_[code[0]], g = linear_[code[1]], b = linear_[code[2]];
    light[0] = static_cast<float>(m[0] * r + m[1] * g + m[2] * b);
    light[1] = static_cast<float>(m[3] * r + m[4] * g + m[5] * b);
    light[2] = static_cast<float>(m[6] * r + m[7] * g + m[8] * b);
  }
}

Clip encode_clip(WorkingSpace space, ClipView light) {
  Clip out(light.width(), light.height(), light.frames(), light.fps());
  for (int t = 0; t < out.frames; ++t) {
    for (int y = 0; y < out.height; ++y) {
      encode_pixels(space, light.row(t, y), out.at(t, y, 0), static_cast<std::size_t>(out.width));
    }
  }
  return out;
}

Clip decode_clip(WorkingSpace space, ClipView code) {
  Clip out(code.width(), code.height(), code.frames(), code.fps());
  for (int t = 0; t < out.frames; ++t) {
    for (int y = 0; y < out.height; ++y) {
      decode_pixels(space, code.row(t, y), out.at(t, y, 0), static_cast<std::size_t>(out.width));
    }
  }
  return out;
}

std::vector<float> to_model_input(WorkingSpace space, ClipView light) {
  const auto width = static_cast<std::size_t>(light.width());
  const std::size_t plane =
      width * static_cast<std::size_t>(light.height()) * static_cast<std::size_t>(light.frames());
  std::vector<float> out(plane * kChannels);
  std::vector<float> row(width * kChannels);
  std::size_t position = 0;
  for (int t = 0; t < light.frames(); ++t) {
    for (int y = 0; y < light.height(); ++y) {
      encode_pixels(space, light.row(t, y), row.data(), width);
      for (std::size_t x = 0; x < width; ++x, ++position) {
        for (std::size_t c = 0; c < kChannels; ++c) {
          out[c * plane + position] = row[x * kChannels + c] * 2.0F - 1.0F;
        }
      }
    }
  }
  return out;
}

Clip from_model_output(WorkingSpace space, const float* values, int width, int height, int frames,
                       config::Rate fps) {
  Clip out(width, height, frames, fps);
  const std::size_t plane = out.pixels.size() / kChannels;
  for (std::size_t i = 0; i < plane; ++i) {
    for (std::size_t c = 0; c < kChannels; ++c) {
      out.pixels[i * kChannels + c] = (values[c * plane + i] + 1.0F) * 0.5F;
    }
  }
  decode_pixels(space, out.pixels.data(), out.pixels.data(), plane);
  return out;
}

}  // namespace rushes::worker
