// Large pictures that people send: what reading one takes is planned by the picture's size, and no more is taken.
#include <gtest/gtest.h>

#include <fstream>

#include "config/whole_picture.h"
#include "scheduler/plan/cost.h"
#include "tests/config/test_pictures.h"
#include "tests/folders.h"
#include "tests/tools/render/peaks.h"
#include "tests/worker/model/tiny_model.h"
#include "tools/render/local_farm.h"
#include "worker/picture/exr.h"

namespace rushes::tools {
namespace {

namespace fs = std::filesystem;

constexpr int kWidth = 4096, kHeight = 3072;
constexpr std::uint64_t kPixels = std::uint64_t{kWidth} * kHeight;

std::string png() { return noisy_png(kWidth, kHeight); }

std::string exr() {
  worker::Clip clip(kWidth, kHeight, 1);
  std::uint32_t state = 1;
  for (float& value : clip.pixels)
    value = static_cast<float>((state = state * 1664525u + 1013904223u) >> 24) / 255;
  worker::DeliveryTags tags;
  tags.shot = "sh010";
  tags.kind = "draft";
  tags.version = "v001";
  return worker::encode_exr(clip, tags, {}, 0).value();
}

class KeyFrames : public testing::Test {
 protected:
  void SetUp() override {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    GTEST_SKIP();  // they keep what was freed
#endif
  }

  // Renders a shot that begins with the picture; every task stays within what was planned for it (Peaks).
  void render(const std::string& name, const std::string& picture) {
    std::ofstream(folder_.path() / name, std::ios::binary) << picture;
    const auto model = worker::write_tiny_model(folder_.path() / "models" / "tiny", {9, {160, 96}});
    ASSERT_TRUE(model) << model.error().message;
    auto farm = LocalFarm::open({{folder_.path() / "models"},
                                 folder_.path() / "out",
                                 test::source_folder() / "config" / "colour" / "farm.ocio",
                                 folder_.path() / "artifacts",
                                 2});
    ASSERT_TRUE(farm) << farm.error().message;
    const auto batch = config::parse_batch(
        "version: 1\nshow: test\nshots:\n  - name: sh010\n    prompt: a red ball\n    model: tiny\n    "
        "frames: 5\n"
        "    seeds: [5]\n    sampling: {steps: 1}\n    key_frames: [{frame: 0, image: " +
            name + "}]\n",
        "keys.yaml", folder_.path());
    ASSERT_TRUE(batch) << batch.error().message;
    const Status submitted = (*farm)->submit(*batch);
    ASSERT_TRUE(submitted) << submitted.error().message;
    const auto load = config::check_whole_picture(picture);
    ASSERT_TRUE(load);
    EXPECT_EQ(load->pixels, kPixels);
    const scheduler::State& state = (*farm)->state();
    const scheduler::Task& encode = state.task(state.shots[scheduler::ShotId(0)].encode);
    EXPECT_GE(encode.plan.host_bytes, scheduler::kBaseMemory + load->memory);
    EXPECT_DOUBLE_EQ(encode.plan.host_seconds, scheduler::reading_seconds(*load));
    EXPECT_GT(encode.plan.host_seconds, 0.5);
    Peaks peaks;
    peaks.run(**farm, std::uint64_t{2} << 30);
    EXPECT_EQ(state.task(state.shots[scheduler::ShotId(0)].encode).state, scheduler::TaskState::kSucceeded);
  }

  worker::TestFolder folder_;
};

TEST_F(KeyFrames, APngTakesWhatWasPlanned) { render("first.png", png()); }
TEST_F(KeyFrames, AnExrTakesWhatWasPlanned) { render("first.exr", exr()); }

// The memory that the whole picture's light would take: 12 bytes a pixel.
TEST_F(KeyFrames, AnExrIsNotHeldWhole) {
  const auto load = config::check_whole_picture(exr());
  ASSERT_TRUE(load);
  EXPECT_LT(load->memory, kPixels * 12);
}

}  // namespace
}  // namespace rushes::tools
