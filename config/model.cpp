#include "config/model.h"

#include <algorithm>
#include <cstdio>
#include <set>

#include "config/limits.h"
#include "config/read_sampling.h"
#include "config/yaml.h"

namespace rushes::config {
namespace {

constexpr std::array<std::string_view, 3> kSpaces{"acescct", "logc3", "srgb"};
constexpr std::array<std::string_view, 2> kForms{"wan2.1", "wan2.2"};
constexpr std::array<std::string_view, 2> kConditionings{"none", "i2v"};
constexpr std::size_t kMaxWordLists = 32, kMaxWords = 2000;  // of a vocabulary; words of one list
constexpr int kPatch = 2;  // the Wan transformer joins 2x2 latents to one token

std::vector<std::string> words(const auto& views) { return {views.begin(), views.end()}; }

void read_size(Fields& fields, const char* key, int least, FrameSize& out) {
  fields.map(key, [&](Fields& size) {
    size.require("width", "a width in pixels");
    size.require("height", "a height in pixels");
    size.integer("width", out.width, least, kMaxPictureSide);
    size.integer("height", out.height, least, kMaxPictureSide);
  });
}

void read_files(Fields& root, ModelManifest& model) {
  root.require("files", "a map with transformer, text_encoder, tokenizer and vae");
  root.map("files", [&](Fields& files) {
    for (const char* part : {"transformer", "text_encoder", "tokenizer", "vae"}) {
      files.require(part, "{path: FILE, digest: \"blake2b-256:<64 hex>\"}");
      files.map(part, [&](Fields& entry) {
        ModelFile file;
        entry.require("path", "a path relative to this file");
        entry.require("digest", "\"blake2b-256:<64 hex>\" of the file");
        entry.path("path", file.path, model.folder);
        if (entry.text("digest", file.digest, 100) && !is_digest(file.digest))
          entry.problem("digest",
                        mismatch("\"blake2b-256:\" and 64 lower-case hex digits", *entry.find("digest")));
        model.files[part] = file;
      });
    }
  });
}

void read_numbers(Fields& fields, const char* key, std::vector<double>& out, double min, double max) {
  fields.require(key, "a list with one number per latent channel");
  fields.list(key, 1024, "a list with one number per latent channel",
              [&](const YamlNode& item, const std::string& path) {
                double value = 0;
                const Reading reading = read_number(item, value, min, max);
                if (!reading.ok) fields.problems().add(item, path, mismatch(reading.expected, item));
                out.push_back(value);
              });
}

void read_stride(Fields& vae, std::array<int, 3>& stride) {
  const char* expected = "[frames, rows, columns] per latent such as [4, 16, 16]";
  vae.require("stride", expected);
  std::vector<std::int64_t> values;
  vae.list("stride", 3, expected, [&](const YamlNode& item, const std::string& path) {
    std::int64_t value = 1;
    const Reading reading = read_integer(item, value, 1, 64);
    if (!reading.ok) vae.problems().add(item, path, mismatch(reading.expected, item));
    values.push_back(value);
  });
  const YamlNode* node = vae.find("stride");
  if (values.size() == 3)
    std::copy(values.begin(), values.end(), stride.begin());
  else if (node != nullptr && node->kind == YamlNode::Kind::kList && node->items.size() < 3)
    vae.problem("stride", std::string("expected ") + expected + ", found " + std::to_string(values.size()) +
                              " numbers");
}

void read_vae(Fields& root, VaeSpec& spec) {
  root.require("vae", "a map with form, stride, mean and std");
  root.map("vae", [&](Fields& vae) {
    int form = 0;
    vae.require("form", "wan2.1 or wan2.2");
    if (vae.choice("form", form, words(kForms))) spec.form = static_cast<VaeForm>(form);
    read_stride(vae, spec.stride);
    read_numbers(vae, "mean", spec.mean, -1e3, 1e3);
    read_numbers(vae, "std", spec.std, 1e-6, 1e3);
    if (spec.mean.size() != spec.std.size() || spec.mean.empty())
      vae.problem("std", "expected as many numbers as in mean (" + std::to_string(spec.mean.size()) +
                             "), found " + std::to_string(spec.std.size()));
  });
}

void read_sampling(Fields& root, ModelManifest& model) {
  root.require("sampling", "a map with draft and master");
  root.map("sampling", [&](Fields& sampling) {
    const auto read = [&](const char* key, Sampling& out) {
      sampling.require(key, "{sampler: euler|unipc|dpmpp, steps: N, shift: X, guidance: X}");
      sampling.map(key, [&](Fields& fields) {
        for (const char* number : {"sampler", "steps", "shift", "guidance"})
          fields.require(number, "a value");
        SamplingChange change;
        read_sampling_change(fields, change);
        out = apply(out, change);
      });
    };
    read("draft", model.draft);
    read("master", model.master);
    if (model.draft.start_sigma != 1.0)
      sampling.problem("draft", "a draft starts from pure noise: start_sigma belongs to master");
  });
}

void check_sizes(Fields& root, const ModelManifest& model) {
  if (!root.problems().empty()) return;  // the numbers below would mislead
  if ((model.frames - 1) % model.vae.stride[0] != 0)
    root.problem("frames", "expected " + std::to_string(model.vae.stride[0]) +
                               "n+1 frames (VAE stride), such as " +
                               std::to_string(model.rendered_frames(model.frames)) + ", found " +
                               std::to_string(model.frames));
  const auto check = [&](int pixels, int stride, const char* side) {
    const int unit = stride * kPatch;
    if (pixels % unit != 0)
      root.problem("size", std::string("expected a ") + side + " that is a multiple of " +
                               std::to_string(unit) + " (VAE stride times patch), such as " +
                               std::to_string((pixels / unit + 1) * unit) + ", found " +
                               std::to_string(pixels));
  };
  check(model.size.width, model.vae.stride[2], "width");
  check(model.size.height, model.vae.stride[1], "height");
  const auto centred = [](int inner, int outer) { return inner <= outer && (outer - inner) % 2 == 0; };
  if (!centred(model.deliver.width, model.size.width) || !centred(model.deliver.height, model.size.height))
    root.problem("deliver",
                 "expected a centre crop of size: at most " + std::to_string(model.size.width) + "x" +
                     std::to_string(model.size.height) + " and an even number of pixels less, found " +
                     std::to_string(model.deliver.width) + "x" + std::to_string(model.deliver.height));
}

void read_words(Fields& root, const YamlEntry& entry, std::vector<WordList>& lists) {
  WordList list{entry.key.text, {}};
  const std::string path = "knows." + list.name;
  if (entry.value.kind != YamlNode::Kind::kList)
    return root.problems().add(entry.value, path, mismatch("a list of words", entry.value));
  if (entry.value.items.size() > kMaxWords)
    return root.problems().add(entry.value, path, "expected at most " + std::to_string(kMaxWords) + " words");
  for (const YamlNode& item : entry.value.items) {
    const bool is_word = item.kind == YamlNode::Kind::kScalar && !item.text.empty() &&
                         item.text.find_first_of(" ABCDEFGHIJKLMNOPQRSTUVWXYZ") == std::string::npos;
    if (!is_word)
      root.problems().add(item, path, mismatch("a word in lower case", item));
    else
      list.words.push_back(item.text);
  }
  lists.push_back(std::move(list));
}

void read_knows(Fields& root, ModelManifest& model) {
  const YamlNode* node = root.find("knows");
  if (node == nullptr) return;
  if (node->kind != YamlNode::Kind::kMap || node->entries.size() > kMaxWordLists)
    return root.problem(
        "knows", mismatch("a map of at most " + std::to_string(kMaxWordLists) + " lists of words", *node));
  for (const YamlEntry& entry : node->entries) read_words(root, entry, model.knows);
}

void read_memory(Fields& root, ModelMemory& memory) {
  root.map("memory", [&](Fields& fields) {
    memory.measured = true;
    const auto bytes = [&](const char* key, std::uint64_t& out, std::uint64_t most) {
      std::int64_t value = 0;
      fields.require(key, "a number of bytes, as rushes-worker --measure prints it");
      if (fields.integer(key, value, 0, static_cast<std::int64_t>(most)))
        out = static_cast<std::uint64_t>(value);
    };
    bytes("weights", memory.weights, kMaxModelMemory);
    bytes("step", memory.step, kMaxModelMemory);
    bytes("token", memory.token, kMaxLatentMemory);
    bytes("vae", memory.vae, kMaxModelMemory);
    bytes("box_latent", memory.box_latent, kMaxLatentMemory);
    bytes("frame_latent", memory.frame_latent, kMaxLatentMemory);
  });
}

void read_root(Fields& root, ModelManifest& model) {
  root.find("version");
  root.require("name", "the model's name");
  root.name("name", model.name);
  int index = 0;
  root.require("family", "wan");
  if (root.choice("family", index, {"wan"})) model.family = "wan";
  root.require("licence", "an SPDX licence name");
  root.text("licence", model.licence, 100);
  read_files(root, model);
  if (const YamlNode* fps = root.require("fps", "frames per second")) {
    if (const auto rate = parse_rate(fps->text))
      model.fps = *rate;
    else
      root.problem("fps", rate.error().message);
  }
  root.require("frames", "the native window length, 4n+1 frames");
  root.integer("frames", model.frames, 1, 1025);
  root.require("size", "{width: W, height: H}");
  read_size(root, "size", 1, model.size);
  model.deliver = model.size;
  read_size(root, "deliver", kMinDeliveredSide, model.deliver);
  for (const char* key : {"head_dim", "text_len", "text_heads"}) root.require(key, "a whole number");
  root.integer("head_dim", model.head_dim, 2, 1024);
  root.integer("text_len", model.text_len, 1, 8192);
  root.integer("text_heads", model.text_heads, 1, 1024);
  if (model.head_dim % 2 != 0)
    root.problem("head_dim", "expected an even number (rotary positions turn pairs), found " +
                                 std::to_string(model.head_dim));
  if (root.choice("conditioning", index, words(kConditionings)))
    model.conditioning = static_cast<Conditioning>(index);
  read_vae(root, model.vae);
  root.require("working_space", "acescct, logc3 or srgb");
  if (root.choice("working_space", index, words(kSpaces)))
    model.working_space = static_cast<WorkingSpace>(index);
  read_sampling(root, model);
  root.text("negative_prompt", model.negative_prompt);
  read_memory(root, model.memory);
  read_knows(root, model);
  check_sizes(root, model);
  root.finish();
}

std::string join(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

}  // namespace

std::string to_string(const ModelMemory& memory) {
  const auto entry = [](const char* key, std::uint64_t value) {
    return std::string(key) + ": " + std::to_string(value);
  };
  return "memory: {" + entry("weights", memory.weights) + ", " + entry("step", memory.step) + ", " +
         entry("token", memory.token) + ", " + entry("vae", memory.vae) + ", " +
         entry("box_latent", memory.box_latent) + ", " + entry("frame_latent", memory.frame_latent) + "}";
}

std::string_view to_string(WorkingSpace space) { return kSpaces[static_cast<std::size_t>(space)]; }
std::string_view to_string(VaeForm form) { return kForms[static_cast<std::size_t>(form)]; }
std::string_view to_string(Conditioning kind) { return kConditionings[static_cast<std::size_t>(kind)]; }

Result<ModelManifest> parse_model(std::string_view text, const std::filesystem::path& file) {
  Problems problems(file.string());
  const YamlNode root = parse_yaml(text, problems);
  if (!problems.empty()) return tl::unexpected(problems.error());
  ModelManifest model;
  model.folder = file.parent_path();
  Fields fields(root, "", problems);
  read_root(fields, model);
  if (!problems.empty()) return tl::unexpected(problems.error());
  return model;
}

Result<ModelManifest> read_model(const std::filesystem::path& file) {
  const auto text = read_text(file);
  if (!text) return tl::unexpected(text.error());
  return parse_model(*text, file);
}

std::vector<std::string> list_models(const std::vector<std::filesystem::path>& roots) {
  std::set<std::string> names;
  for (const auto& root : roots) {
    std::error_code code;
    for (std::filesystem::directory_iterator entry(root, code), end; !code && entry != end;
         entry.increment(code)) {
      std::error_code ignored;
      if (std::filesystem::is_regular_file(entry->path() / "model.yaml", ignored))
        names.insert(entry->path().filename().string());
    }
  }
  return {names.begin(), names.end()};
}

Result<ModelManifest> find_model(const std::string& name, const std::vector<std::filesystem::path>& roots) {
  const std::vector<std::string> known = list_models(roots);
  if (std::find(known.begin(), known.end(), name) == known.end()) {
    std::string message = "model '" + name + "' is in none of the model_roots";
    if (const std::string guess = nearest(name, known); !guess.empty())
      message += "; did you mean '" + guess + "'?";
    message +=
        known.empty() ? "; they hold no model at all (NAME/model.yaml)" : " (they hold " + join(known) + ")";
    return fail(ErrorKind::kNotFound, message);
  }
  for (const auto& root : roots) {
    const auto file = root / name / "model.yaml";
    std::error_code code;
    if (!std::filesystem::is_regular_file(file, code)) continue;
    auto model = read_model(file);
    if (model && model->name != name)
      return fail(ErrorKind::kInvalid, file.string() + ": name: expected '" + name +
                                           "' as the folder is called, found '" + model->name + "'");
    return model;
  }
  return fail(ErrorKind::kNotFound, "model '" + name + "' disappeared while it was read");
}

Status verify_digests(const ModelManifest& manifest) {
  std::string problems;
  ErrorKind kind = ErrorKind::kNotFound;
  const auto note = [&](const std::string& line) { problems += (problems.empty() ? "" : "\n") + line; };
  for (const auto& [part, file] : manifest.files) {
    const auto found = file_digest(file.path);
    if (!found) {
      note("model " + manifest.name + ": " + part + ": " + found.error().message);
    } else if (*found != file.digest) {
      kind = ErrorKind::kCorrupt;
      note("model " + manifest.name + ": " + part + ": " + file.path.string() + ": expected " + file.digest +
           ", found " + *found + "; fetch the file again or correct model.yaml");
    }
  }
  if (problems.empty()) return {};
  return fail(kind, problems);
}

std::string model_digest(const ModelManifest& model) {
  std::string text = "rushes model 1\n";
  const auto add = [&](std::string_view key, const std::string& value) {
    text += std::string(key) + "=" + value + "\n";
  };
  const auto numbers = [](const std::vector<double>& values) {
    std::string list;
    for (const double value : values) {
      std::array<char, 40> exact{};
      std::snprintf(exact.data(), exact.size(), "%a,", value);
      list += exact.data();
    }
    return list;
  };
  add("family", model.family);
  for (const auto& [part, file] : model.files) add(part, file.digest);
  add("frames", std::to_string(model.frames));
  add("size", std::to_string(model.size.width) + "x" + std::to_string(model.size.height));
  add("deliver", std::to_string(model.deliver.width) + "x" + std::to_string(model.deliver.height));
  add("head_dim", std::to_string(model.head_dim));
  add("text_len", std::to_string(model.text_len));
  add("text_heads", std::to_string(model.text_heads));
  add("conditioning", std::string(to_string(model.conditioning)));
  add("vae.form", std::string(to_string(model.vae.form)));
  for (const int stride : model.vae.stride) add("vae.stride", std::to_string(stride));
  add("vae.mean", numbers(model.vae.mean));
  add("vae.std", numbers(model.vae.std));
  add("working_space", std::string(to_string(model.working_space)));
  return text_digest(text);
}

}  // namespace rushes::config
