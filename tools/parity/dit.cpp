// Golden files of the diffusion transformer: whole passes, one cross attention, a guided sampling run.
#include <algorithm>
#include <map>

#include "kernels/layout.h"
#include "tools/parity/parity.h"
#include "worker/model/guidance.h"
#include "worker/model/sampler.h"
#include "worker/model/transformer.h"

namespace rushes::parity {

using kernels::Tensor;
using worker::PromptContext;
using worker::TensorFile;
using worker::Timesteps;
using worker::Transformer;

namespace {

Result<Transformer> load_transformer(const TensorFile& file, const Engine& engine) {
  auto width = head_dim(file);
  auto text_len = meta_integer(file, "text_len");
  if (!width) return tl::unexpected(width.error());
  if (!text_len) return tl::unexpected(text_len.error());
  std::vector<std::int64_t> vace_layers;
  std::string list = file.meta("vace_layers").value_or("");
  for (char* at = list.data(); *at;) {
    char* end = nullptr;
    vace_layers.push_back(std::strtoll(at, &end, 10));
    if (end == at)
      return fail(ErrorKind::kCorrupt, file.path() + ": metadata 'vace_layers': found '" + list + "'");
    at = *end == ',' ? end + 1 : end;
  }
  return Transformer::load(*engine.backend, file, *width, *text_len, vace_layers);
}

// A matrix [rows, width] or [1, rows, width].
Result<std::pair<std::vector<float>, std::int64_t>> matrix(const TensorFile& file, const std::string& name) {
  auto tensor = file.get(name);
  if (!tensor) return tl::unexpected(tensor.error());
  const auto& shape = (*tensor)->shape;
  if (shape.size() < 2 || shape.size() > 3 || (shape.size() == 3 && shape[0] != 1))
    return fail(ErrorKind::kCorrupt, file.path() + ": tensor '" + name + "': expected a matrix, found " +
                                         worker::shape_text(shape));
  return std::pair{*file.floats(name), shape[shape.size() - 2]};
}

Result<PromptContext> load_prompt(const TensorFile& file, Transformer& model, const std::string& name) {
  auto text = matrix(file, name);
  if (!text) return tl::unexpected(text.error());
  if (!file.has("in.clip_fea")) return model.prompt(text->first, text->second);
  auto image = matrix(file, "in.clip_fea");
  if (!image) return tl::unexpected(image.error());
  return model.prompt(text->first, text->second, image->first, image->second);
}

// Few distinct timesteps, whatever the number of tokens.
Timesteps group_timesteps(const std::vector<float>& values) {
  Timesteps steps;
  std::map<float, std::int32_t> known;
  for (float t : values) {
    const auto [found, fresh] = known.emplace(t, static_cast<std::int32_t>(steps.values.size()));
    if (fresh) steps.values.push_back(t);
    steps.group.push_back(found->second);
  }
  if (values.size() == 1) steps.group.clear();
  return steps;
}

// The latent with its condition channels behind it.
Result<Tensor> upload_latent(const TensorFile& file, const Engine& engine, const std::string& name) {
  auto x = volume(file, name);
  if (!x) return tl::unexpected(x.error());
  if (file.has("in.y")) {
    auto y = volume(file, "in.y");
    if (!y) return tl::unexpected(y.error());
    if (y->frames != x->frames || y->rows != x->rows || y->columns != x->columns)
      return fail(ErrorKind::kCorrupt, file.path() + ": in.x and in.y have different grids");
    x->values.insert(x->values.end(), y->values.begin(), y->values.end());
    x->channels += y->channels;
  }
  return engine.backend->upload(kernels::host_tensor(x->values, x->shape()));
}

}  // namespace

Outputs recompute_dit(const TensorFile& file, const Engine& engine) {
  auto model = load_transformer(file, engine);
  if (!model) return tl::unexpected(model.error());
  auto prompt = load_prompt(file, *model, "in.context");
  if (!prompt) return tl::unexpected(prompt.error());
  auto x = upload_latent(file, engine, "in.x");
  if (!x) return tl::unexpected(x.error());
  worker::VaceControl vace;
  if (file.has("in.vace_context")) {
    auto control = volume(file, "in.vace_context");
    auto scale = meta_number(file, "vace_context_scale");
    if (!control) return tl::unexpected(control.error());
    vace.latent = engine.backend->upload(kernels::host_tensor(control->values, control->shape()));
    vace.scale = scale ? static_cast<float>(*scale) : 1.0f;
  }
  struct Pass {
    std::string out, timestep;
    float vace_scale;
  };
  std::vector<Pass> passes = {{"out.v", "in.t", vace.scale},
                              {"out.v_mixed", "in.t_mixed", vace.scale},
                              {"out.v_uniform", "in.t_uniform", vace.scale},
                              {"out.v_scale0", "in.t", 0.0f}};
  std::vector<Output> outputs;
  for (const Pass& pass : passes) {
    if (!file.has(pass.out)) continue;
    auto t = file.floats(pass.timestep);
    if (!t) return tl::unexpected(t.error());
    vace.scale = pass.vace_scale;
    auto v = model->velocity(*x, group_timesteps(*t), *prompt, {}, vace);
    if (!v) return tl::unexpected(v.error());
    outputs.push_back({pass.out, kernels::read_values(*engine.backend, *v), engine.pick(1e-5, 2e-2), {}});
  }
  return outputs;
}

Outputs recompute_cross_attention(const TensorFile& file, const Engine& engine) {
  auto width = head_dim(file);
  auto text_len = meta_integer(file, "text_len");
  auto x = matrix(file, "in.x"), context = matrix(file, "in.context");
  if (!width) return tl::unexpected(width.error());
  if (!text_len) return tl::unexpected(text_len.error());
  if (!x) return tl::unexpected(x.error());
  if (!context) return tl::unexpected(context.error());
  const std::int64_t dim = static_cast<std::int64_t>(x->first.size()) / std::max<std::int64_t>(1, x->second);
  const std::int64_t image_rows = context->second - *text_len;
  if (dim < 1 || *width < 1 || dim % *width || image_rows < 1 ||
      static_cast<std::int64_t>(context->first.size()) != context->second * dim)
    return fail(ErrorKind::kCorrupt,
                file.path() + ": in.x, in.context, text_len and head_dim do not fit together");
  return worker::guarded(file.path(), [&]() -> Outputs {
    kernels::Backend& backend = *engine.backend;
    worker::Weights weights(file, backend, "cross_attn.");
    const worker::BlockSizes sizes{dim, 0, dim / *width, *width};
    const worker::CrossAttention layer = worker::load_cross_attention(weights, "", sizes);
    if (auto ok = weights.finish(); !ok) return tl::unexpected(ok.error());
    const Tensor all = backend.upload(kernels::host_tensor(context->first, {context->second, dim}));
    const Tensor tokens = backend.upload(kernels::host_tensor(x->first, {x->second, dim}));
    const worker::CrossKeys keys = worker::cross_keys(
        backend, layer, sizes, all.slice(image_rows, context->second), all.slice(0, image_rows));
    const Tensor y = worker::cross_attention(backend, layer, sizes, tokens, keys);
    Output output{"out.y", std::vector<float>(x->first.size()), engine.pick(1e-5, 2e-2), {}};
    backend.download(y, output.values.data());
    return std::vector<Output>{std::move(output)};
  });
}

Outputs recompute_cfg_sample(const TensorFile& file, const Engine& engine) {
  auto model = load_transformer(file, engine);
  if (!model) return tl::unexpected(model.error());
  auto positive = load_prompt(file, *model, "in.context"),
       negative = load_prompt(file, *model, "in.context_null");
  if (!positive) return tl::unexpected(positive.error());
  if (!negative) return tl::unexpected(negative.error());
  auto noise = volume(file, "in.noise");
  auto steps = meta_integer(file, "steps");
  auto shift = meta_number(file, "shift"), guidance = meta_number(file, "guide_scale");
  if (!noise) return tl::unexpected(noise.error());
  if (!steps) return tl::unexpected(steps.error());
  if (!shift) return tl::unexpected(shift.error());
  if (!guidance) return tl::unexpected(guidance.error());
  const std::string name = file.meta("solver").value_or("unipc");
  const Solver* solver = find_solver(name);
  if (!solver) return fail(ErrorKind::kInvalid, file.path() + ": unknown solver '" + name + "'");
  auto schedule = config::make_schedule(solver->list, static_cast<int>(*steps), *shift);
  if (!schedule) return with_context(schedule.error(), file.path());

  Output latents{"out.latents", noise->values, engine.pick(2e-5, 5e-2), {}};
  const Tensor x = engine.backend->upload(kernels::host_tensor(noise->values, noise->shape()));
  worker::Sampler sampler(*engine.backend, solver->sampler, *schedule, x.shape());
  std::vector<float> latent;
  worker::StepRecord record;
  while (!sampler.done()) {
    auto v = worker::guided_velocity(*engine.backend, *model, x, {{sampler.timestep()}, {}}, *positive,
                                     &*negative, static_cast<float>(*guidance), {}, {}, &record);
    if (!v) return tl::unexpected(v.error());
    if (auto ok = sampler.step(x, *v); !ok) return tl::unexpected(ok.error());
    latent = kernels::read_values(*engine.backend, x);
    latents.values.insert(latents.values.end(), latent.begin(), latent.end());
  }
  return std::vector<Output>{{"out.latent", latent, engine.pick(2e-5, 5e-2), {}},
                             std::move(latents),
                             {"out.sigmas", schedule->sigmas, 0, {}},
                             {"out.timesteps", schedule->timesteps, 0, {}}};
}

}  // namespace rushes::parity
