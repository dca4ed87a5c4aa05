// rushes-bench tabletop: how often the shipped model shows what the caption says.
//
// Held-out captions come from scene seeds that training never used; --prompts reads captions from a file and
// their truth through the grammar. --truth measures the analysers themselves on rendered clips; --clips
// measures clips that something else made (the format of tabletop-clips).
#include <chrono>
#include <fstream>
#include <iostream>
#include <optional>
#include <vector>

#include "config/command_line.h"
#include "tools/bench/bench.h"
#include "tools/bench/tabletop_engine.h"
#include "tools/bench/tabletop_score.h"
#include "tools/train/scene/sheet.h"

namespace rushes::bench {
namespace {

constexpr std::uint64_t kHeldOut = 900'000'000;  // training uses scene seeds below 100 million

struct Options {
  std::string model = "config/models/tabletop/model.yaml", prompts, clips, sheet;
  int count = 200, threads = 0, frames = 33, steps = 0;
  double guidance = 0, shift = 0;
  std::uint64_t seed = 1;
  bool json = false, truth = false, verbose = false;
};

Result<std::vector<std::string>> read_prompts(const Options& options) {
  std::vector<std::string> prompts;
  if (options.prompts.empty()) {
    for (int i = 0; i < options.count; ++i) {
      scene::Random random(kHeldOut + static_cast<std::uint64_t>(i));
      const scene::Scene made = scene::random_scene(random);
      prompts.push_back(scene::caption(made, random, scene::Detail::kFull));
    }
    return prompts;
  }
  std::ifstream file(options.prompts);
  if (!file) return fail(ErrorKind::kNotFound, options.prompts + ": cannot read the file of prompts");
  int number = 0;
  for (std::string line; std::getline(file, line);) {
    ++number;
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    const scene::Stated stated = scene::parse_caption(line);
    if (!stated.shape && !stated.colour && !stated.light) {
      return fail(ErrorKind::kInvalid,
                  options.prompts + ":" + std::to_string(number) +
                      ": expected a caption of the grammar (a light, a colour or a shape), found \"" +
                      line.substr(0, 60) + "\"");
    }
    prompts.push_back(line);
  }
  if (prompts.empty()) return fail(ErrorKind::kInvalid, options.prompts + ": no captions in it");
  return prompts;
}

// Clips with their captions, one at a time, from the engine, the renderer or a file.
class Source {
 public:
  virtual ~Source() = default;
  virtual Result<std::optional<std::pair<std::string, scene::Clip>>> next() = 0;
};

class EngineSource : public Source {
 public:
  EngineSource(std::unique_ptr<TabletopEngine> engine, std::vector<std::string> prompts, std::uint64_t seed)
      : engine_(std::move(engine)), prompts_(std::move(prompts)), seed_(seed) {}
  Result<std::optional<std::pair<std::string, scene::Clip>>> next() override {
    if (at_ == prompts_.size()) return std::nullopt;
    const std::string& caption = prompts_[at_];
    auto clip = engine_->make(caption, seed_ + at_++);
    if (!clip) return tl::unexpected(clip.error());
    return std::make_pair(caption, std::move(*clip));
  }

 private:
  std::unique_ptr<TabletopEngine> engine_;
  std::vector<std::string> prompts_;
  std::uint64_t seed_;
  std::size_t at_ = 0;
};

class TruthSource : public Source {
 public:
  explicit TruthSource(int count) : count_(count) {}
  Result<std::optional<std::pair<std::string, scene::Clip>>> next() override {
    if (at_ == count_) return std::nullopt;
    scene::Random random(kHeldOut + static_cast<std::uint64_t>(at_++));
    const scene::Scene made = scene::random_scene(random);
    const std::string caption = scene::caption(made, random, scene::Detail::kFull);
    return std::make_pair(caption, scene::render(made, 33, scene::View::whole(160, 96)));
  }

 private:
  int count_, at_ = 0;
};

class FileSource : public Source {
 public:
  FileSource(const std::string& path, int frames)
      : path_(path), data_(path, std::ios::binary), lines_(path + ".jsonl"), frames_(frames) {}
  Result<std::optional<std::pair<std::string, scene::Clip>>> next() override {
    if (!data_ || !lines_)
      return fail(ErrorKind::kNotFound, path_ + ": cannot read the clips or " + path_ + ".jsonl");
    std::string line;
    if (!std::getline(lines_, line)) return std::nullopt;
    const auto info = nlohmann::json::parse(line, nullptr, false);
    if (!info.is_object() || !info.contains("full") || !info["full"].is_string()) {
      return fail(ErrorKind::kCorrupt, path_ + ".jsonl: expected a line with a caption under \"full\"");
    }
    scene::Clip clip{frames_, 96, 160, {}};
    clip.light.resize(static_cast<std::size_t>(frames_) * 96 * 160 * 3);
    std::vector<std::uint16_t> codes(clip.light.size());
    const auto bytes = static_cast<std::streamsize>(2 * codes.size());
    if (!data_.read(reinterpret_cast<char*>(codes.data()), bytes)) {
      return fail(ErrorKind::kCorrupt, path_ + ": ends before its last clip; is --frames right?");
    }
    for (std::size_t i = 0; i < codes.size(); ++i) clip.light[i] = scene::acescct_decode(codes[i] / 65535.0f);
    return std::make_pair(info["full"].get<std::string>(), std::move(clip));
  }

