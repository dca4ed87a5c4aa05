// The models that an engine process has loaded.
//
// One model stays loaded between tasks (that is why an engine process lives longer than a task); another one
// replaces it. Before a model is used for a take, its manifest must be the very one that the take's recipe
// names.
//
// Thread contract: one thread.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "kernels/backends.h"
#include "worker/engine/eight_bit_layers.h"
#include "worker/engine/task.h"
#include "worker/model/model.h"

namespace rushes::worker {

struct EngineOptions {
  std::vector<std::filesystem::path> model_roots;
  config::Backend backend = config::Backend::kCpu;
  int device = 0;   // number of the GPU
  int threads = 1;  // of the CPU backend; does not change pixels
  kernels::Precision precision =
      kernels::Precision::kBf16;  // of transformer and text encoder; the VAE is fp32
  // Of the CUDA backend: attention_choice.h; eight_bit_layers.h.
  bool library_attention = false, eight_bit = false;
};

class Models {
 public:
  // With eight_bit every model of the roots is loaded once and judged. Error: kExhausted (this build or host has no such
  // backend, or the device failed).
  static Result<Models> open(const EngineOptions& options);

  // The class that takes made here belong to, for example "cpu-avx512bf16-bf16+cpu-avx512-f32": transformer +
  // VAE; a name (config/name.h).
  const std::string& numeric_class() const { return numeric_class_; }
  // What the class stands for beyond its words (Backend::class_text()); empty: nothing.
  std::string class_text() const { return compute_->class_text(); }
  // What was found at the start, lines for the worker's log.
  std::vector<std::string> notes() const { return judged_ ? judged_->notes : std::vector<std::string>(); }
  // Error: kNotFound (no such model here), kCorrupt (digest differs, weights unreadable), kInvalid (the
  // recipe was made for another numeric class).
  Result<Model*> get(const Recipe& recipe);
  // Model::end_steps() of the model that is loaded.
  void end_steps();
  // What the model says about itself, for stages that compute no tensors: no weights are loaded or verified.
  // Error: kNotFound, kCorrupt (digest differs).
  Result<config::ModelManifest> manifest(const Recipe& recipe) const;

 private:
  Models(const EngineOptions& options, std::unique_ptr<kernels::Backend> compute,
         std::unique_ptr<kernels::Backend> pixels);

  std::vector<std::filesystem::path> roots_;
  std::unique_ptr<kernels::Backend> compute_, pixels_;
  std::string numeric_class_;
  std::optional<JudgedModels> judged_;  // with eight_bit
  Digest loaded_{};
  std::unique_ptr<Model> model_;
};

}  // namespace rushes::worker
