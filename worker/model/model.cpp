#include "worker/model/model.h"

#include <utility>

#include "kernels/layout.h"

namespace rushes::worker {
namespace {

constexpr std::int64_t kMaskChannels = 4;  // I2V's mask: one channel per frame of a latent frame

Result<TensorFile> open_weights(const config::ModelManifest& manifest, const std::string& role) {
  const auto found = manifest.files.find(role);
  if (found == manifest.files.end())
    return fail(ErrorKind::kInvalid, "model " + manifest.name + ": the manifest names no " + role);
  return TensorFile::open(found->second.path.string());
}

std::vector<float> as_floats(const std::vector<double>& values) { return {values.begin(), values.end()}; }

}  // namespace

Model::Model(config::ModelManifest manifest, kernels::Backend& compute, config::Tokenizer tokenizer,
             TextEncoder text, Transformer transformer, Vae vae)
    : manifest_(std::move(manifest)),
      compute_(compute),
      tokenizer_(std::move(tokenizer)),
      text_(std::move(text)),
      transformer_(std::move(transformer)),
      vae_(std::move(vae)) {}

Result<std::unique_ptr<Model>> Model::open(const config::ModelManifest& manifest, kernels::Backend& compute,
                                           kernels::Backend& pixels) {
  auto tokens = manifest.files.find("tokenizer");
  if (tokens == manifest.files.end())
    return fail(ErrorKind::kInvalid, "model " + manifest.name + ": the manifest names no tokenizer");
  auto tokenizer = config::Tokenizer::load(tokens->second.path.string());
  if (!tokenizer) return tl::unexpected(tokenizer.error());
  auto text_file = open_weights(manifest, "text_encoder");
  if (!text_file) return tl::unexpected(text_file.error());
  auto text = TextEncoder::load(compute, *text_file);
  if (!text) return tl::unexpected(text.error());
  auto transformer_file = open_weights(manifest, "transformer");
  if (!transformer_file) return tl::unexpected(transformer_file.error());
  auto transformer = Transformer::load(compute, *transformer_file, manifest.head_dim, manifest.text_len);
  if (!transformer) return tl::unexpected(transformer.error());
  auto vae_file = open_weights(manifest, "vae");
  if (!vae_file) return tl::unexpected(vae_file.error());
  auto vae = Vae::load(pixels, *vae_file, as_floats(manifest.vae.mean), as_floats(manifest.vae.std));
  if (!vae) return tl::unexpected(vae.error());
  std::unique_ptr<Model> model(new Model(manifest, compute, std::move(*tokenizer), std::move(*text),
                                         std::move(*transformer), std::move(*vae)));
  model->vae_.set_memory(manifest.memory);
  if (auto ok = model->check(); !ok) return with_context(ok.error(), "model " + manifest.name);
  return model;
}

// Manifest and weights must tell the same story; the first contradiction is named.
Status Model::check() const {
  const TransformerSizes& t = transformer_.sizes();
  const auto differ = [](const std::string& what, std::int64_t manifest, std::int64_t weights) {
    return fail(ErrorKind::kCorrupt, what + ": expected " + std::to_string(manifest) + ", the weights have " +
                                         std::to_string(weights));
  };
  const std::int64_t z = vae_.latent_channels();
  if (t.out_dim != z) return differ("latent channels of the transformer (the VAE's)", z, t.out_dim);
  const bool condition = manifest_.conditioning == config::Conditioning::kI2v;
  const std::int64_t in_dim = condition ? 2 * z + kMaskChannels : z;
  if (t.in_dim != in_dim)
    return differ("input channels of the transformer with conditioning " +
                      std::string(config::to_string(manifest_.conditioning)),
                  in_dim, t.in_dim);
  if (t.image_dim)
    return fail(ErrorKind::kInvalid,
                "the transformer needs CLIP image tokens, which are not computed here; use "
                "weights without img_emb (Wan2.2 I2V, T2V)");
  if (t.text_dim != text_.sizes().dim)
    return differ("width of the text states", t.text_dim, text_.sizes().dim);
  if (manifest_.text_heads != text_.sizes().heads)
    return differ("text_heads", manifest_.text_heads, text_.sizes().heads);
  if (tokenizer_.vocabulary() > text_.sizes().vocabulary)
    return differ("vocabulary of the text encoder (the tokenizer's)", tokenizer_.vocabulary(),
                  text_.sizes().vocabulary);
  if (manifest_.vae.stride[0] != vae_.time_stride())
    return differ("vae.stride in time", manifest_.vae.stride[0], vae_.time_stride());
  if (manifest_.vae.stride[1] != vae_.space_stride() || manifest_.vae.stride[2] != vae_.space_stride())
    return differ("vae.stride in space", manifest_.vae.stride[1], vae_.space_stride());
  if ((manifest_.vae.form == config::VaeForm::kWan22) != vae_.patchified())
    return fail(ErrorKind::kCorrupt, "vae.form: expected " +
                                         std::string(config::to_string(manifest_.vae.form)) +
                                         ", the weights have the other form");
  return {};
}

Result<TextStates> Model::encode_text(const std::string& prompt) {
  auto tokens = tokenizer_.encode(prompt, manifest_.text_len);
  if (!tokens) return tl::unexpected(tokens.error());
  auto states = text_.encode(tokens->ids);
  if (!states) return tl::unexpected(states.error());
  return TextStates{static_cast<std::int64_t>(tokens->ids.size()), text_.sizes().dim, std::move(*states)};
}

Result<PromptContext> Model::prompt_context(const TextStates& states, PromptContext into) {
  if (states.dim != transformer_.sizes().text_dim)
    return fail(ErrorKind::kInvalid, "prompt: expected text states of width " +
                                         std::to_string(transformer_.sizes().text_dim) + ", found " +
                                         std::to_string(states.dim));
  return transformer_.prompt(states.values, states.rows, {}, 0, std::move(into));
}

Status Model::check_condition(const kernels::Shape& latent, const Volume& condition) const {
  const std::int64_t channels = latent_channels(), in_dim = transformer_.sizes().in_dim;
  if (latent.size() != 4 || latent[0] != channels)
    return fail(ErrorKind::kInvalid, "steps: expected a latent of " + std::to_string(channels) +
                                         " channels, found " + shape_text(latent));
  if (auto grid = transformer_.grid(latent[1], latent[2], latent[3]); !grid)
    return tl::unexpected(grid.error());
  const bool fits = condition.valid() && condition.channels == in_dim - channels &&
                    condition.frames == latent[1] && condition.rows == latent[2] &&
                    condition.columns == latent[3];
  if (takes_condition() ? fits : condition.values.empty()) return {};
  return fail(ErrorKind::kInvalid, "steps: expected " + std::to_string(in_dim - channels) +
                                       " condition channels over the latent's grid, found " +
                                       shape_text(condition.shape()));
}

Result<Steps*> Model::begin_steps(const kernels::Shape& latent, const Volume& condition,
                                  const TextStates& prompt, const TextStates* null) {
  if (auto ok = check_condition(latent, condition); !ok) return tl::unexpected(ok.error());
  if (steps_ && (steps_->latent.shape() != latent || steps_->guided != (null != nullptr))) end_steps();
  const config::ModelMemory& memory = manifest_.memory;
  if (!steps_ && memory.measured)
    reserve(compute_, memory.step_bytes(static_cast<std::uint64_t>(latent[1] * latent[2] * latent[3])));
  const std::unique_ptr<Steps> known = std::exchange(steps_, nullptr);  // gone where something fails below
  return guarded("steps", [&]() -> Result<Steps*> {
    auto steps = known ? std::make_unique<Steps>(std::move(*known)) : std::make_unique<Steps>();
    const std::int64_t channels = latent[0], in_dim = transformer_.sizes().in_dim;
    if (!known) {
      steps->input = compute_.empty(kernels::DType::kF32, {in_dim, latent[1], latent[2], latent[3]});
      steps->latent = steps->input.slice(0, channels);
      steps->guided = null != nullptr;
    }
    if (takes_condition())
      kernels::write_values(compute_, condition.values, steps->input.slice(channels, in_dim));
    auto own = prompt_context(prompt, std::move(steps->prompt));
    if (!own) return tl::unexpected(own.error());
    steps->prompt = std::move(*own);
    if (null) {
      auto other = prompt_context(*null, std::move(steps->null));
      if (!other) return tl::unexpected(other.error());
      steps->null = std::move(*other);
    }
    steps_ = std::move(steps);
    return steps_.get();
  });
}

Result<kernels::Tensor> Model::velocity(Steps& steps, float timestep, float guidance, const StopCheck& stop) {
  return guided_velocity(compute_, transformer_, steps.input, {{timestep}, {}}, steps.prompt,
                         steps.guided ? &steps.null : nullptr, guidance, {}, stop, &steps.record);
}

void Model::end_steps(bool all) {
  if (!all && (!steps_ || steps_->record.recording)) return;
  steps_.reset();
  transformer_.forget_grid();  // its table lies in the memory that was reserved for the steps
}

}  // namespace rushes::worker
