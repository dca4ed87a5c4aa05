// The manifest of a small model for tests of planner and core: 160x96, 33 frames at 24 fps, key frames.
#pragma once

#include <string>

#include "config/model.h"

namespace rushes::scheduler {

inline config::ModelManifest test_manifest(const std::string& name = "tabletop") {
  config::ModelManifest m;
  m.name = name;
  m.family = "wan";
  m.licence = "Apache-2.0";
  for (const char* file : {"transformer", "text_encoder", "tokenizer", "vae"})
    m.files[file] = {file, std::string(64, 'a')};
  m.fps = {24, 1};
  m.frames = 33;
  m.size = {160, 96};
  m.deliver = {160, 90};
  m.head_dim = 64;
  m.text_len = 64;
  m.text_heads = 4;
  m.conditioning = config::Conditioning::kI2v;
  m.vae.mean.assign(16, 0.0);
  m.vae.std.assign(16, 1.0);
  m.draft = {config::Sampler::kUniPc, 12, 6.0, 4.0, 1.0};
  m.master = {config::Sampler::kEuler, 4, 3.0, 1.0, 0.4};
  return m;
}

}  // namespace rushes::scheduler
