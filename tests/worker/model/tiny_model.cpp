#include "tests/worker/model/tiny_model.h"

#include <sentencepiece_trainer.h>

#include <cmath>
#include <cstdlib>
#include <fstream>
#include <span>
#include <sstream>
#include <stdexcept>
#include <unordered_map>

#include "config/digest.h"

namespace rushes::worker {

TestFolder::TestFolder() {
  std::string name = (std::filesystem::temp_directory_path() / "rushes-test-XXXXXX").string();
  if (!::mkdtemp(name.data())) throw std::runtime_error("cannot make a folder like " + name);
  path_ = name;
}

TestFolder::~TestFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

// SplitMix64 (Steele, Lea and Flood 2014): one multiply-xorshift chain per number.
double RandomTensors::uniform() {
  std::uint64_t z = state_ += 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return static_cast<double>((z ^ (z >> 31)) >> 11) * 0x1p-53;
}

void RandomTensors::add(const std::string& name, std::vector<std::int64_t> shape, double deviation,
                        double centre) {
  Entry entry{std::move(shape), {}};
  std::int64_t count = 1;
  for (std::int64_t extent : entry.shape) count *= extent;
  for (std::int64_t i = 0; i < count; ++i)
    entry.values.push_back(static_cast<float>(centre + (uniform() * 2 - 1) * std::sqrt(3.0) * deviation));
  tensors_[name] = std::move(entry);
}

void RandomTensors::layer(const std::string& name, std::vector<std::int64_t> shape, bool bias) {
  double inputs = 1;
  for (std::size_t i = 1; i < shape.size(); ++i) inputs *= static_cast<double>(shape[i]);
  const std::int64_t out = shape[0];
  add(name + ".weight", std::move(shape), 1 / std::sqrt(inputs));
  if (bias) add(name + ".bias", {out}, 0.1);
}

std::vector<std::byte> RandomTensors::bytes() const {
  std::vector<TensorToWrite> tensors;
  for (const auto& [name, entry] : tensors_) tensors.push_back(float_tensor(name, entry.shape, entry.values));
  return *write_tensors(std::move(tensors), {});
}

TensorFile RandomTensors::file(const std::string& label) const {
  return *TensorFile::from_bytes(bytes(), label);
}

namespace {

void block(RandomTensors& t, const std::string& prefix, const TinyTransformer& s) {
  t.add(prefix + "modulation", {1, 6, s.dim}, 0.3);
  for (const char* part : {"self_attn.", "cross_attn."}) {
    for (const char* name : {"q", "k", "v", "o"}) t.layer(prefix + part + name, {s.dim, s.dim});
    for (const char* name : {"norm_q.weight", "norm_k.weight"}) t.add(prefix + part + name, {s.dim}, 0.1, 1);
  }
  if (s.image_dim) {
    for (const char* name : {"k_img", "v_img"}) t.layer(prefix + "cross_attn." + name, {s.dim, s.dim});
    t.add(prefix + "cross_attn.norm_k_img.weight", {s.dim}, 0.1, 1);
  }
  t.add(prefix + "norm3.weight", {s.dim}, 0.1, 1);
  t.add(prefix + "norm3.bias", {s.dim}, 0.1);
  t.layer(prefix + "ffn.0", {s.ffn_dim, s.dim});
  t.layer(prefix + "ffn.2", {s.dim, s.ffn_dim});
}

}  // namespace

RandomTensors random_transformer(const TinyTransformer& s, std::uint64_t seed) {
  RandomTensors t(seed);
  t.layer("patch_embedding", {s.dim, s.in_dim, 1, 2, 2});
  t.layer("text_embedding.0", {s.dim, s.text_dim});
  t.layer("text_embedding.2", {s.dim, s.dim});
  t.layer("time_embedding.0", {s.dim, 256});
  t.layer("time_embedding.2", {s.dim, s.dim});
  t.layer("time_projection.1", {6 * s.dim, s.dim});
  for (std::int64_t i = 0; i < s.layers; ++i) block(t, "blocks." + std::to_string(i) + ".", s);
  t.add("head.modulation", {1, 2, s.dim}, 0.3);
  t.layer("head.head", {s.out_dim * 4, s.dim});
  if (s.image_dim) {
    t.add("img_emb.proj.0.weight", {s.image_dim}, 0.1, 1);
    t.add("img_emb.proj.0.bias", {s.image_dim}, 0.1);
    t.layer("img_emb.proj.1", {s.image_dim, s.image_dim});
    t.layer("img_emb.proj.3", {s.dim, s.image_dim});
    t.add("img_emb.proj.4.weight", {s.dim}, 0.1, 1);
    t.add("img_emb.proj.4.bias", {s.dim}, 0.1);
  }
  if (s.vace_blocks) t.layer("vace_patch_embedding", {s.dim, 6, 1, 2, 2});
  for (int i = 0; i < s.vace_blocks; ++i) {
    const std::string prefix = "vace_blocks." + std::to_string(i) + ".";
    block(t, prefix, s);
    if (i == 0) t.layer(prefix + "before_proj", {s.dim, s.dim});
    t.layer(prefix + "after_proj", {s.dim, s.dim});
  }
  return t;
}

namespace {

void residual(RandomTensors& t, const std::string& prefix, std::int64_t in, std::int64_t out) {
  t.add(prefix + "residual.0.gamma", {in, 1, 1, 1}, 0.1, 1);
  t.layer(prefix + "residual.2", {out, in, 3, 3, 3});
  t.add(prefix + "residual.3.gamma", {out, 1, 1, 1}, 0.1, 1);
  t.layer(prefix + "residual.6", {out, out, 3, 3, 3});
  if (in != out) t.layer(prefix + "shortcut", {out, in, 1, 1, 1});
}

void middle(RandomTensors& t, const std::string& prefix, std::int64_t c) {
  residual(t, prefix + "0.", c, c);
  t.add(prefix + "1.norm.gamma", {c, 1, 1}, 0.1, 1);
  t.layer(prefix + "1.to_qkv", {3 * c, c, 1, 1});
  t.layer(prefix + "1.proj", {c, c, 1, 1});
  residual(t, prefix + "2.", c, c);
}

// Encoder or decoder levels with the official widths: multiples 1, 2, 4, 4 going down, the reverse going up.
std::int64_t levels(RandomTensors& t, const TinyVae& s, bool down) {
  const std::int64_t base = down ? s.dim : s.decoder_dim;
  const std::vector<std::int64_t> widths =
      down ? std::vector<std::int64_t>{1, 1, 2, 4, 4} : std::vector<std::int64_t>{4, 4, 4, 2, 1};
  const std::string name = down ? "downsamples" : "upsamples",
                    prefix = (down ? "encoder." : "decoder.") + name + ".";
  int flat = 0;
  std::int64_t width = base * widths[0];
  for (int level = 0; level < 4; ++level) {
    int inner = 0;
    const auto next = [&] {
      return s.patchified ? prefix + std::to_string(level) + "." + name + "." + std::to_string(inner++) + "."
                          : prefix + std::to_string(flat++) + ".";
    };
    const std::int64_t out = base * widths[static_cast<std::size_t>(level) + 1];
    for (int i = 0; i < (down ? s.blocks : s.blocks + 1); ++i) {
      residual(t, next(), width, out);
      width = out;
    }
    if (level == 3) continue;
    const std::string at = next();
    const bool time = down ? level > 0 : level < 2;
    if (time) t.layer(at + "time_conv", {down ? width : 2 * width, width, 3, 1, 1});
    const std::int64_t after = down || s.patchified ? width : width / 2;  // only 2.1's decoder narrows here
    t.layer(at + "resample.1", {after, width, 3, 3});
    width = after;
  }
  return width;
}

}  // namespace

RandomTensors random_vae(const TinyVae& s, std::uint64_t seed) {
  RandomTensors t(seed);
  const std::int64_t pixels = s.patchified ? 12 : 3;
  t.layer("encoder.conv1", {s.dim, pixels, 3, 3, 3});
  const std::int64_t deep = levels(t, s, true);
  middle(t, "encoder.middle.", deep);
  t.add("encoder.head.0.gamma", {deep, 1, 1, 1}, 0.1, 1);
  t.layer("encoder.head.2", {2 * s.z, deep, 3, 3, 3});
  t.layer("conv1", {2 * s.z, 2 * s.z, 1, 1, 1});
  t.layer("conv2", {s.z, s.z, 1, 1, 1});
  t.layer("decoder.conv1", {4 * s.decoder_dim, s.z, 3, 3, 3});
  middle(t, "decoder.middle.", 4 * s.decoder_dim);
  const std::int64_t wide = levels(t, s, false);
  t.add("decoder.head.0.gamma", {wide, 1, 1, 1}, 0.1, 1);
  t.layer("decoder.head.2", {pixels, wide, 3, 3, 3});
  return t;
}

RandomTensors random_text_encoder(const TinyText& s, std::uint64_t seed) {
  RandomTensors t(seed);
  t.add("token_embedding.weight", {s.vocabulary, s.dim}, 1);
  t.add("norm.weight", {s.dim}, 0.1, 1);
  for (std::int64_t i = 0; i < s.layers; ++i) {
    const std::string prefix = "blocks." + std::to_string(i) + ".";
    t.add(prefix + "norm1.weight", {s.dim}, 0.1, 1);
    t.add(prefix + "norm2.weight", {s.dim}, 0.1, 1);
    for (const char* name : {"attn.q", "attn.k", "attn.v", "attn.o"})
      t.layer(prefix + name, {s.dim, s.dim}, false);
    t.layer(prefix + "ffn.gate.0", {s.ffn_dim, s.dim}, false);
    t.layer(prefix + "ffn.fc1", {s.ffn_dim, s.dim}, false);
    t.layer(prefix + "ffn.fc2", {s.dim, s.ffn_dim}, false);
    t.add(prefix + "pos_embedding.embedding.weight", {32, s.heads}, 0.3);
  }
  return t;
}

namespace {

class Sentences final : public sentencepiece::SentenceIterator {
 public:
  explicit Sentences(std::vector<std::string> sentences) : sentences_(std::move(sentences)) {}
  bool done() const override { return at_ == sentences_.size(); }
  void Next() override { ++at_; }
  const std::string& value() const override { return sentences_[at_]; }
  sentencepiece::util::Status status() const override { return {}; }

