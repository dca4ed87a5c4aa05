#include "worker/model/sampler.h"

#include <cmath>
#include <utility>

namespace rushes::worker {

using kernels::Tensor;

namespace {

const std::string kNewest = "x0.1", kOlder = "x0.2", kSample = "sample";

kernels::Term term(double factor, const Tensor& x) { return {static_cast<float>(factor), x}; }

}  // namespace

// λ = ln((1-σ)/σ): -inf at σ = 1 and +inf at σ = 0, which the formulae below take as limits.
struct Sampler::Level {
  double sigma, alpha, lambda;
};

Sampler::Level Sampler::level(int index) const {
  const double sigma = schedule_.sigmas[static_cast<std::size_t>(index)];
  return {sigma, 1 - sigma, std::log(1 - sigma) - std::log(sigma)};
}

Sampler::Sampler(kernels::Backend& backend, config::Sampler solver, config::Schedule schedule,
                 kernels::Shape latent)
    : backend_(backend), solver_(solver), schedule_(std::move(schedule)), shape_(std::move(latent)) {}

Status Sampler::step(const Tensor& latent, const Tensor& velocity) {
  if (done()) return fail(ErrorKind::kInvalid, "sampler: all " + std::to_string(steps()) + " steps are done");
  if (latent.shape() != shape_ || velocity.shape() != shape_)
    return fail(ErrorKind::kInvalid, "sampler: expected " + kernels::to_string(shape_) + ", found a latent " +
                                         kernels::to_string(latent.shape()) + " and a velocity " +
                                         kernels::to_string(velocity.shape()));
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
  ++step_;
  return {};
}

void Sampler::euler(const Tensor& latent, const Tensor& velocity) {
  const auto i = static_cast<std::size_t>(step_);
  const float step = schedule_.sigmas[i + 1] - schedule_.sigmas[i];
  backend_.combine({{1.0f, latent}, {step, velocity}}, latent);
}

Tensor Sampler::predict(const Tensor& latent, const Tensor& velocity) const {
  Tensor prediction = backend_.empty(kernels::DType::kF32, shape_);
  predict_clean(backend_, latent, velocity, sigma(), prediction);
  return prediction;
}

// Keeps the two newest predictions.
void Sampler::push(Tensor prediction) {
  older_ = std::move(newest_);
  newest_ = std::move(prediction);
}

// Multistep UniC of order `order_`: redoes step i-1 -> i from the sample kept there, now that the prediction
// at σ_i is known, and keeps what it finds as the sample. D is 0 in the limit λ_{i-2} = -inf (σ = 1), and the
// 2x2 system has ρ = (0, b1).
void Sampler::correct(const Tensor& prediction) {
  const int i = step_;
  const Level from = level(i - 1), to = level(i);
  const double h = to.lambda - from.lambda, phi1 = std::expm1(-h), ratio = to.sigma / from.sigma;
  double older = 0, rho = 0.5;  // weights of D and Dt, in units of -α·B
  if (order_ == 2) {
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
  std::vector<kernels::Term> terms = {term(ratio, sample_), term(b * (1 - older - rho), newest_),
                                      term(b * rho, prediction)};
  if (older != 0) terms.push_back(term(b * older, older_));
  backend_.combine(terms, sample_);
}

void Sampler::unipc(const Tensor& latent, const Tensor& velocity) {
  const int i = step_;
  const Level from = level(i), to = level(i + 1);
  Tensor prediction = predict(latent, velocity);
  if (i > 0) {
    correct(prediction);  // the prediction stays that of the uncorrected sample
  } else {
    sample_ = backend_.empty(kernels::DType::kF32, shape_);
    backend_.combine({{1.0f, latent}}, sample_);
  }
  push(std::move(prediction));

  // Order min(2, steps left, steps done + 1): the first and the last step are of order 1.
  order_ = i == 0 || i == steps() - 1 ? 1 : 2;
  const double h = to.lambda - from.lambda, phi1 = std::expm1(-h);  // h = +inf at the last step: phi1 = -1
  const double ratio = to.sigma / from.sigma, b = -to.alpha * phi1;
  double older = 0;  // 0.5/r, r = (λ_{i-1} - λ_i)/h
  if (order_ == 2) older = 0.5 * h / (level(i - 1).lambda - from.lambda);
  std::vector<kernels::Term> terms = {term(ratio, sample_), term(b * (1 - older), newest_)};
  if (older != 0) terms.push_back(term(b * older, older_));
  backend_.combine(terms, latent);
}

void Sampler::dpmpp(const Tensor& latent, const Tensor& velocity) {
  const int i = step_;
  const Level from = level(i), to = level(i + 1);
  push(predict(latent, velocity));
  const double h = to.lambda - from.lambda;  // +inf at σ = 1 and at the last step: expm1(-h) = -1
  const double ratio = to.sigma / from.sigma, b = -to.alpha * std::expm1(-h);
  double newer = 0;  // 0.5/r0, r0 = (λ_i - λ_{i-1})/h; the last step is of order 1
  if (i > 0 && i < steps() - 1) newer = 0.5 * h / (from.lambda - level(i - 1).lambda);
  std::vector<kernels::Term> terms = {term(ratio, latent), term(b * (1 + newer), newest_)};
  if (newer != 0) terms.push_back(term(-b * newer, older_));
  backend_.combine(terms, latent);
}

std::map<std::string, const Tensor*> Sampler::history(int step) const {
  std::map<std::string, const Tensor*> parts;
  if (solver_ == config::Sampler::kEuler || step == 0) return parts;
  if (solver_ == config::Sampler::kUniPc) parts[kSample] = &sample_;
  parts[kNewest] = &newest_;
  if (step > 1) parts[kOlder] = &older_;
  return parts;
}

SamplerState Sampler::state() const {
  SamplerState state{step_, order_, {}};
  for (const auto& [name, tensor] : history(step_)) {
    std::vector<float>& values = state.arrays[name];
    values.resize(static_cast<std::size_t>(tensor->elements()));
    backend_.download(*tensor, values.data());
  }
  return state;
}

Status Sampler::restore(const SamplerState& state) {
  if (state.step < 0 || state.step > steps())
    return fail(ErrorKind::kCorrupt, "sampler state: step " + std::to_string(state.step) + " outside 0 to " +
                                         std::to_string(steps()));
  const auto count = static_cast<std::size_t>(kernels::element_count(shape_));
  const auto parts = history(state.step);
  for (const auto& [name, ignored] : parts) {
    const auto found = state.arrays.find(name);
    if (found == state.arrays.end() || found->second.size() != count)
      return fail(
          ErrorKind::kCorrupt,
          "sampler state: expected '" + name + "' with " + std::to_string(count) + " elements, found " +
              (found == state.arrays.end() ? std::string("none") : std::to_string(found->second.size())));
  }
  if (state.arrays.size() != parts.size())
    return fail(ErrorKind::kCorrupt, "sampler state: expected " + std::to_string(parts.size()) +
                                         " arrays, found " + std::to_string(state.arrays.size()));
  const bool ordered = solver_ == config::Sampler::kUniPc && state.step > 0;
  if (ordered ? state.order != (state.step == 1 || state.step == steps() ? 1 : 2) : state.order != 0)
    return fail(ErrorKind::kCorrupt, "sampler state: order " + std::to_string(state.order) + " at step " +
                                         std::to_string(state.step) + " does not fit this solver");
  const auto upload = [&](const std::string& name) {
    return parts.contains(name) ? backend_.upload(kernels::host_tensor(state.arrays.at(name), shape_))
                                : Tensor();
  };
  step_ = state.step, order_ = state.order;
  newest_ = upload(kNewest), older_ = upload(kOlder), sample_ = upload(kSample);
  return {};
}

void predict_clean(kernels::Backend& backend, const Tensor& latent, const Tensor& velocity, float sigma,
                   const Tensor& out) {
  backend.combine({{1.0f, latent}, {-sigma, velocity}}, out);
}

void add_noise(kernels::Backend& backend, const Tensor& x0, const Tensor& noise, float sigma) {
  backend.combine({{1.0f - sigma, x0}, {sigma, noise}}, x0);
}

}  // namespace rushes::worker
