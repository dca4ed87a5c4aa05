// The manifest of a model without weights, for tests of what only reads manifests. Each file (vae.bin, ...)
// is expected to hold its part's name ("vae").
#pragma once

#include <string>

#include "config/digest.h"

namespace rushes::config {

inline std::string tiny_manifest(const std::string& name = "tiny", int draft_steps = 12,
                                 int master_steps = 4) {
  std::string text = "version: 1\nname: " + name + "\nfamily: wan\nlicence: Apache-2.0\nfiles:\n";
  for (const char* part : {"transformer", "text_encoder", "tokenizer", "vae"})
    text += "  " + std::string(part) + ": {path: " + part + ".bin, digest: \"" + text_digest(part) + "\"}\n";
  return text + R"(fps: 24
frames: 33
size: {width: 160, height: 96}
deliver: {width: 160, height: 90}
head_dim: 64
text_len: 64
text_heads: 4
conditioning: i2v
vae: {form: wan2.2, stride: [4, 16, 16], mean: [0.1, 0.2], std: [1, 2.5]}
working_space: acescct
sampling:
  draft:  {sampler: unipc, steps: )" +
         std::to_string(draft_steps) + R"(, shift: 6.0, guidance: 4.0}
  master: {sampler: euler, steps: )" +
         std::to_string(master_steps) + R"(, shift: 3.0, guidance: 1.0, start_sigma: 0.4}
negative_prompt: ""
)";
}

}  // namespace rushes::config
