#include "config/schedule.h"

#include <cmath>
#include <cstdint>
#include <string>

namespace rushes::config {
namespace {

constexpr int kTrainSteps = 1000;  // training timesteps of the whole Wan family

double shifted(double sigma, double shift) { return shift * sigma / (1 + (shift - 1) * sigma); }
double unshifted(double sigma, double shift) { return sigma / (shift - (shift - 1) * sigma); }

// numpy.linspace(first, last, count)[i]: i·step + first, the last value exactly.
double linspace(double first, double last, int count, int i) {
  if (count > 1 && i == count - 1) return last;
  return count > 1 ? i * ((last - first) / (count - 1)) + first : first;
}

// The untruncated σ in double, one per step.
std::vector<double> official_sigmas(double first, int steps, double shift) {
  std::vector<double> sigmas;
  sigmas.reserve(static_cast<std::size_t>(steps));
  for (int i = 0; i < steps; ++i) sigmas.push_back(shifted(linspace(first, 0.0, steps + 1, i), shift));
  return sigmas;
}

// diffusers keeps its training table in fp32 and shifts it; its ends, again times 1000, span the steps, which
// are shifted once more in double.
std::vector<double> diffusers_sigmas(int steps, double shift) {
  const auto table = [&](float t) {
    const float s = t / static_cast<float>(kTrainSteps), k = static_cast<float>(shift);
    return k * s / (1.0f + static_cast<float>(shift - 1) * s);
  };
  const double first = static_cast<double>(table(1000.0f)) * kTrainSteps;
  const double last = static_cast<double>(table(1.0f)) * kTrainSteps;
  std::vector<double> sigmas;
  sigmas.reserve(static_cast<std::size_t>(steps));
  for (int i = 0; i < steps; ++i)
    sigmas.push_back(shifted(linspace(first, last, steps, i) / kTrainSteps, shift));
  return sigmas;
}

Schedule finish(SigmaList list, const std::vector<double>& sigmas) {
  Schedule schedule;
  for (double sigma : sigmas) {
    const float rounded = static_cast<float>(sigma);
    schedule.sigmas.push_back(rounded);
    schedule.timesteps.push_back(list == SigmaList::kDiffusers
                                     ? rounded * static_cast<float>(kTrainSteps)
                                     : static_cast<float>(static_cast<std::int64_t>(sigma * kTrainSteps)));
  }
  schedule.sigmas.push_back(0.0f);
  return schedule;
}

Status check(int steps, double shift) {
  if (steps < 1 || steps > kTrainSteps)
    return fail(ErrorKind::kInvalid, "steps: expected 1 to 1000, found " + std::to_string(steps));
  if (!(shift > 0 && shift <= 100))
    return fail(ErrorKind::kInvalid,
                "shift: expected a number above 0 and up to 100, found " + std::to_string(shift));
  return {};
}

}  // namespace

SigmaList default_list(Sampler sampler) {
  return sampler == Sampler::kUniPc ? SigmaList::kUniPC : SigmaList::kDpmpp;
}

Result<Schedule> make_schedule(SigmaList list, int steps, double shift) {
  if (auto ok = check(steps, shift); !ok) return tl::unexpected(ok.error());
  switch (list) {
    case SigmaList::kUniPC:  // σ_max of its training table, kept there in fp32
      return finish(list, official_sigmas(static_cast<double>(0.999f), steps, shift));
    case SigmaList::kDpmpp:
      return finish(list, official_sigmas(1.0, steps, shift));
    default:
      return finish(list, diffusers_sigmas(steps, shift));
  }
}

Result<Schedule> make_partial_schedule(SigmaList list, int steps, double shift, double start_sigma) {
  if (auto ok = check(steps, shift); !ok) return tl::unexpected(ok.error());
  if (!(start_sigma > 0 && start_sigma <= 1))
    return fail(ErrorKind::kInvalid,
                "start_sigma: expected a number above 0 and up to 1, found " + std::to_string(start_sigma));
  std::vector<double> sigmas = official_sigmas(unshifted(start_sigma, shift), steps, shift);
  sigmas[0] = start_sigma;  // exactly what was asked for
  return finish(list, sigmas);
}

Result<Schedule> make_schedule(const Sampling& sampling) {
  const SigmaList list = default_list(sampling.sampler);
  if (sampling.start_sigma < 1)
    return make_partial_schedule(list, sampling.steps, sampling.shift, sampling.start_sigma);
  return make_schedule(list, sampling.steps, sampling.shift);
}

}  // namespace rushes::config