 private:
  std::string path_;
  std::ifstream data_, lines_;
  int frames_;
};

Result<std::unique_ptr<Source>> open_source(const Options& options) {
  if (options.truth) return std::make_unique<TruthSource>(options.count);
  if (!options.clips.empty()) return std::make_unique<FileSource>(options.clips, options.frames);
  auto prompts = read_prompts(options);
  if (!prompts) return tl::unexpected(prompts.error());
  auto engine = TabletopEngine::open(options.model, options.threads);
  if (!engine) return tl::unexpected(engine.error());
  config::Sampling& sampling = (*engine)->sampling();
  if (options.steps > 0) sampling.steps = options.steps;
  if (options.guidance > 0) sampling.guidance = options.guidance;
  if (options.shift > 0) sampling.shift = options.shift;
  return std::make_unique<EngineSource>(std::move(*engine), std::move(*prompts), options.seed);
}

Status measure(const Options& options) {
  auto source = open_source(options);
  if (!source) return tl::unexpected(source.error());
  const scene::Analyser analyser;
  Score score;
  scene::Sheet sheet(9, 160, 96);
  int clips = 0;
  const auto begin = std::chrono::steady_clock::now();
  for (;;) {
    auto made = (*source)->next();
    if (!made) return tl::unexpected(made.error());
    if (!*made) break;
    const auto& [caption, clip] = **made;
    const std::string wrong = score.add(scene::parse_caption(caption), analyser.analyse(clip));
    if (options.verbose)
      std::cerr << ++clips << ". " << caption << (wrong.empty() ? ": right" : ": " + wrong) << "\n";
    else
      ++clips;
    if (!options.sheet.empty() && clips <= 45) {
      for (const int frame : {0, clip.frames / 2, clip.frames - 1}) sheet.add(clip, frame);
    }
  }
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  if (!options.sheet.empty()) {
    if (const auto written = sheet.write(options.sheet); !written) return written;
  }
  if (options.json) {
    const nlohmann::json out = {
        {"bench", "tabletop"}, {"clips", clips}, {"seconds", seconds}, {"attributes", score.json()}};
    std::cout << out.dump(2) << "\n";
  } else {
    std::cout << clips << " clips in " << static_cast<int>(seconds) << " s\n" << score.table();
  }
  return {};
}

}  // namespace

int bench_tabletop(int argc, char** argv) {
  Options options;
  config::CommandLine app{"Renders captions with the shipped model and measures what the clips show.",
                          "rushes-bench tabletop"};
  app.option("--prompts", options.prompts, "captions, one a line (default: 200 held-out ones)");
  app.option("--count", options.count, "how many held-out captions").between(1, 100000);
  app.option("--model", options.model, "model.yaml of the model");
  app.option("--seed", options.seed, "seed of the first clip's noise");
  app.option("--steps", options.steps, "denoise steps instead of the manifest's").between(1, 200);
  app.option("--guidance", options.guidance, "guidance instead of the manifest's").between(1.0, 30.0);
  app.option("--shift", options.shift, "flow shift instead of the manifest's").between(0.1, 100.0);
  app.option("--threads", options.threads, "threads of the engine (0: all)").between(0, 256);
  app.flag("--truth", options.truth, "measure the analysers on rendered ground truth instead of the model");
  app.option("--clips", options.clips, "measure the clips of this file (format of tabletop-clips)");
  app.option("--frames", options.frames, "frames per clip of --clips").between(2, 1000);
  app.option("--sheet", options.sheet, "PNG with the first 45 clips: first, middle and last frame");
  app.flag("--json", options.json, "machine-readable result");
  app.flag("--verbose", options.verbose, "one line per clip on stderr");
  if (const auto code = app.parse(argc, argv)) return *code;
  if (const auto done = measure(options); !done) {
    std::cerr << "rushes-bench tabletop: " << done.error().message << "\n";
    return static_cast<int>(exit_code(done.error().kind));
  }
  return 0;
}

}  // namespace rushes::bench
