// Model manifests: config/models/NAME/model.yaml, read and checked.
//
// A manifest says which files a model is, what they must hash to, and what the model can make. Nothing here
// opens weights: the reader checks the manifest's own sense, verify_digests() streams the files through
// BLAKE2b-256.
//
// Thread contract: pure functions of their arguments and the files named; call from any thread.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "config/digest.h"
#include "config/model_memory.h"
#include "config/rate.h"
#include "config/result.h"
#include "config/sampling.h"

namespace rushes::config {

enum class WorkingSpace { kAcescct, kLogC3, kSrgb };  // what the VAE sees
enum class VaeForm { kWan21, kWan22 };                // wan2.2: 2x2 patchified, four levels
enum class Conditioning { kNone, kI2v };              // kI2v: mask + condition channels after the latent's

std::string_view to_string(WorkingSpace space);         // "acescct", "logc3", "srgb"
std::string_view to_string(VaeForm form);               // "wan2.1", "wan2.2"
std::string_view to_string(Conditioning conditioning);  // "none", "i2v"

struct FrameSize {
  int width = 0, height = 0;  // pixels
  bool operator==(const FrameSize&) const = default;
};

struct ModelFile {
  std::filesystem::path path;  // absolute, or relative to the working directory as the manifest's path was
  std::string digest;          // "blake2b-256:<64 hex>" of the file
};

struct VaeSpec {
  VaeForm form = VaeForm::kWan22;
  std::array<int, 3> stride{4, 16, 16};  // frames, rows, columns per latent
  std::vector<double> mean, std;         // one per latent channel; std > 0
};

// Words of prompts that a model was trained on, by what they say: "light", "shape".
struct WordList {
  std::string name;
  std::vector<std::string> words;  // lower case
};

struct ModelManifest {
  std::filesystem::path folder;            // where model.yaml lies
  std::string name, family, licence;       // family: "wan"
  std::map<std::string, ModelFile> files;  // always: transformer, text_encoder, tokenizer, vae
  Rate fps;                                // native rate
  int frames = 0;                          // native window, stride[0]*n + 1
  FrameSize size;                          // rendered; multiples of the VAE stride times the patch (2)
  FrameSize deliver;                       // centre crop that leaves the farm; <= size
  int head_dim = 0;                        // attention head width of the transformer
  int text_len = 0, text_heads = 0;
  Conditioning conditioning = Conditioning::kNone;
  VaeSpec vae;
  WorkingSpace working_space = WorkingSpace::kAcescct;
  Sampling draft, master;
  std::string negative_prompt;
  ModelMemory memory;
  std::vector<WordList> knows;  // empty: a model of an open vocabulary; decides no pixels

  int latent_frames(int count) const { return (count - 1) / vae.stride[0] + 1; }  // of `count` = 4n+1 frames
  // The smallest frame count the VAE can make that is >= `count` (the shot is rendered to it and trimmed).
  int rendered_frames(int count) const {
    return (count - 1 + vae.stride[0] - 1) / vae.stride[0] * vae.stride[0] + 1;
  }
};

// Reads FILE (a model.yaml). Error: kInvalid with one line per problem, kNotFound.
Result<ModelManifest> read_model(const std::filesystem::path& file);
Result<ModelManifest> parse_model(std::string_view text, const std::filesystem::path& file);

// The manifest of model NAME in the first root that has NAME/model.yaml. The folder's name must be the
// model's. Error: kNotFound lists the models that the roots do have, nearest name first.
Result<ModelManifest> find_model(const std::string& name, const std::vector<std::filesystem::path>& roots);

// Names of the models in the roots, sorted, without duplicates.
std::vector<std::string> list_models(const std::vector<std::filesystem::path>& roots);

// Every file exists and hashes to its digest. Error: kNotFound or kCorrupt, one line per missing or wrong
// file.
Status verify_digests(const ModelManifest& manifest);

// BLAKE2b-256 over what decides pixels: family, sizes, heads, conditioning, VAE numbers, working space and
// the files' digests. It is the model digest of recipes and EXR headers; a copy under another name has the
// same one.
std::string model_digest(const ModelManifest& manifest);

}  // namespace rushes::config
