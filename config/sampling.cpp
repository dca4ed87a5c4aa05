#include "config/sampling.h"

#include <array>

namespace rushes::config {

static constexpr std::array<std::string_view, 3> kSamplers{"euler", "unipc", "dpmpp"};

std::string_view to_string(Sampler sampler) { return kSamplers[static_cast<std::size_t>(sampler)]; }

Sampling apply(Sampling base, const SamplingChange& change) {
  base.sampler = change.sampler.value_or(base.sampler);
  base.steps = change.steps.value_or(base.steps);
  base.shift = change.shift.value_or(base.shift);
  base.guidance = change.guidance.value_or(base.guidance);
  base.start_sigma = change.start_sigma.value_or(base.start_sigma);
  return base;
}

}  // namespace rushes::config
