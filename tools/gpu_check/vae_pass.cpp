// Decoding and encoding of a clip by a VAE of random weights, and how near it comes to what is more exact.
#include <cmath>

#include "tools/gpu_check/passes.h"
#include "tools/gpu_check/verbs.h"
#include "worker/model/vae.h"

namespace rushes::gpu_check {

namespace {

using worker::Volume;

worker::Vae load(kernels::Backend& backend, const RandomWeights& weights, const Request& request) {
  const auto channels = static_cast<std::size_t>(request.number("channels"));
  const std::vector<float> mean(channels, 0.0f), deviation(channels, 1.0f);
  auto vae = must(worker::Vae::load(backend, weights.file(), mean, deviation));
  if (const std::int64_t limit = request.number("limit_mb", 0))
    vae.set_memory_limit(static_cast<std::size_t>(limit) << 20);
  return vae;
}

}  // namespace

Reply time_vae(Machine& machine, const Request& request) {
  const RandomWeights weights(request.text("shapes"), machine.emulated());
  const bool decode = request.text("direction") == "decode";
  const auto precision =
      request.text("precision") == "f32" ? kernels::Precision::kF32 : kernels::Precision::kBf16;
  auto vae = load(machine.backend(precision), weights, request);
  const std::int64_t scale = decode ? 1 : vae.space_stride(), frames = request.number("frames");
  Volume in = Volume::zeros(decode ? vae.latent_channels() : 3, decode ? frames : vae.frames_of(frames),
                            request.number("rows") * scale, request.number("columns") * scale);
  const auto values = normal_values(47, std::min<std::size_t>(in.values.size(), 1'000'003));
  for (std::size_t i = 0; i < in.values.size(); ++i) in.values[i] = values[i % values.size()];
  const auto run = [&](worker::Vae& by) { return must(decode ? by.decode(in) : by.encode(in)); };
  Reply reply;
  if (request.number("compare", 0)) {  // bf16 with fp32, fp32 with the reference
    const auto reference = kernels::make_reference_backend();
    auto exact =
        load(precision == kernels::Precision::kF32 ? *reference : machine.backend(kernels::Precision::kF32),
             weights, request);
    nearness(run(vae).values, run(exact).values).add_to(reply);
    return reply;
  }
  add_passes(
      machine, request.number("rounds"), [&] { (void)run(vae); }, reply);
  reply.add("peak_bytes", machine.backend(precision).memory().peak_bytes);
  return reply;
}

}  // namespace rushes::gpu_check
