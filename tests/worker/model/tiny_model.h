// Models with random weights at toy sizes, for tests: the same numbers on every machine.
//
// write_tiny_model() makes a complete model folder (manifest, weights with the official names, tokenizer) in
// a few milliseconds, so that tests of the engine and the farm need no trained weights. Its pictures mean
// nothing.
//
// Thread contract: pure functions of their arguments.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "config/model.h"
#include "config/result.h"
#include "worker/model/safetensors.h"

namespace rushes::worker {

// Named tensors that grow one by one.
class RandomTensors {
 public:
  explicit RandomTensors(std::uint64_t seed) : state_(seed) {}
  // Uniform values around `centre` whose standard deviation is `deviation`.
  void add(const std::string& name, std::vector<std::int64_t> shape, double deviation, double centre = 0);
  // A linear layer or convolution, scaled so that values keep their size: NAME.weight and NAME.bias.
  void layer(const std::string& name, std::vector<std::int64_t> shape, bool bias = true);
  void set(const std::string& name, std::size_t at, float value) { tensors_.at(name).values.at(at) = value; }
  void drop(const std::string& name) { tensors_.erase(name); }
  bool has(const std::string& name) const { return tensors_.count(name) > 0; }
  std::vector<std::byte> bytes() const;  // a safetensors file
  TensorFile file(const std::string& label = "random") const;

 private:
  struct Entry {
    std::vector<std::int64_t> shape;
    std::vector<float> values;
  };
  double uniform();
  std::uint64_t state_;
  std::map<std::string, Entry> tensors_;
};

struct TinyTransformer {
  std::int64_t dim = 32, ffn_dim = 48, layers = 2, in_dim = 4, out_dim = 4, text_dim = 16, image_dim = 0;
  int vace_blocks = 0;
};
RandomTensors random_transformer(const TinyTransformer& sizes, std::uint64_t seed = 1);

struct TinyVae {
  bool patchified = true;  // the 2.2 form
  std::int64_t dim = 4, decoder_dim = 4, z = 4;
  int blocks = 2;
};
RandomTensors random_vae(const TinyVae& sizes, std::uint64_t seed = 2);

struct TinyText {
  std::int64_t vocabulary = 96, dim = 16, ffn_dim = 24, heads = 2, layers = 2;
};
RandomTensors random_text_encoder(const TinyText& sizes, std::uint64_t seed = 3);

// A folder of this process's own, removed with the object.
class TestFolder {
 public:
  TestFolder();
  ~TestFolder();
  TestFolder(const TestFolder&) = delete;
  TestFolder& operator=(const TestFolder&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

struct TinyModel {
  int frames = 9;                     // of a window, at 24 fps
  config::FrameSize size = {32, 32};  // multiples of 32, of 16 for kWan21
  config::VaeForm form = config::VaeForm::kWan22;
  int head_dim = 16;  // of the transformer's two heads
  // A layer whose keys have two channels of hundreds, which its queries have not: no score needs them, and in 8 bits they
  // leave nothing of the others. -1: none.
  int ruined_layer = -1;
  // A layer whose feed-forward has a channel that is always zero, and weights of a million for it. -1: none.
  int ruined_products = -1;
};

// FOLDER/model.yaml and its files, named after the folder: VAE stride 4x16x16 (kWan22) or 4x8x8 (kWan21) with 4
// latent channels, mask and condition channels. The whole frame is delivered.
Result<config::ModelManifest> write_tiny_model(const std::filesystem::path& folder,
                                               const TinyModel& model = {});

}  // namespace rushes::worker
