// A whole draft by models of random weights: text, denoising, decoding; and encoding, which a first frame would need.
#include <cmath>

#include "kernels/layout.h"
#include "tools/gpu_check/passes.h"
#include "tools/gpu_check/verbs.h"
#include "worker/model/guidance.h"
#include "worker/model/sampler.h"
#include "worker/model/text_encoder.h"
#include "worker/model/vae.h"

namespace rushes::gpu_check {

namespace {

using worker::Volume;

using kernels::Backend;
using kernels::Precision;

struct Draft {
  RandomWeights text_weights, transformer_weights, vae_weights;
  Backend& backend;
  worker::TextEncoder text;
  worker::Transformer transformer;
  worker::Vae vae;
  std::vector<std::int32_t> ids;

  Draft(Machine& machine, const Request& request);
  std::vector<float> states() { return must(text.encode(ids)); }
};

worker::Vae load_vae(kernels::Backend& backend, const RandomWeights& weights, const Request& request) {
  const auto channels = static_cast<std::size_t>(request.number("channels"));
  const std::vector<float> mean(channels, 0.0f), deviation(channels, 1.0f);
  return must(worker::Vae::load(backend, weights.file(), mean, deviation));
}

worker::Transformer load_transformer(Backend& backend, const RandomWeights& weights, const Request& request) {
  return must(worker::Transformer::load(backend, weights.file(), request.number("head_dim"),
                                        request.number("text_len")));
}

// As the engine has them: text encoder and transformer in bf16, pixels in fp32 unless asked otherwise.
Draft::Draft(Machine& machine, const Request& request)
    : text_weights(request.text("text_shapes"), machine.emulated()),
      transformer_weights(request.text("shapes"), machine.emulated()),
      vae_weights(request.text("vae_shapes"), machine.emulated()),
      backend(machine.backend(Precision::kBf16)),
      text(must(worker::TextEncoder::load(backend, text_weights.file()))),
      transformer(load_transformer(backend, transformer_weights, request)),
      vae(load_vae(machine.backend(request.text("pixels") == "f32" ? Precision::kF32 : Precision::kBf16),
                   vae_weights, request)) {
  if (const std::int64_t limit = request.number("limit_mb", 0))
    vae.set_memory_limit(static_cast<std::size_t>(limit) << 20);
  for (std::int64_t i = 0; i < request.number("tokens"); ++i)
    ids.push_back(static_cast<std::int32_t>(i * 7919 % text.sizes().vocabulary));
}

worker::PromptContext context_of(Backend& backend, worker::Transformer& transformer,
                                 const std::vector<float>& states) {
  auto context = must(
      transformer.prompt(states, static_cast<std::int64_t>(states.size()) / transformer.sizes().text_dim));
  backend.synchronize();
  return context;
}

Volume denoise(Backend& backend, worker::Transformer& transformer, const worker::PromptContext& context,
               int steps, Volume latent) {
  latent.values = normal_values(53, latent.values.size());
  config::Sampling sampling;
  sampling.sampler = config::Sampler::kEuler;
  sampling.steps = steps, sampling.shift = 5.0;
  const kernels::Tensor x = backend.upload(kernels::host_tensor(latent.values, latent.shape()));
  worker::Sampler sampler(backend, sampling.sampler, must(config::make_schedule(sampling)), x.shape());
  worker::StepRecord record;
  while (!sampler.done()) {
    const auto velocity = must(worker::guided_velocity(backend, transformer, x, {{sampler.timestep()}, {}},
                                                       context, nullptr, 1.0f, {}, {}, &record));
    if (auto ok = sampler.step(x, velocity); !ok) throw std::runtime_error(ok.error().message);
  }
  latent.values = kernels::read_values(backend, x);
  return latent;
}

// A small draft against the same one with transformer and pixels in fp32; the text's states are the same.
Nearness compared(Machine& machine, Draft& draft, const Request& request, int steps) {
  const Volume latent = Volume::zeros(draft.transformer.sizes().out_dim, 1, request.number("small_rows"),
                                      request.number("small_columns"));
  const std::vector<float> states = draft.states();
  Backend& f32 = machine.backend(Precision::kF32);
  const auto own = context_of(draft.backend, draft.transformer, states);
  const Volume frames = must(draft.vae.decode(denoise(draft.backend, draft.transformer, own, steps, latent)));
  auto exact = load_transformer(f32, draft.transformer_weights, request);
  auto exact_vae = load_vae(f32, draft.vae_weights, request);
  const auto context = context_of(f32, exact, states);
  return nearness(frames.values, must(exact_vae.decode(denoise(f32, exact, context, steps, latent))).values);
}

}  // namespace

Reply time_draft(Machine& machine, const Request& request) {
  Draft draft(machine, request);
  const int steps = static_cast<int>(request.number("steps"));
  std::vector<double> text, denoised, decoded, encoded, whole;
  bool finite = true;
  for (std::int64_t round = 0; round <= request.number("rounds"); ++round) {
    worker::PromptContext context;
    Volume frames, latent = Volume::zeros(draft.transformer.sizes().out_dim, request.number("frames"),
                                          request.number("rows"), request.number("columns"));
    const double times[] = {
        wall_milliseconds([&] { context = context_of(draft.backend, draft.transformer, draft.states()); }),
        wall_milliseconds(
            [&] { latent = denoise(draft.backend, draft.transformer, context, steps, std::move(latent)); }),
        wall_milliseconds([&] { frames = must(draft.vae.decode(latent)); }),
        wall_milliseconds([&] { (void)must(draft.vae.encode(frames)); })};
    for (const float value : frames.values) finite = finite && std::isfinite(value);
    if (round == 0) continue;
    text.push_back(times[0]), denoised.push_back(times[1]), decoded.push_back(times[2]),
        encoded.push_back(times[3]);
    whole.push_back(times[0] + times[1] + times[2]);
  }
  Reply reply;
  reply.add("ms", median(whole)).add("rounds", whole).add("finite", finite);
  reply.add("text_ms", median(text)).add("denoise_ms", median(denoised));
  reply.add("decode_ms", median(decoded)).add("encode_ms", median(encoded));
  compared(machine, draft, request, steps).add_to(reply);
  reply.add("peak_bytes", draft.backend.memory().peak_bytes);
  return reply;
}

}  // namespace rushes::gpu_check
