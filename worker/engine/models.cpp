#include "worker/engine/models.h"

#include "config/digest.h"

namespace rushes::worker {
namespace {

// Another host may have the right files.
tl::unexpected<Error> of_this_host(const Error& error) {
  return tl::unexpected<Error>(Error{ErrorKind::kModel, error.message});
}

}  // namespace

Result<Models> Models::open(const EngineOptions& options) {
  kernels::BackendOptions backend;
  backend.kind = options.backend, backend.device = options.device, backend.threads = options.threads;
  backend.precision = kernels::Precision::kF32;
  auto pixels = kernels::make_backend(backend);
  if (!pixels) return tl::unexpected(pixels.error());
  backend.precision = options.precision;
  backend.library_attention = options.library_attention;
  std::optional<JudgedModels> judged;
  if (options.eight_bit && options.backend == config::Backend::kCuda) {
    auto found = judge_models(options.model_roots, backend, **pixels);
    if (!found) return tl::unexpected(found.error());
    judged = std::move(*found);
    backend.eight_bit = true;
    backend.exceptions = to_string(judged->in_bf16);
  }
  auto compute = kernels::make_backend(backend);
  if (!compute) return tl::unexpected(compute.error());
  Models models(options, std::move(*compute), std::move(*pixels));
  models.judged_ = std::move(judged);
  return models;
}

Models::Models(const EngineOptions& options, std::unique_ptr<kernels::Backend> compute,
               std::unique_ptr<kernels::Backend> pixels)
    : roots_(options.model_roots),
      compute_(std::move(compute)),
      pixels_(std::move(pixels)),
      numeric_class_(compute_->numeric_class() + "+" + pixels_->numeric_class()) {}

Result<config::ModelManifest> Models::manifest(const Recipe& recipe) const {
  auto manifest = config::find_model(recipe.model, roots_);
  if (!manifest) return of_this_host(manifest.error());
  const std::string expected = to_hex(recipe.model_digest),
                    found = config::model_digest(*manifest).substr(config::kDigestPrefix.size());
  if (found != expected)
    return fail(ErrorKind::kModel, "model " + recipe.model + ": the take was planned with digest " +
                                       expected.substr(0, 12) + ", this host has " + found.substr(0, 12) +
                                       "; install the same files on every host");
  return *manifest;
}

void Models::end_steps() {
  if (model_) model_->end_steps();
}

Result<Model*> Models::get(const Recipe& recipe) {
  if (!recipe.numeric_class.empty() && recipe.numeric_class != numeric_class_)
    return fail(ErrorKind::kModel, "the take belongs to numeric class " + recipe.numeric_class +
                                       ", this engine is " + numeric_class_);
  if (model_ && loaded_ == recipe.model_digest) return model_.get();
  if (judged_ && !judged_->judged.contains(recipe.model_digest))
    return fail(ErrorKind::kModel,
                "model " + recipe.model +
                    " was not judged for 8 bits when this engine started; see the worker's "
                    "log, and start the worker again");
  auto found = manifest(recipe);
  if (!found) return tl::unexpected(found.error());
  if (Status status = config::verify_digests(*found); !status) return of_this_host(status.error());
  model_.reset();
  loaded_ = {};
  auto model = Model::open(*found, *compute_, *pixels_);
  if (!model) return of_this_host(model.error());
  if (judged_) {  // takes memory, and may throw
    const auto kept = judged_->in_bf16.find(recipe.model_digest);
    (*model)->transformer().compute_in_8_bits(kept == judged_->in_bf16.end() ? LayersInBf16{} : kept->second);
  }
  model_ = std::move(*model);
  loaded_ = recipe.model_digest;
  return model_.get();
}

}  // namespace rushes::worker
