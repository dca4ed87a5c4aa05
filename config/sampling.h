// How a model is sampled: the few numbers that a manifest gives as defaults and a shot may override.
//
// Thread contract: plain values.
#pragma once

#include <optional>
#include <string_view>

namespace rushes::config {

// Flow-matching samplers (the sigma lists themselves are in config/schedule.h).
enum class Sampler { kEuler, kUniPc, kDpmPp };

// "euler", "unipc", "dpmpp": the words used in YAML, JSON and file headers.
std::string_view to_string(Sampler sampler);

inline constexpr int kMaxSteps = 200;

struct Sampling {
  Sampler sampler = Sampler::kUniPc;
  int steps = 1;             // 1..kMaxSteps
  double shift = 1.0;        // flow shift s: sigma' = s*sigma / (1 + (s-1)*sigma); 0.1..100
  double guidance = 1.0;     // classifier-free guidance scale, 1 = no second pass; 0..30
  double start_sigma = 1.0;  // (0, 1]: where the noise starts; below 1 the guide shows through (refining)
  bool operator==(const Sampling&) const = default;
};

// What a shot changes; everything absent stays as the manifest says.
struct SamplingChange {
  std::optional<Sampler> sampler;
  std::optional<int> steps;
  std::optional<double> shift;
  std::optional<double> guidance;
  std::optional<double> start_sigma;
  bool operator==(const SamplingChange&) const = default;
};

Sampling apply(Sampling base, const SamplingChange& change);

}  // namespace rushes::config
