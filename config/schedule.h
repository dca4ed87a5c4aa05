// Noise levels of a sampler: which σ each denoise step starts from and what the network is told.
//
// Flow matching: x_t = (1-σ)·x0 + σ·noise, the network predicts v = noise - x0. A schedule lists
// the σ of every step and the final 0; the planner cuts it into segments, the samplers walk it. Lists are
// computed in fp64 and rounded to fp32 once, exactly as the official solvers do (Wan2.1
// wan/utils/fm_solvers_unipc.py, fm_solvers.py; diffusers FlowMatchEulerDiscreteScheduler).
//
// Thread contract: plain values and pure functions.
#pragma once

#include <vector>

#include "config/result.h"
#include "config/sampling.h"

namespace rushes::config {

// The grid of σ values.
//   kUniPC:  s = linspace(fp32(0.999), 0, N+1)[:N];  kDpmpp: s = linspace(1, 0, N+1)[:N];
//            both σ = shift·s/(1+(shift-1)·s), t = trunc(1000·σ)
//   kDiffusers: shifts twice (its σ_min is already shifted), t = 1000·σ as float
enum class SigmaList { kUniPC, kDpmpp, kDiffusers };

// The grid a sampler uses unless told otherwise: its own; Euler starts from pure noise (kDpmpp).
SigmaList default_list(Sampler sampler);

struct Schedule {
  std::vector<float> sigmas;     // steps + 1 values, falling, the last is 0
  std::vector<float> timesteps;  // steps values, 0...1000, what the network sees; integers but for kDiffusers

  int steps() const { return static_cast<int>(timesteps.size()); }
  bool operator==(const Schedule&) const = default;
};

// steps 1...1000; shift > 0 (1 = none, larger = more steps at high noise).
Result<Schedule> make_schedule(SigmaList list, int steps, double shift);

// For refining: the same shifted curve, but `steps` steps from exactly start_sigma (0 < start_sigma <= 1)
// down to 0. What is refined is first brought to that level: (1-σ)·x0 + σ·noise.
Result<Schedule> make_partial_schedule(SigmaList list, int steps, double shift, double start_sigma);

// The schedule of a manifest or a shot: the sampler's own grid, partial where start_sigma < 1.
Result<Schedule> make_schedule(const Sampling& sampling);

}  // namespace rushes::config