 private:
  std::vector<std::string> sentences_;
  std::size_t at_ = 0;
};

Status write_bytes(const std::filesystem::path& path, const std::vector<std::byte>& bytes) {
  std::ofstream out(path, std::ios::binary);
  out.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  if (!out.flush()) return fail(ErrorKind::kExhausted, path.string() + ": cannot write");
  return {};
}

// Trained in memory, so that the file does not depend on where it is written.
Status train_tokenizer(const std::filesystem::path& path) {
  Sentences sentences({"a red ball rolls to the right on a table at night",
                       "a blue metal cube stands still by day",
                       "the camera pans left over a green glowing cone at dusk",
                       "two matte cylinders move towards each other"});
  std::string model;
  const std::unordered_map<std::string, std::string> options = {
      {"vocab_size", "64"}, {"model_type", "bpe"}, {"pad_id", "0"},      {"eos_id", "1"},
      {"unk_id", "2"},      {"bos_id", "-1"},      {"minloglevel", "2"}, {"hard_vocab_limit", "false"}};
  const auto status = sentencepiece::SentencePieceTrainer::Train(options, &sentences, &model);
  if (!status.ok()) return fail(ErrorKind::kInternal, "tokenizer: " + status.ToString());
  const auto bytes = std::as_bytes(std::span(model));
  return write_bytes(path, {bytes.begin(), bytes.end()});
}

}  // namespace

namespace {

// Channels 0 and 1 of both heads, a pair that is rotated together.
void ruin(RandomTensors& t, int layer, int head_dim) {
  const std::string prefix = "blocks." + std::to_string(layer) + ".self_attn.";
  for (const int head : {0, 1})
    for (const int channel : {0, 1}) {
      const auto at = static_cast<std::size_t>(head * head_dim + channel);
      t.set(prefix + "norm_q.weight", at, 0.0f);
      t.set(prefix + "norm_k.weight", at, 400.0f);
    }
}

void ruin_products(RandomTensors& t, int layer, std::size_t dim, std::size_t ffn_dim) {
  const std::string prefix = "blocks." + std::to_string(layer) + ".ffn.";
  t.set(prefix + "0.bias", 0, -1e4f);
  for (std::size_t row = 0; row < dim; ++row) t.set(prefix + "2.weight", row * ffn_dim, 1e6f);
}

}  // namespace

Result<config::ModelManifest> write_tiny_model(const std::filesystem::path& folder, const TinyModel& model) {
  std::filesystem::create_directories(folder);
  constexpr std::int64_t kChannels = 4;
  const bool patchified = model.form == config::VaeForm::kWan22;
  const std::string size =
      "{width: " + std::to_string(model.size.width) + ", height: " + std::to_string(model.size.height) + "}";
  constexpr std::int64_t kFfnDim = 48;
  RandomTensors transformer =
      random_transformer({2 * model.head_dim, kFfnDim, 2, 2 * kChannels + 4, kChannels, 16, 0, 0});
  if (model.ruined_layer >= 0) ruin(transformer, model.ruined_layer, model.head_dim);
  if (model.ruined_products >= 0)
    ruin_products(transformer, model.ruined_products, static_cast<std::size_t>(2 * model.head_dim), kFfnDim);
  const std::map<std::string, RandomTensors> weights = {
      {"transformer", std::move(transformer)},
      {"text_encoder", random_text_encoder({})},
      {"vae", random_vae({patchified, 4, 4, kChannels, 1})}};
  for (const auto& [name, tensors] : weights)
    if (auto ok = write_bytes(folder / (name + ".safetensors"), tensors.bytes()); !ok)
      return tl::unexpected(ok.error());
  if (auto ok = train_tokenizer(folder / "tokenizer.model"); !ok) return tl::unexpected(ok.error());

  std::ostringstream yaml;
  yaml << "version: 1\nname: " << folder.filename().string()
       << "\nfamily: wan\nlicence: Apache-2.0\nfiles:\n";
  for (const std::string role : {"transformer", "text_encoder", "tokenizer", "vae"}) {
    const std::string file = role + (role == "tokenizer" ? ".model" : ".safetensors");
    auto digest = config::file_digest(folder / file);
    if (!digest) return tl::unexpected(digest.error());
    yaml << "  " << role << ": {path: " << file << ", digest: \"" << *digest << "\"}\n";
  }
  yaml << "fps: 24\nframes: " << model.frames << "\nsize: " << size << "\ndeliver: " << size
       << "\nhead_dim: " << model.head_dim
       << "\ntext_len: 12\ntext_heads: 2\nconditioning: i2v\nvae: {form: " << config::to_string(model.form)
       << ", stride: " << (patchified ? "[4, 16, 16]" : "[4, 8, 8]")
       << ", mean: [0.1, -0.2, 0.3, 0], std: [1.1, 0.9, 1.0, 1.2]}\n"
          "working_space: acescct\nsampling:\n"
          "  draft:  {sampler: unipc, steps: 3, shift: 3.0, guidance: 2.0}\n"
          "  master: {sampler: euler, steps: 2, shift: 3.0, guidance: 1.0, start_sigma: 0.4}\n"
          "negative_prompt: \"\"\n";
  std::ofstream(folder / "model.yaml") << yaml.str();
  return config::read_model(folder / "model.yaml");
}

}  // namespace rushes::worker
