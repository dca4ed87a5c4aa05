// Colour: between the scene light of a clip and the code values that a model's VAE sees, and out to a
// display.
//
// Scene light is ACES2065-1 everywhere. A model's working space is met at the VAE's edge and nowhere else;
// those conversions are our own code in IEEE + - * / only (no libm), so that every host computes the same
// bits, and they clamp nothing. Displays are reached only through the OCIO configuration
// config/colour/farm.ocio.
//
// Thread contract: all functions are pure. A DisplayView may be used by many threads at once.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "config/model.h"
#include "config/primaries.h"
#include "config/result.h"
#include "worker/picture/frames.h"

namespace rushes::worker {

// Row-major 3x3, applied to column vectors.
using Matrix3 = std::array<double, 9>;

using config::Chromaticity;
using config::CodedLight;
using config::kRec709;
using config::Primaries;

// SMPTE ST 2065-1:2012 (AP0), Academy S-2014-004 (AP1), ARRI "ALEXA Log C Curve" 2017 (Wide Gamut 3).
inline constexpr Primaries kAp0{{0.7347, 0.2653}, {0.0, 1.0}, {0.0001, -0.077}, {0.32168, 0.33767}};
inline constexpr Primaries kAp1{{0.713, 0.293}, {0.165, 0.830}, {0.128, 0.044}, {0.32168, 0.33767}};
inline constexpr Primaries kArriWideGamut3{
    {0.6840, 0.3130}, {0.2210, 0.8480}, {0.0861, -0.1020}, {0.3127, 0.3290}};

// Linear RGB of one set of primaries to that of another, white to white (Bradford adaptation where they
// differ). SMPTE RP 177 for the matrices. kInvalid when the primaries span no volume (a hostile header).
Result<Matrix3> primaries_matrix(const Primaries& from, const Primaries& to);

// What the VAE sees.
//   acescct  AP1 primaries, ACEScct curve (Academy S-2016-001): 0.18 -> 0.4136, code 1.0 = 222.86
//   logc3    ARRI Wide Gamut 3, LogC3 EI 800 curve: 0.18 -> 0.3910, code 1.0 = 55.08
//   srgb     BT.709 primaries, sRGB curve (IEC 61966-2-1) continued above 1 and mirrored below 0. A model of
//   this
//            space makes display light: what comes out is inverse-coded display light, not native HDR.
using config::WorkingSpace;

// The curves alone, on one channel of linear light in the space's own primaries. Inverse of each other on all
// finite input to about 1 part in 1e6; increasing; nothing is clamped; NaN stays NaN.
float curve_encode(WorkingSpace space, float linear);
float curve_decode(WorkingSpace space, float code);

// Runs of interleaved pixels: scene light (AP0) to code values and back. In place is allowed.
void encode_pixels(WorkingSpace space, const float* light, float* code, std::size_t pixels);
void decode_pixels(WorkingSpace space, const float* code, float* light, std::size_t pixels);

// Eight-bit codes of a display to scene light (AP0). For those of sRGB the same bits as decode_pixels() of the codes
// divided by 255.
class DisplayCodes {
 public:
  // kInvalid when the primaries span no volume.
  static Result<DisplayCodes> of(const CodedLight& light);
  void decode(const std::uint8_t* code, float* light, std::size_t pixels) const;

 private:
  Matrix3 to_ap0_{};
  std::array<double, 256> linear_{};
};

// A clip in code values (same layout as a clip, [0,1] for ordinary light), for filters that belong in log
// space.
Clip encode_clip(WorkingSpace space, ClipView light);
Clip decode_clip(WorkingSpace space, ClipView code);

// The VAE's tensor: planar float [3, T, H, W], code*2-1, so that codes [0,1] are [-1,1].
std::vector<float> to_model_input(WorkingSpace space, ClipView light);
// Back from a tensor of that layout. `values` must hold 3*frames*height*width floats (asserted by the
// caller's sizes).
Clip from_model_output(WorkingSpace space, const float* values, int width, int height, int frames,
                       config::Rate fps);

// A display of the studio's OCIO configuration.
class DisplayView {
 public:
  // For example open("config/colour/farm.ocio", "sRGB", "ACES 1.1 SDR"). kNotFound when the file is not
  // there, kInvalid when it is no valid configuration or has no such display or view; the message says which
  // exist.
  static Result<DisplayView> open(const std::string& config_file, const std::string& display,
                                  const std::string& view);
  // The SDR view that movies, contact sheets and previews use.
  static Result<DisplayView> sdr(const std::string& config_file);

  // One frame (frame t of the view) as display code values, [H, W, 3] float, nominally 0..1.
  Result<std::vector<float>> apply(ClipView clip, int t) const;
  // The same as 8 bit, rounded to nearest. NaN becomes 0.
  Result<std::vector<std::uint8_t>> apply_8bit(ClipView clip, int t) const;

 private:
  struct Processor;
  std::shared_ptr<const Processor> processor_;
};

}  // namespace rushes::worker
