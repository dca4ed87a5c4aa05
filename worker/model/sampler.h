// Flow-matching samplers: one step turns the latent at σ_i and the network's velocity into the latent at
// σ_{i+1}.
//
// Euler: x += (σ_{i+1} - σ_i)·v. UniPC (order 2, bh2, x0 prediction, corrector; Zhao et al. 2023, as Wan2.1
// wan/utils/fm_solvers_unipc.py) and DPM++ 2M (midpoint; Lu et al. 2022, as Wan2.1 wan/utils/fm_solvers.py).
// Coefficients are computed in double from the fp32 σ, then applied per element in fp32 in a fixed order, so
// a step gives the same bits whatever the number of threads.
//
// A multistep solver remembers earlier predictions. That history is part of a segment's output: save() gives
// it as named arrays of the latent's size, restore() goes on from them, and the result is bit-identical to
// never having stopped.
//
// Thread contract: one thread at a time.
#pragma once

#include <map>
#include <span>
#include <string>
#include <vector>

#include "config/result.h"
#include "config/schedule.h"

namespace rushes::worker {

// What a sampler remembers between steps. `step` = index of the next step.
struct SamplerState {
  int step = 0;
  int order = 0;  // order of the last predictor (UniPC), 0 = none
  std::map<std::string, std::vector<float>>
      arrays;  // "x0.1" newest prediction, "x0.2" the one before, "sample"
};

class Sampler {
 public:
  // `count` = elements of the latent.
  Sampler(config::Sampler solver, config::Schedule schedule, std::size_t count);

  int steps() const { return schedule_.steps(); }
  int step_index() const { return state_.step; }
  bool done() const { return state_.step >= steps(); }
  // Of the next step. Precondition: !done().
  float sigma() const { return schedule_.sigmas[static_cast<std::size_t>(state_.step)]; }
  float timestep() const { return schedule_.timesteps[static_cast<std::size_t>(state_.step)]; }

  // Replaces `latent` (at sigma()) by the latent at the next σ. kInvalid when done or when a size does not
  // fit.
  Status step(std::span<float> latent, std::span<const float> velocity);

  const SamplerState& state() const { return state_; }
  // kCorrupt when the state does not belong to this solver, schedule and latent size.
  Status restore(SamplerState state);

 private:
  struct Level;  // σ, α and λ of one σ
  Level level(int index) const;
  void euler(std::span<float> latent, std::span<const float> velocity);
  void unipc(std::span<float> latent, std::span<const float> velocity);
  void dpmpp(std::span<float> latent, std::span<const float> velocity);
  void correct(std::span<float> latent, std::span<const float> prediction);
  void push(std::vector<float> prediction);
  std::vector<std::string> expected_arrays(int step) const;

  config::Sampler solver_;
  config::Schedule schedule_;
  std::size_t count_;
  SamplerState state_;
};

// (1-σ)·x0 + σ·noise, in place of x0: brings a clean latent to a noise level (add_noise of the official
// solvers).
void add_noise(std::span<float> x0, std::span<const float> noise, float sigma);

}  // namespace rushes::worker
