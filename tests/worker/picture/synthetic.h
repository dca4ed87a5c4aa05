// Small known clips and scratch folders for the tests of this room.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <string>

#include "tests/folders.h"
#include "worker/picture/exr.h"
#include "worker/picture/frames.h"

namespace rushes::worker::testing {

// A folder that is gone when the test ends.
class ScratchFolder {
 public:
  ScratchFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "rushes-picture-XXXXXX").string();
    const char* made = ::mkdtemp(pattern.data());
    if (made != nullptr) path_ = made;
    EXPECT_FALSE(path_.empty()) << "cannot make " << pattern;
  }
  ~ScratchFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;

  std::string path() const { return path_; }
  std::string file(const std::string& name) const { return path_ + "/" + name; }
  std::size_t count() const {
    std::size_t n = 0;
    for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(path_)) ++n;
    return n;
  }

 private:
  std::string path_;
};

inline std::string ocio_config() { return test::source_folder().string() + "/config/colour/farm.ocio"; }

// A ball with a highlight of 8 rolls over ground under an evening sky: every frame differs, all light is
// legal.
inline Clip rolling_ball(int width, int height, int frames) {
  Clip clip(width, height, frames, config::Rate{24, 1});
  for (int t = 0; t < frames; ++t) {
    const float progress = frames > 1 ? static_cast<float>(t) / static_cast<float>(frames - 1) : 0.0F;
    const float cx = (0.2F + 0.6F * progress) * static_cast<float>(width);
    const float cy = 0.62F * static_cast<float>(height);
    const float radius = 0.18F * static_cast<float>(height);
    for (int y = 0; y < height; ++y) {
      for (int x = 0; x < width; ++x) {
        float* p = clip.at(t, y, x);
        const float v = static_cast<float>(y) / static_cast<float>(height);
        const bool ground = v > 0.6F;
        p[0] = ground ? 0.10F + 0.05F * v : 0.9F - 0.6F * v;
        p[1] = ground ? 0.09F + 0.04F * v : 0.5F - 0.2F * v;
        p[2] = ground ? 0.07F : 0.3F + 0.3F * v;
        const float dx = (static_cast<float>(x) + 0.5F - cx) / radius;
        const float dy = (static_cast<float>(y) + 0.5F - cy) / radius;
        const float r2 = dx * dx + dy * dy;
        if (r2 >= 1.0F) continue;
        const float shade =
            0.08F + 0.5F * std::max(0.0F, (-0.5F * dx - 0.7F * dy) + 0.5F * std::sqrt(1.0F - r2));
        p[0] = 0.9F * shade;
        p[1] = 0.2F * shade;
        p[2] = 0.15F * shade;
        if ((dx + 0.35F) * (dx + 0.35F) + (dy + 0.45F) * (dy + 0.45F) < 0.02F) p[0] = p[1] = p[2] = 8.0F;
      }
    }
  }
  return clip;
}

inline DeliveryTags example_tags() {
  DeliveryTags tags;
  tags.shot = "sh010";
  tags.version = "v001";
  tags.take = 2;
  tags.seed = 18446744073709551615ULL;
  tags.model_digest = "blake2b-256:" + std::string(64, 'a');
  tags.recipe_hash = std::string(64, 'b');
  tags.numeric_class = "cpu-avx512-bf16";
  tags.engine_build = "0.1.0";
  tags.prompt_hash = std::string(64, 'c');
  tags.parent_take = "sh010/1";
  tags.render_width = 160;
  tags.render_height = 96;
  tags.critique_score = 0.75;
  tags.critique_verdict = "pass";
  return tags;
}

}  // namespace rushes::worker::testing
