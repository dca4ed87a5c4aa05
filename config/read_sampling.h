// Reading of sampling numbers, shared by model manifests and shots.
//
// Thread contract: pure functions.
#pragma once

#include "config/sampling.h"
#include "config/yaml.h"

namespace rushes::config {

// sampler, steps, shift, guidance and start_sigma of a map; what is absent stays absent. Does not finish
// `fields`.
inline void read_sampling_change(Fields& fields, SamplingChange& change) {
  const auto number = [&](const char* key, std::optional<double>& out, double min, double max) {
    if (double value = 0; fields.number(key, value, min, max)) out = value;
  };
  if (int index = 0; fields.choice("sampler", index, {"euler", "unipc", "dpmpp"}))
    change.sampler = static_cast<Sampler>(index);
  if (int steps = 0; fields.integer("steps", steps, 1, kMaxSteps)) change.steps = steps;
  number("shift", change.shift, 0.1, 100);
  number("guidance", change.guidance, 0, 30);
  number("start_sigma", change.start_sigma, 0.01, 1);
}

}  // namespace rushes::config
