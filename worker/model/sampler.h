// Flow-matching samplers: one step turns the latent at σ_i and the network's velocity into the latent at
// σ_{i+1}.
//
// Euler: x += (σ_{i+1} - σ_i)·v. UniPC (order 2, bh2, x0 prediction, corrector; Zhao et al. 2023, as Wan2.1
// wan/utils/fm_solvers_unipc.py) and DPM++ 2M (midpoint; Lu et al. 2022, as Wan2.1 wan/utils/fm_solvers.py).
// Latent, velocity and history are tensors of one backend. Coefficients are computed in double from the fp32 σ, then
// applied by Backend::combine: a step gives the same bits on every backend, and waits for nothing.
//
// A multistep solver remembers earlier predictions. That history is part of a segment's output: state() gives
// it as named arrays of the latent's size, restore() goes on from them, and the result is bit-identical to
// never having stopped.
//
// Thread contract: as the backend, one thread at a time.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "config/result.h"
#include "config/schedule.h"
#include "kernels/backend.h"

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
  // `latent`: the shape of the latent. `backend` must outlive this object.
  Sampler(kernels::Backend& backend, config::Sampler solver, config::Schedule schedule,
          kernels::Shape latent);

  int steps() const { return schedule_.steps(); }
  bool done() const { return step_ >= steps(); }
  // Of the next step. Precondition: !done().
  float sigma() const { return schedule_.sigmas[static_cast<std::size_t>(step_)]; }
  float timestep() const { return schedule_.timesteps[static_cast<std::size_t>(step_)]; }

  // Replaces `latent` (at sigma()) by the latent at the next σ; both kF32. kInvalid when done or when a shape does
  // not fit.
  Status step(const kernels::Tensor& latent, const kernels::Tensor& velocity);

  // Waits for the backend.
  SamplerState state() const;
  // kCorrupt when the state does not belong to this solver, schedule and latent size.
  Status restore(const SamplerState& state);

 private:
  struct Level;  // σ, α and λ of one σ
  Level level(int index) const;
  void euler(const kernels::Tensor& latent, const kernels::Tensor& velocity);
  void unipc(const kernels::Tensor& latent, const kernels::Tensor& velocity);
  void dpmpp(const kernels::Tensor& latent, const kernels::Tensor& velocity);
  void correct(const kernels::Tensor& prediction);
  kernels::Tensor predict(const kernels::Tensor& latent, const kernels::Tensor& velocity) const;
  void push(kernels::Tensor prediction);
  // The parts of the history that the step before `step` leaves, by name.
  std::map<std::string, const kernels::Tensor*> history(int step) const;

  kernels::Backend& backend_;
  config::Sampler solver_;
  config::Schedule schedule_;
  kernels::Shape shape_;
  int step_ = 0, order_ = 0;                 // as SamplerState
  kernels::Tensor newest_, older_, sample_;  // likewise; empty where there is none
};

// x0 - σ·v is what a velocity predicts of the clean latent x0; `out` may be `latent`.
void predict_clean(kernels::Backend& backend, const kernels::Tensor& latent, const kernels::Tensor& velocity,
                   float sigma, const kernels::Tensor& out);

// (1-σ)·x0 + σ·noise, in place of x0: brings a clean latent to a noise level (add_noise of the official
// solvers).
void add_noise(kernels::Backend& backend, const kernels::Tensor& x0, const kernels::Tensor& noise,
               float sigma);

}  // namespace rushes::worker
