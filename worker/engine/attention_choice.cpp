#include "worker/engine/attention_choice.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <fstream>
#include <new>
#include <optional>
#include <set>

#include "config/exclusive_lock.h"
#include "config/model.h"
#include "config/yaml.h"
#include "kernels/cuda/cuda_device.h"
#include "storage/records/text.h"
#include "worker/model/safetensors.h"

namespace rushes::worker {
namespace {

namespace fs = std::filesystem;
using kernels::cuda::AttentionShape;
using kernels::cuda::AttentionTime;

constexpr std::size_t kMostChoices = 64, kMostShapes = 64;
constexpr std::size_t kLongestWord = 4000;
constexpr double kMostMs = 1e9;

struct Choice {
  std::string device, capability;              // which kind of GPU
  std::string driver, engines, build, shapes;  // what it was measured with
  double own_ms = 0, library_ms = 0;
  bool library = false;
  bool same_kind(const Choice& other) const {
    return device == other.device && capability == other.capability;
  }
};

// What a YAML text in double quotes holds without an escape.
std::string plain(std::string text) {
  text = one_line(text, kLongestWord);
  std::replace_if(
      text.begin(), text.end(), [](char c) { return c == '"' || c == '\\'; }, '?');
  return text;
}

std::string driver_text(kernels::cuda::DeviceApi& api) {
  int version = 0;
  (void)api.driver_version(&version);
  const std::string cuda =
      "CUDA " + std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10);
  std::string why;
  const kernels::cuda::NvmlApi* nvml = api.nvml(&why);
  std::array<char, 96> text{};
  if (nvml == nullptr || nvml->init() != 0 || nvml->driver_version(text.data(), text.size()) != 0)
    return cuda;
  return std::string(text.data()) + ", " + cuda;
}

std::string shapes_text(const std::vector<AttentionShape>& shapes) {
  std::string text;
  for (const AttentionShape& shape : shapes)
    text += (text.empty() ? "" : ", ") + kernels::cuda::to_string(shape);
  return text;
}

std::string times_text(const Choice& choice) {
  char text[120];
  std::snprintf(text, sizeof text, "cuDNN's takes %.4g ms and ours %.4g ms", choice.library_ms,
                choice.own_ms);
  return text;
}

const char* word_of(const Choice& choice) { return choice.library ? "library" : "own"; }

Result<std::vector<Choice>> read_choices(const fs::path& file) {
  const auto text = config::read_text(file);
  if (!text) return tl::unexpected(text.error());
  config::Problems problems(file.string());
  const config::YamlNode node = config::parse_yaml(*text, problems);
  if (!problems.empty()) return tl::unexpected(problems.error());
  std::vector<Choice> choices;
  config::Fields root(node, "", problems);
  root.find("version");
  root.list("choices", kMostChoices, "a list of choices",
            [&](const config::YamlNode& item, const std::string& path) {
              config::Fields fields(item, path, problems);
              Choice choice;
              const auto word = [&](const char* key, std::string& to) {
                if (fields.require(key, "what it was measured with")) fields.text(key, to, kLongestWord);
              };
              word("device", choice.device);
              word("capability", choice.capability);
              word("driver", choice.driver);
              word("engines", choice.engines);
              word("build", choice.build);
              word("shapes", choice.shapes);
              fields.number("own_ms", choice.own_ms, 0, kMostMs);
              fields.number("library_ms", choice.library_ms, 0, kMostMs);
              int index = 0;
              fields.require("attention", "own or library");
              if (fields.choice("attention", index, {"own", "library"})) choice.library = index == 1;
              fields.finish();
              choices.push_back(std::move(choice));
            });
  root.finish();
  if (!problems.empty()) return tl::unexpected(problems.error());
  return choices;
}

Status write_choices(const fs::path& file, const std::vector<Choice>& choices) {
  std::string text =
      "# Which attention each kind of GPU here computes faster, as rushes-worker measured it at its start.\n"
      "# It decides the numeric class. Without this file it is measured again.\n"
      "version: 1\nchoices:\n";
  for (const Choice& choice : choices) {
    const auto line = [&](const char* key, const std::string& value) {
      text += std::string("    ") + key + ": \"" + value + "\"\n";
    };
    text += "  - device: \"" + choice.device + "\"\n";
    line("capability", choice.capability);
    line("driver", choice.driver);
    line("engines", choice.engines);
    line("build", choice.build);
    line("shapes", choice.shapes);
    char numbers[120];
    std::snprintf(numbers, sizeof numbers, "    own_ms: %.6f\n    library_ms: %.6f\n", choice.own_ms,
                  choice.library_ms);
    text += numbers + std::string("    attention: ") + word_of(choice) + "\n";
  }
  const fs::path fresh = fs::path(file) += ".new";
  std::ofstream stream(fresh, std::ios::trunc);
  stream << text;
  stream.close();
  std::error_code error;
  if (stream) fs::rename(fresh, file, error);
  if (!stream || error) return fail(ErrorKind::kExhausted, file.string() + ": cannot be written");
  return {};
}

// Empty: it was measured with the same.
std::string difference(const Choice& stored, const Choice& here) {
  const auto differs = [](const char* what, const std::string& a, const std::string& b) {
    return a == b ? std::string() : std::string(what) + " " + a + ", here is " + b;
  };
  for (const auto& [what, a, b] :
       {std::tuple("driver", &stored.driver, &here.driver),
        std::tuple("engines", &stored.engines, &here.engines),
        std::tuple("build", &stored.build, &here.build), std::tuple("shapes", &stored.shapes, &here.shapes)})
    if (std::string text = differs(what, *a, *b); !text.empty()) return text;
  return "";
}

// Stored choices of other kinds of GPU stay; what was measured anew takes the place of its kind's.
class Chooser {
 public:
  Chooser(kernels::cuda::DeviceApi& api, int device, const std::vector<AttentionShape>& shapes,
          const fs::path& folder, const std::string& build)
      : api_(api),
        device_(device),
        shapes_(shapes),
        file_(folder / "attention.yaml"),
        lock_(::open((folder / "attention.lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666)) {
    const auto opened = kernels::cuda::CudaDevice::open(&api, device);
    here_.device = plain(opened->info().name);
    here_.capability = std::to_string(opened->info().major) + "." + std::to_string(opened->info().minor);
    here_.driver = plain(driver_text(api));
    here_.engines = plain(opened->engines());
    here_.build = plain(build);
    here_.shapes = plain(shapes_text(shapes));
  }

  AttentionChoice choose() {
    read();
    const auto known = std::find_if(choices_.begin(), choices_.end(),
                                    [&](const Choice& choice) { return choice.same_kind(here_); });
    if (known != choices_.end()) {
      const std::string other = difference(*known, here_);
      if (other.empty()) {
        note(word_of(*known) + std::string(", as measured at an earlier start: ") + times_text(*known) +
             " (" + file_.string() + ")");
        return {known->library, notes_};
      }
      note(file_.string() + " was measured with " + other + ": measured again");
      choices_.erase(known);
    }
    measure();
    return {here_.library, notes_};
  }

 private:
  void note(const std::string& text) { notes_.push_back("attention: " + text); }

  void read() {
    auto stored = read_choices(file_);
    if (stored)
      choices_ = std::move(*stored);
    else if (stored.error().kind != ErrorKind::kNotFound)
      note("what was measured before cannot be read, so it is measured again: " +
           one_line(stored.error().message.substr(0, stored.error().message.find('\n')), 300));
  }

  void measure() {
    const std::vector<AttentionTime> times = kernels::cuda::time_attention(&api_, device_, shapes_);
    if (std::none_of(times.begin(), times.end(), [](const AttentionTime& t) { return t.library_takes; }))
      return note("own: " + here_.engines + ": the library takes none of " + here_.shapes);
    const kernels::cuda::AttentionTotals sum = kernels::cuda::totals(times);
    here_.own_ms = sum.own_ms, here_.library_ms = sum.library_ms;
    here_.library = sum.library_is_faster();
    if (choices_.size() >= kMostChoices) choices_.erase(choices_.begin());
    choices_.push_back(here_);
    const std::string found =
        times_text(here_) + " over " + here_.shapes + " (" + here_.device + ", driver " + here_.driver + ")";
    if (Status kept = write_choices(file_, choices_); !kept) {
      here_.library = false;  // the engines of one worker would choose each for itself
      return note("own, as the choice cannot be kept: " + kept.error().message + "; " + found);
    }
    note(word_of(here_) + std::string(": ") + found + "; kept in " + file_.string());
  }

  kernels::cuda::DeviceApi& api_;
  int device_;
  const std::vector<AttentionShape>& shapes_;
  fs::path file_;
  config::ExclusiveLock lock_;  // one engine of the folder measures at a time
  Choice here_;
  std::vector<Choice> choices_;
  std::vector<std::string> notes_;
};

void add_shapes(const config::ModelManifest& manifest, std::set<AttentionShape>& shapes) {
  if (manifest.head_dim != 64 && manifest.head_dim != 128) return;
  const auto found = manifest.files.find("transformer");
  if (found == manifest.files.end()) return;
  const auto file = TensorFile::open(found->second.path.string());
  if (!file) return;
  const StoredTensor* patch = file->find("patch_embedding.weight");
  if (patch == nullptr) patch = file->find("model.diffusion_model.patch_embedding.weight");
  if (patch == nullptr || patch->shape.size() != 5) return;
  const auto& p = patch->shape;  // [dim, channels, t, h, w]
  if (p[0] % manifest.head_dim != 0 || p[2] < 1 || p[3] < 1 || p[4] < 1) return;
  const std::int64_t frames = manifest.latent_frames(manifest.frames) / p[2],
                     rows = manifest.size.height / manifest.vae.stride[1] / p[3],
                     columns = manifest.size.width / manifest.vae.stride[2] / p[4];
  const std::int64_t tokens = std::clamp(frames * rows * columns, std::int64_t{1}, kMostTokens),
                     heads = p[0] / manifest.head_dim, width = manifest.head_dim;
  shapes.insert({heads, width, tokens, tokens});
  shapes.insert({heads, width, std::max<std::int64_t>(tokens / 4, 1), std::max<std::int64_t>(tokens / 4, 1)});
  if (manifest.text_len > 0) shapes.insert({heads, width, tokens, manifest.text_len});
}

}  // namespace

std::vector<AttentionShape> attention_shapes(const std::vector<fs::path>& roots) {
  std::set<AttentionShape> shapes;
  for (const std::string& name : config::list_models(roots))
    if (const auto manifest = config::find_model(name, roots)) add_shapes(*manifest, shapes);
  std::vector<AttentionShape> list(shapes.begin(), shapes.end());
  if (list.size() > kMostShapes) list.resize(kMostShapes);
  return list;
}

Result<AttentionChoice> choose_attention(config::Attention wanted, kernels::cuda::DeviceApi& api, int device,
                                         const std::vector<AttentionShape>& shapes, const fs::path& folder,
                                         const std::string& build) {
  if (wanted != config::Attention::kFastest)
    return AttentionChoice{wanted == config::Attention::kLibrary, {}};
  if (shapes.empty()) return AttentionChoice{};
  std::error_code ignored;
  fs::create_directories(folder, ignored);
  try {
    return Chooser(api, device, shapes, folder, build).choose();
  } catch (const kernels::cuda::DeviceFault& fault) {
    return fail(ErrorKind::kExhausted, fault.what());
  } catch (const std::bad_alloc&) {
    return AttentionChoice{false,
                           {"attention: own, as the GPU has no room to measure " + shapes_text(shapes)}};
  }
}

}  // namespace rushes::worker
