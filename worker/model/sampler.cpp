#include "worker/model/sampler.h"

#include <cmath>
#include <utility>

namespace rushes::worker {
namespace {

const std::string kNewest = "x0.1", kOlder = "x0.2", kSample = "sample";

// out = a·x + b·y + c·z, per element in fp32, summed from the left.
void combine(std::span<float> out, double a, std::span<const float> x, double b, std::span<const float> y,
             double c, std::span<const float> z) {
  const auto fa = static_cast<float>(a), fb = static_cast<float>(b), fc = static_cast<float>(c);
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = fa * x[i] + fb * y[i] + fc * z[i];
}

void combine(std::span<float> out, double a, std::span<const float> x, double b, std::span<const float> y) {
  const auto fa = static_cast<float>(a), fb = static_cast<float>(b);
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = fa * x[i] + fb * y[i];
}

}  // namespace

// λ = ln((1-σ)/σ): -inf at σ = 1 and +inf at σ = 0, which the formulae below take as limits.
struct Sampler::Level {
  double sigma, alpha, lambda;
};

Sampler::Level Sampler::level(int index) const {
  const double sigma = schedule_.sigmas[static_cast<std::size_t>(index)];
  return {sigma, 1 - sigma, std::log(1 - sigma) - std::log(sigma)};
}

Sampler::Sampler(config::Sampler solver, config::Schedule schedule, std::size_t count)
    : solver_(solver), schedule_(std::move(schedule)), count_(count) {}

Status Sampler::step(std::span<float> latent, std::span<const float> velocity) {
  if (done()) return fail(ErrorKind::kInvalid, "sampler: all " + std::to_string(steps()) + " steps are done");
  if (latent.size() != count_ || velocity.size() != count_)
    return fail(ErrorKind::kInvalid, "sampler: expected " + std::to_string(count_) +
                                         " elements, found a latent of " + std::to_string(latent.size()) +
                                         " and a velocity of " + std::to_string(velocity.size()));
  switch (solver_) {
    case config::Sampler::kEuler:
      euler(latent, velocity);
      break;
    case config::Sampler::kUniPc:
      unipc(latent, velocity);
      break;
    case config::Sampler::kDpmPp:
      dpmpp(latent, velocity);
      break;
  }
  ++state_.step;
  return {};
}

void Sampler::euler(std::span<float> latent, std::span<const float> velocity) {
  const auto i = static_cast<std::size_t>(state_.step);
  const float step = schedule_.sigmas[i + 1] - schedule_.sigmas[i];
  for (std::size_t n = 0; n < count_; ++n) latent[n] += step * velocity[n];
}

// Keeps the two newest predictions.
void Sampler::push(std::vector<float> prediction) {
  if (auto newest = state_.arrays.find(kNewest); newest != state_.arrays.end())
    state_.arrays[kOlder] = std::move(newest->second);
  state_.arrays[kNewest] = std::move(prediction);
}

// Multistep UniC of order `state_.order`: redoes step i-1 -> i from the sample kept there, now that the
// prediction at σ_i is known. D is 0 in the limit λ_{i-2} = -inf (σ = 1), and the 2x2 system has ρ = (0, b1).
void Sampler::correct(std::span<float> latent, std::span<const float> prediction) {
  const int i = state_.step;
  const Level from = level(i - 1), to = level(i);
  const double h = to.lambda - from.lambda, phi1 = std::expm1(-h), ratio = to.sigma / from.sigma;
  const std::vector<float>&sample = state_.arrays[kSample], &m1 = state_.arrays[kNewest];
  double older = 0, rho = 0.5;  // weights of D and Dt, in units of -α·B
  if (state_.order == 2) {
    const double phi2 = phi1 / -h - 1, phi3 = phi2 / -h - 0.5;
    const double b1 = phi2 / phi1, b2 = 2 * phi3 / phi1;
    const double r = (level(i - 2).lambda - from.lambda) / h;
    if (std::isinf(r) || std::isinf(h)) {
      rho = std::isinf(h) ? 0.5 : b1;
    } else {
      const double rho1 = (b2 - b1) / (r - 1);
      rho = b1 - rho1;
      older = rho1 / r;
    }
  }
  const double b = -to.alpha * phi1;
  // ratio·sample + b·(m1 + older·(m2 - m1) + rho·(m - m1))
  const std::vector<float>& m2 = older != 0 ? state_.arrays[kOlder] : m1;
  combine(latent, ratio, sample, b * (1 - older - rho), m1, b * rho, prediction);
  if (older != 0) {
    const auto weight = static_cast<float>(b * older);
    for (std::size_t n = 0; n < count_; ++n) latent[n] += weight * m2[n];
  }
}

void Sampler::unipc(std::span<float> latent, std::span<const float> velocity) {
  const int i = state_.step;
  const Level from = level(i), to = level(i + 1);
  std::vector<float> prediction(count_);
  combine(prediction, 1.0, latent, -from.sigma, velocity);
  if (i > 0) correct(latent, prediction);  // the prediction stays that of the uncorrected sample
  push(std::move(prediction));
  state_.arrays[kSample].assign(latent.begin(), latent.end());

  // Order min(2, steps left, steps done + 1): the first and the last step are of order 1.
  state_.order = i == 0 || i == steps() - 1 ? 1 : 2;
  const double h = to.lambda - from.lambda, phi1 = std::expm1(-h);  // h = +inf at the last step: phi1 = -1
  const double ratio = to.sigma / from.sigma, b = -to.alpha * phi1;
  const std::vector<float>& m = state_.arrays[kNewest];
  double older = 0;  // 0.5/r, r = (λ_{i-1} - λ_i)/h
  if (state_.order == 2) older = 0.5 * h / (level(i - 1).lambda - from.lambda);
  if (older != 0)
    combine(latent, ratio, state_.arrays[kSample], b * (1 - older), m, b * older, state_.arrays[kOlder]);
  else
    combine(latent, ratio, state_.arrays[kSample], b, m);
}

void Sampler::dpmpp(std::span<float> latent, std::span<const float> velocity) {
  const int i = state_.step;
  const Level from = level(i), to = level(i + 1);
  std::vector<float> prediction(count_);
  combine(prediction, 1.0, latent, -from.sigma, velocity);
  push(std::move(prediction));
  const double h = to.lambda - from.lambda;  // +inf at σ = 1 and at the last step: expm1(-h) = -1
  const double ratio = to.sigma / from.sigma, b = -to.alpha * std::expm1(-h);
  const std::vector<float>& m = state_.arrays[kNewest];
  double newer = 0;  // 0.5/r0, r0 = (λ_i - λ_{i-1})/h; the last step is of order 1
  if (i > 0 && i < steps() - 1) newer = 0.5 * h / (from.lambda - level(i - 1).lambda);
  if (newer != 0)
    combine(latent, ratio, std::vector<float>(latent.begin(), latent.end()), b * (1 + newer), m, -b * newer,
            state_.arrays[kOlder]);
  else
    combine(latent, ratio, std::vector<float>(latent.begin(), latent.end()), b, m);
}

std::vector<std::string> Sampler::expected_arrays(int step) const {
  std::vector<std::string> names;
  if (solver_ == config::Sampler::kEuler || step == 0) return names;
  if (solver_ == config::Sampler::kUniPc) names.push_back(kSample);
  names.push_back(kNewest);
  if (step > 1) names.push_back(kOlder);
  return names;
}

Status Sampler::restore(SamplerState state) {
  if (state.step < 0 || state.step > steps())
    return fail(ErrorKind::kCorrupt, "sampler state: step " + std::to_string(state.step) + " outside 0 to " +
                                         std::to_string(steps()));
  const std::vector<std::string> names = expected_arrays(state.step);
  for (const std::string& name : names) {
    const auto found = state.arrays.find(name);
    if (found == state.arrays.end() || found->second.size() != count_)
      return fail(
          ErrorKind::kCorrupt,
          "sampler state: expected '" + name + "' with " + std::to_string(count_) + " elements, found " +
              (found == state.arrays.end() ? std::string("none") : std::to_string(found->second.size())));
  }
  if (state.arrays.size() != names.size())
    return fail(ErrorKind::kCorrupt, "sampler state: expected " + std::to_string(names.size()) +
                                         " arrays, found " + std::to_string(state.arrays.size()));
  const bool ordered = solver_ == config::Sampler::kUniPc && state.step > 0;
  if (ordered ? state.order != (state.step == 1 || state.step == steps() ? 1 : 2) : state.order != 0)
    return fail(ErrorKind::kCorrupt, "sampler state: order " + std::to_string(state.order) + " at step " +
                                         std::to_string(state.step) + " does not fit this solver");
  state_ = std::move(state);
  return {};
}

void add_noise(std::span<float> x0, std::span<const float> noise, float sigma) {
  const float alpha = 1.0f - sigma;
  for (std::size_t i = 0; i < x0.size(); ++i) x0[i] = alpha * x0[i] + sigma * noise[i];
}

}  // namespace rushes::worker
