// A whole model, opened from its manifest: tokenizer, text encoder, transformer and VAE, ready to run.
//
// `compute` runs transformer and text encoder (fp32 or bf16), `pixels` runs the VAE and is fp32: one bf16
// step near code 0.75 is 3.6 % of the light, which shows as bands in HDR. They may be the
// same backend.
//
// Errors: open() gives kNotFound or kCorrupt with file and tensor, also when manifest and weights disagree
// (channels, strides, head width, condition channels). Digests are the caller's to verify
// (config::verify_digests). Thread contract: as the backends, one thread at a time.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "config/model.h"
#include "config/tokenizer.h"
#include "kernels/backend.h"
#include "worker/model/middle_cache.h"
#include "worker/model/text_encoder.h"
#include "worker/model/transformer.h"
#include "worker/model/vae.h"
#include "worker/model/volume.h"

namespace rushes::worker {

// The text encoder's states of a prompt's valid tokens.
struct TextStates {
  std::int64_t rows = 0, dim = 0;
  std::vector<float> values;  // [rows, dim]
};

class Model {
 public:
  // Both backends must outlive the model.
  static Result<std::unique_ptr<Model>> open(const config::ModelManifest& manifest, kernels::Backend& compute,
                                             kernels::Backend& pixels);

  const config::ModelManifest& manifest() const { return manifest_; }
  std::int64_t latent_channels() const { return vae_.latent_channels(); }
  // Whether the transformer reads [noise, mask 4, condition] rather than noise alone.
  bool takes_condition() const { return transformer_.sizes().in_dim > transformer_.sizes().out_dim; }

  // Longer prompts than the model's text length are cut there. An empty prompt is the state of </s> alone.
  Result<TextStates> encode_text(const std::string& prompt);
  Result<PromptContext> prompt_context(const TextStates& states);
  // What a step reads, kF32 [in_dim, T, h, w] on compute(): latent_of() it, whose numbers are still undefined, and
  // behind it `condition` [4 + C, T, h, w], which is empty where the model takes none.
  Result<kernels::Tensor> step_input(std::int64_t frames, std::int64_t rows, std::int64_t columns,
                                     const Volume& condition);
  kernels::Tensor latent_of(const kernels::Tensor& input) const { return input.slice(0, latent_channels()); }
  // kF32 [C, T, h, w]. Classifier-free guidance: v_null + guidance (v - v_null); one pass where `null` is absent or
  // guidance is 1.
  Result<kernels::Tensor> guided_velocity(const kernels::Tensor& input, float timestep,
                                          const PromptContext& context, const PromptContext* null,
                                          float guidance, const TokenOrigin& origin = {},
                                          const StopCheck& stop = {});
  // Reserves what the manifest says of a step over so many latents, prompts included, so that a run fails before it
  // begins. Throws std::bad_alloc where there is not so much.
  void reserve_step(std::int64_t latents);

  kernels::Backend& compute() { return compute_; }
  Vae& vae() { return vae_; }
  Transformer& transformer() { return transformer_; }
  MiddleCache& middle_cache() { return middle_cache_; }

 private:
  Model(config::ModelManifest manifest, kernels::Backend& compute, config::Tokenizer tokenizer,
        TextEncoder text, Transformer transformer, Vae vae);
  Status check() const;

  config::ModelManifest manifest_;
  kernels::Backend& compute_;
  config::Tokenizer tokenizer_;
  TextEncoder text_;
  Transformer transformer_;
  Vae vae_;
  MiddleCache middle_cache_;  // of the take whose tiles are decoded
};

}  // namespace rushes::worker
