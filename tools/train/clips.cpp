// tabletop-clips: renders ground-truth clips of Tabletop for training and for looking at.
//
// Writes FILE (raw little-endian array [clip][frame][row][column][r, g, b] of uint16, ACEScct code * 65535,
// AP1) and FILE.jsonl (one line per clip: caption, full caption, attributes). Clip i of seed A is the scene
// of seed A + i.
#include <algorithm>
#include <atomic>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <thread>

#include "config/command_line.h"
#include "tools/train/scene/grammar.h"
#include "tools/train/scene/render.h"
#include "tools/train/scene/sheet.h"

namespace {

using namespace rushes::scene;

struct Options {
  std::uint64_t seed = 0;
  int count = 16, width = 160, height = 96, frames = 33, threads = 1, columns = 8;
  bool textures = false;
  int crop_width = 0, crop_height = 0;  // a random part of the picture, aligned to 16 pixels; 0: the whole
  std::string out, sheet;
};

struct Made {
  Scene scene;
  View view;
  std::string casual, full;
};

Made make(const Options& options, int index) {
  Random random(options.seed + static_cast<std::uint64_t>(index));
  Made made;
  made.scene = random_scene(random);
  made.casual = caption(made.scene, random, Detail::kCasual);
  made.full = caption(made.scene, random, Detail::kFull);
  if (options.textures) add_texture(made.scene, random);
  made.view = View::whole(options.width, options.height);
  if (options.crop_width > 0) {
    const auto place = [&](int whole, int crop) {
      return 16 * static_cast<int>(random.below(static_cast<std::size_t>((whole - crop) / 16 + 1)));
    };
    made.view.crop_width = options.crop_width;
    made.view.crop_height = options.crop_height;
    made.view.left = place(options.width, options.crop_width);
    made.view.top = place(options.height, options.crop_height);
  }
  return made;
}

nlohmann::json describe(const Made& made) {
  const Scene& s = made.scene;
  const auto name = [](const auto& names, auto value) {
    return std::string(names[static_cast<std::size_t>(value)]);
  };
  return {{"caption", made.casual},
          {"full", made.full},
          {"light", name(kLightNames, s.light)},
          {"place", name(kPlaceNames, s.place)},
          {"shape", name(kShapeNames, s.shape)},
          {"colour", name(kColourNames, s.colour)},
          {"material", name(kMaterialNames, s.material)},
          {"emission", s.material == Material::kEmissive ? s.emission : 0.0},
          {"size", name(kSizeNames, s.size)},
          {"texture", name(kTextureNames, s.texture)},
          {"motion", name(kMotionNames, s.motion)},
          {"camera", name(kCameraNames, s.camera)},
          {"companion", s.companion.has_value()},
          {"left", made.view.left},
          {"top", made.view.top}};
}

int run(const Options& options) {
  const std::size_t values =
      3 * static_cast<std::size_t>(options.frames) *
      static_cast<std::size_t>(options.crop_width > 0 ? options.crop_width : options.width) *
      static_cast<std::size_t>(options.crop_height > 0 ? options.crop_height : options.height);
  std::ofstream data, lines;
  if (!options.out.empty()) {
    data.open(options.out, std::ios::binary);
    lines.open(options.out + ".jsonl");
    if (!data || !lines) {
      std::cerr << "tabletop-clips: cannot write " << options.out
                << "; check the folder and its permissions\n";
      return 4;
    }
  }
  Sheet sheet(options.columns, 160, 96);
  const int batch = options.threads * 4;
  for (int start = 0; start < options.count; start += batch) {
    const int n = std::min(batch, options.count - start);
    std::vector<std::vector<std::uint16_t>> codes(static_cast<std::size_t>(n));
    std::vector<Clip> clips(static_cast<std::size_t>(n));
    std::atomic<int> next{0};
    const auto work = [&] {
      for (int i = next++; i < n; i = next++) {
        const Made made = make(options, start + i);
        Clip& clip = clips[static_cast<std::size_t>(i)];
        clip = render(made.scene, options.frames, made.view);
        if (options.out.empty()) continue;
        auto& code = codes[static_cast<std::size_t>(i)];
        code.resize(values);
        for (std::size_t v = 0; v < values; ++v) {
          code[v] = static_cast<std::uint16_t>(acescct_encode(clip.light[v]) * 65535.0f + 0.5f);
        }
      }
    };
    std::vector<std::thread> threads;
    for (int t = 1; t < options.threads; ++t) threads.emplace_back(work);
    work();
    for (std::thread& thread : threads) thread.join();
    for (int i = 0; i < n; ++i) {
      const Clip& clip = clips[static_cast<std::size_t>(i)];
      if (!options.out.empty()) {
        const auto& code = codes[static_cast<std::size_t>(i)];
        data.write(reinterpret_cast<const char*>(code.data()), static_cast<std::streamsize>(2 * code.size()));
        lines << describe(make(options, start + i)).dump() << "\n";
      }
      if (!options.sheet.empty()) {
        for (const int f : {0, options.frames / 2, options.frames - 1}) sheet.add(clip, f);
      }
    }
  }
  if (!options.out.empty() && (!data.flush() || !lines.flush())) {
    std::cerr << "tabletop-clips: writing " << options.out << " failed; is the disk full?\n";
    return 4;
  }
  if (!options.sheet.empty()) {
    if (const auto written = sheet.write(options.sheet); !written) {
      std::cerr << "tabletop-clips: " << written.error().message << "\n";
      return 4;
    }
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  rushes::config::CommandLine app{"Renders ground-truth clips of Tabletop with captions."};
  app.option("--seed", options.seed, "seed of the first clip");
  app.option("--count", options.count, "number of clips").between(1, 10000000);
  app.option("--width", options.width, "picture width").between(16, 8192);
  app.option("--height", options.height, "picture height").between(16, 8192);
  app.option("--frames", options.frames, "frames per clip").between(1, 1000);
  app.option("--crop-width", options.crop_width, "write only a random part this wide, aligned to 16 pixels");
  app.option("--crop-height", options.crop_height, "height of that part");
  app.flag("--textures", options.textures, "give two objects of three stripes, checks or spots");
  app.option("--out", options.out, "raw uint16 ACEScct codes; captions go to FILE.jsonl");
  app.option("--sheet", options.sheet, "PNG contact sheet: first, middle and last frame of every clip");
  app.option("--columns", options.columns, "pictures per row of the sheet").between(1, 64);
  app.option("--threads", options.threads, "render threads").between(1, 256);
  if (const auto code = app.parse(argc, argv)) return *code;
  const bool half_crop = (options.crop_width > 0) != (options.crop_height > 0);
  if (half_crop || options.crop_width > options.width || options.crop_height > options.height ||
      options.crop_width < 0 || options.crop_height < 0) {
    std::cerr << "tabletop-clips: --crop-width and --crop-height go together and lie inside the picture\n";
    return 2;
  }
  return run(options);
}
