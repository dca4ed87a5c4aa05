// One pass of a transformer of random weights over a latent, and how near bf16 comes to fp32.
#include <cmath>

#include "tools/gpu_check/passes.h"
#include "tools/gpu_check/verbs.h"
#include "worker/model/transformer.h"

namespace rushes::gpu_check {

namespace {

using kernels::Backend;
using worker::Transformer;

struct Step {
  Backend& backend;
  Transformer model;
  worker::PromptContext context;
  kernels::Tensor latent;

  Step(Backend& on, const RandomWeights& weights, const Request& request);
  kernels::Tensor velocity() {
    auto out = must(model.velocity(latent, {{500.0f}, {}}, context));
    backend.synchronize();
    return out;
  }
  std::vector<float> values() {
    const kernels::Tensor out = velocity();
    std::vector<float> host(static_cast<std::size_t>(out.elements()));
    backend.download(out, host.data());
    return host;
  }
};

Step::Step(Backend& on, const RandomWeights& weights, const Request& request)
    : backend(on),
      model(must(
          Transformer::load(on, weights.file(), request.number("head_dim"), request.number("text_len")))) {
  const std::int64_t rows = request.number("text_rows");
  const auto text = normal_values(41, static_cast<std::size_t>(rows * model.sizes().text_dim));
  context = must(model.prompt(text, rows));
  const kernels::Shape shape = {model.sizes().in_dim, request.number("frames"), request.number("rows"),
                                request.number("columns")};
  latent = backend.upload(kernels::host_tensor(
      normal_values(43, static_cast<std::size_t>(kernels::element_count(shape))), shape));
}

}  // namespace

Reply time_transformer(Machine& machine, const Request& request) {
  const RandomWeights weights(request.text("shapes"), machine.emulated());
  Reply reply;
  std::optional<Step> step;
  reply.add("load_ms", wall_milliseconds([&] {
              step.emplace(machine.backend(kernels::Precision::kBf16), weights, request);
              step->backend.synchronize();
            }));
  const std::vector<float> values = step->values();
  bool finite = true;
  for (const float value : values) finite = finite && std::isfinite(value);
  reply.add("finite", finite);
  if (request.number("compare", 0)) {
    Step exact(machine.backend(kernels::Precision::kF32), weights, request);
    nearness(values, exact.values()).add_to(reply);
    return reply;
  }
  add_passes(
      machine, request.number("rounds"), [&] { step->velocity(); }, reply);
  const auto grid = must(step->model.grid(step->latent.dim(1), step->latent.dim(2), step->latent.dim(3)));
  reply.add("tokens", grid.tokens()).add("layers", step->model.sizes().layers);
  reply.add("peak_bytes", step->backend.memory().peak_bytes);
  return reply;
}

}  // namespace rushes::gpu_check
