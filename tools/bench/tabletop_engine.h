// Renders captions with the real engine: text encoder, transformer, sampler and VAE of worker/model, in
// process.
//
// Thread contract: one thread at a time.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "config/model.h"
#include "config/result.h"
#include "kernels/backends.h"
#include "tools/train/scene/render.h"
#include "worker/model/model.h"

namespace rushes::bench {

class TabletopEngine {
 public:
  // Opens the model whose manifest is given, after checking the digests of its files.
  static Result<std::unique_ptr<TabletopEngine>> open(const std::filesystem::path& manifest, int threads);

  // The manifest's sampling; change it before make().
  config::Sampling& sampling() { return sampling_; }

  // One clip of the model's native size and length, scene-linear AP1, from noise of `seed`.
  Result<scene::Clip> make(const std::string& caption, std::uint64_t seed);

 private:
  explicit TabletopEngine(config::ModelManifest manifest) : manifest_(std::move(manifest)) {}

  config::ModelManifest manifest_;
  config::Sampling sampling_;
  std::unique_ptr<kernels::Backend> compute_, pixels_;
  std::unique_ptr<worker::Model> model_;
};

}  // namespace rushes::bench
