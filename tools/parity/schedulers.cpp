// Golden files of the samplers: a toy velocity v(x, σ) = tanh(a·x + b·σ) followed from noise to the end.
#include <cmath>
#include <optional>

#include "config/schedule.h"
#include "kernels/layout.h"
#include "tools/parity/parity.h"
#include "worker/model/sampler.h"

namespace rushes::parity {

using config::Sampler;
using config::SigmaList;
using worker::TensorFile;

namespace {

constexpr Solver kSolvers[] = {{"unipc", Sampler::kUniPc, SigmaList::kUniPC},
                               {"dpmpp", Sampler::kDpmPp, SigmaList::kDpmpp},
                               {"euler_unipc", Sampler::kEuler, SigmaList::kUniPC},
                               {"euler_dpmpp", Sampler::kEuler, SigmaList::kDpmpp},
                               {"euler_diffusers", Sampler::kEuler, SigmaList::kDiffusers}};

constexpr double kTolerance = 5e-6;

// "out.unipc.n8.s5.sigmas" or "out.unipc.add_noise.n8.s5.i3".
struct Name {
  const Solver* solver = nullptr;
  int steps = 0;
  double shift = 0;
  std::string what;  // "sigmas", "timesteps", "traj", or "i3" of an add_noise output
  bool add_noise = false;
};

std::optional<Name> parse(const std::string& name) {
  Name parsed;
  std::string rest = name.substr(4);
  parsed.solver = find_solver(rest.substr(0, rest.find('.')));
  if (!parsed.solver) return std::nullopt;
  rest = rest.substr(std::string(parsed.solver->name).size() + 1);
  if (rest.starts_with("add_noise.")) {
    parsed.add_noise = true;
    rest = rest.substr(10);
  }
  const std::size_t shift = rest.find(".s"), what = rest.rfind('.');
  if (rest.empty() || rest[0] != 'n' || shift == std::string::npos || what <= shift) return std::nullopt;
  parsed.steps = std::atoi(rest.c_str() + 1);
  parsed.shift = std::strtod(rest.c_str() + shift + 2, nullptr);
  parsed.what = rest.substr(what + 1);
  return parsed;
}

Result<std::vector<float>> trajectory(kernels::Backend& backend, const Name& name,
                                      const config::Schedule& schedule, std::vector<float> x, float a,
                                      float b) {
  const kernels::Shape shape = {static_cast<std::int64_t>(x.size())};
  const kernels::Tensor latent = backend.upload(kernels::host_tensor(x, shape));
  worker::Sampler sampler(backend, name.solver->sampler, schedule, shape);
  std::vector<float> all = x, v(x.size());
  while (!sampler.done()) {
    for (std::size_t i = 0; i < x.size(); ++i) v[i] = std::tanh(a * x[i] + b * sampler.sigma());
    if (auto ok = sampler.step(latent, backend.upload(kernels::host_tensor(v, shape))); !ok)
      return tl::unexpected(ok.error());
    x = kernels::read_values(backend, latent);
    all.insert(all.end(), x.begin(), x.end());
  }
  return all;
}

Result<Output> recompute_one(const TensorFile& file, kernels::Backend& backend, const std::string& name,
                             const std::vector<float>& noise) {
  const auto parsed = parse(name);
  if (!parsed)
    return fail(ErrorKind::kCorrupt, file.path() + ": '" + name + "' names no known solver output");
  auto schedule = config::make_schedule(parsed->solver->list, parsed->steps, parsed->shift);
  if (!schedule) return with_context(schedule.error(), file.path() + ": " + name);
  if (parsed->add_noise) {
    auto x0 = file.floats("in.x0");
    if (!x0) return tl::unexpected(x0.error());
    const int index = parsed->what[0] == 'i' ? std::atoi(parsed->what.c_str() + 1) : -1;
    if (index < 0 || index > parsed->steps || x0->size() != noise.size())
      return fail(ErrorKind::kCorrupt, file.path() + ": '" + name + "' does not fit its step count or in.x0");
    const kernels::Shape shape = {static_cast<std::int64_t>(noise.size())};
    const kernels::Tensor latent = backend.upload(kernels::host_tensor(*x0, shape));
    worker::add_noise(backend, latent, backend.upload(kernels::host_tensor(noise, shape)),
                      schedule->sigmas[static_cast<std::size_t>(index)]);
    return Output{name, kernels::read_values(backend, latent), kTolerance, {}};
  }
  if (parsed->what == "sigmas") return Output{name, schedule->sigmas, 0, {}};
  // Integer timesteps are exact; diffusers gives floats, which are exact products of exact σ as well.
  if (parsed->what == "timesteps") return Output{name, schedule->timesteps, 0, {}};
  if (parsed->what != "traj")
    return fail(ErrorKind::kCorrupt, file.path() + ": unknown output '" + name + "'");
  auto a = meta_number(file, "a"), b = meta_number(file, "b");
  if (!a) return tl::unexpected(a.error());
  if (!b) return tl::unexpected(b.error());
  auto values =
      trajectory(backend, *parsed, *schedule, noise, static_cast<float>(*a), static_cast<float>(*b));
  if (!values) return tl::unexpected(values.error());
  return Output{name, std::move(*values), kTolerance, {}};
}

}  // namespace

const Solver* find_solver(const std::string& name) {
  for (const Solver& solver : kSolvers)
    if (name == solver.name) return &solver;
  return nullptr;
}

Outputs recompute_schedulers(const TensorFile& file, const Engine& engine) {
  auto noise = file.floats("in.x_T");
  if (!noise) return tl::unexpected(noise.error());
  std::vector<Output> outputs;
  for (const auto& [name, tensor] : file.tensors()) {
    if (!name.starts_with("out.")) continue;
    auto output = recompute_one(file, *engine.backend, name, *noise);
    if (!output) return tl::unexpected(output.error());
    outputs.push_back(std::move(*output));
  }
  return outputs;
}

}  // namespace rushes::parity
