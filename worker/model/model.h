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
#include "worker/model/guidance.h"
#include "worker/model/middle_cache.h"
#include "worker/model/text_encoder.h"
#include "worker/model/vae.h"
#include "worker/model/volume.h"

namespace rushes::worker {

// The text encoder's states of a prompt's valid tokens.
struct TextStates {
  std::int64_t rows = 0, dim = 0;
  std::vector<float> values;  // [rows, dim]
};

// The tensors that all steps over a latent share.
struct Steps {
  kernels::Tensor input;   // kF32 [in_dim, T, h, w]: what the transformer reads
  kernels::Tensor latent;  // its first channels
  PromptContext prompt, null;
  bool guided = false;  // whether there is a negative prompt
  StepRecord record;
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

  // Begins steps over a latent [C, T, h, w], whose numbers are still undefined, with `condition` [4 + C, T, h, w], which
  // is empty where the model takes none; `null` is null where nothing is guided. They are the model's, until
  // end_steps() or the next call; steps of the same size go on in the same tensors, for which the backend may have
  // recorded its work. What the manifest says of their memory is reserved first, so that a run fails before it begins.
  // Error: kInvalid. Throws std::bad_alloc.
  Result<Steps*> begin_steps(const kernels::Shape& latent, const Volume& condition, const TextStates& prompt,
                             const TextStates* null);
  // kF32 [C, T, h, w]: v_null + guidance (v - v_null), or v where nothing is guided or guidance is 1 from the first step
  // on. The same tensor every time. Error: kConflict (stopped).
  Result<kernels::Tensor> velocity(Steps& steps, float timestep, float guidance, const StopCheck& stop = {});
  // Gives their memory back; `all` false: only where the backend has recorded nothing.
  void end_steps(bool all = true);

  kernels::Backend& compute() { return compute_; }
  Vae& vae() { return vae_; }
  Transformer& transformer() { return transformer_; }
  MiddleCache& middle_cache() { return middle_cache_; }

 private:
  Model(config::ModelManifest manifest, kernels::Backend& compute, config::Tokenizer tokenizer,
        TextEncoder text, Transformer transformer, Vae vae);
  Status check() const;
  Result<PromptContext> prompt_context(const TextStates& states, PromptContext into);
  Status check_condition(const kernels::Shape& latent, const Volume& condition) const;

  config::ModelManifest manifest_;
  kernels::Backend& compute_;
  config::Tokenizer tokenizer_;
  TextEncoder text_;
  Transformer transformer_;
  Vae vae_;
  MiddleCache middle_cache_;  // of the take whose tiles are decoded
  std::unique_ptr<Steps> steps_;
};

}  // namespace rushes::worker
