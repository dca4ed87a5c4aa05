// The model that ships, from token ids to frames: timed by stage, and compared with the same model in fp32 and, for one
// step of one frame, with the reference.
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

std::vector<float> floats(const std::vector<double>& values) { return {values.begin(), values.end()}; }

// Text encoder and transformer on `backend`; the VAE is another object's, for it may be on another backend.
struct Generator {
  kernels::Backend& backend;
  worker::TextEncoder text;
  worker::Transformer transformer;
  std::int64_t text_len;

  Generator(kernels::Backend& on, const Request& request)
      : backend(on),
        text(must(
            worker::TextEncoder::load(on, must(worker::TensorFile::open(request.text("text_encoder")))))),
        transformer(
            must(worker::Transformer::load(on, must(worker::TensorFile::open(request.text("transformer"))),
                                           request.number("head_dim"), request.number("text_len")))),
        text_len(request.number("text_len")) {}

  worker::PromptContext prompt(const std::vector<double>& ids) {
    const std::vector<std::int32_t> tokens(ids.begin(), ids.end());
    const auto states = must(text.encode(tokens));
    return must(transformer.prompt(states, static_cast<std::int64_t>(tokens.size())));
  }
  // What the transformer reads. No first frame: mask and condition channels are zeros.
  kernels::Tensor input(const Volume& latent) {
    std::vector<float> joined = latent.values;
    const std::int64_t channels = transformer.sizes().in_dim;
    joined.resize(latent.values.size() / static_cast<std::size_t>(latent.channels) *
                  static_cast<std::size_t>(channels));
    return backend.upload(
        kernels::host_tensor(joined, {channels, latent.frames, latent.rows, latent.columns}));
  }
  kernels::Tensor velocity(const kernels::Tensor& x, float timestep, const worker::PromptContext& prompt,
                           const worker::PromptContext* null, float guidance,
                           worker::StepRecord* record = nullptr) {
    return must(worker::guided_velocity(backend, transformer, x, {{timestep}, {}}, prompt, null, guidance, {},
                                        {}, record));
  }
};

Volume noise(Generator& generator, std::int64_t frames, std::int64_t rows, std::int64_t columns) {
  const kernels::Tensor x = generator.backend.empty(
      kernels::DType::kF32, {generator.transformer.sizes().out_dim, frames, rows, columns});
  generator.backend.fill_noise(
      x, std::vector(static_cast<std::size_t>(frames), kernels::NoiseSource{7, 0, 0}), {});
  return {x.dim(0), frames, rows, columns, kernels::read_values(generator.backend, x)};
}

struct Shot {
  Volume frames;
  double text_ms = 0, denoise_ms = 0, decode_ms = 0;
};

Shot render(Generator& generator, worker::Vae& vae, const Request& request) {
  Shot shot;
  worker::PromptContext prompt, null;
  shot.text_ms = wall_milliseconds([&] {
    prompt = generator.prompt(request.reals("ids"));
    null = generator.prompt(request.reals("null_ids"));
    generator.backend.synchronize();
  });
  Volume latent =
      noise(generator, request.number("frames"), request.number("rows"), request.number("columns"));
  config::Sampling sampling;
  sampling.sampler = config::Sampler::kUniPc;
  sampling.steps = static_cast<int>(request.number("steps")), sampling.shift = request.real("shift");
  shot.denoise_ms = wall_milliseconds([&] {
    const kernels::Tensor input = generator.input(latent), x = input.slice(0, latent.channels);
    worker::Sampler sampler(generator.backend, sampling.sampler, must(config::make_schedule(sampling)),
                            x.shape());
    worker::StepRecord record;
    while (!sampler.done()) {
      const auto v = generator.velocity(input, sampler.timestep(), prompt, &null,
                                        static_cast<float>(request.real("guidance")), &record);
      if (auto ok = sampler.step(x, v); !ok) throw std::runtime_error(ok.error().message);
    }
    latent.values = kernels::read_values(generator.backend, x);
  });
  shot.decode_ms = wall_milliseconds([&] { shot.frames = must(vae.decode(latent)); });
  return shot;
}

// One step of a small latent on `backend`, and the decoded frame.
std::vector<float> small_case(kernels::Backend& compute, kernels::Backend& pixels, const Request& request,
                              std::vector<float>* frame) {
  Generator generator(compute, request);
  const Volume latent = noise(generator, 1, 4, 4);
  const auto prompt = generator.prompt(request.reals("ids"));
  auto vae = must(worker::Vae::load(pixels, must(worker::TensorFile::open(request.text("vae"))),
                                    floats(request.reals("mean")), floats(request.reals("std"))));
  *frame = must(vae.decode(latent)).values;
  return kernels::read_values(compute,
                              generator.velocity(generator.input(latent), 700.0f, prompt, nullptr, 1.0f));
}

}  // namespace

Reply time_tabletop(Machine& machine, const Request& request) {
  kernels::Backend &bf16 = machine.backend(kernels::Precision::kBf16),
                   &f32 = machine.backend(kernels::Precision::kF32);
  Reply reply;
  const auto reference = kernels::make_reference_backend();
  std::vector<float> frame, expected_frame;
  const auto velocity = small_case(bf16, f32, request, &frame);
  const auto expected = small_case(*reference, *reference, request, &expected_frame);
  const Nearness step = nearness(velocity, expected), pixels = nearness(frame, expected_frame);
  reply.add("step_rel_l2", step.distance).add("step_cosine", step.cosine);
  reply.add("frame_rel_l2", pixels.distance).add("frame_cosine", pixels.cosine);
  reply.add("ok", step.distance <= 2e-2 && pixels.distance <= 1e-4);

  Generator generator(bf16, request);
  auto vae = must(worker::Vae::load(f32, must(worker::TensorFile::open(request.text("vae"))),
                                    floats(request.reals("mean")), floats(request.reals("std"))));
  std::vector<double> text, denoise, decode, whole;
  Shot last;
  for (std::int64_t round = 0; round <= request.number("rounds"); ++round) {
    last = render(generator, vae, request);
    if (round == 0) continue;
    text.push_back(last.text_ms), denoise.push_back(last.denoise_ms), decode.push_back(last.decode_ms);
    whole.push_back(last.text_ms + last.denoise_ms + last.decode_ms);
  }
  reply.add("ms", median(whole)).add("rounds", whole).add("text_ms", median(text));
  reply.add("denoise_ms", median(denoise)).add("decode_ms", median(decode));
  Generator exact(f32, request);
  nearness(last.frames.values, render(exact, vae, request).frames.values).add_to(reply);
  reply.add("split", machine.split([&] { (void)render(generator, vae, request); }));
  return reply;
}

}  // namespace rushes::gpu_check
