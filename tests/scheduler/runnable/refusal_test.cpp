// What cannot be made is refused when it is submitted, and the message names the limit that was hit.
#include <gtest/gtest.h>

#include <functional>

#include "scheduler/plan/plan.h"
#include "tests/scheduler/plan/manifest.h"

namespace rushes::scheduler {
namespace {

config::Shot five_frames() {
  config::Shot shot;
  shot.show = "demo";
  shot.name = "sh010";
  shot.prompt = "a red ball";
  shot.model = "tabletop";
  shot.frames = 5;
  shot.seeds = {7};
  return shot;
}

struct Refusal {
  const char* name;
  std::function<void(config::Shot&, config::ModelManifest&)> change;
  const char* words;  // of the message
};
void PrintTo(const Refusal& refusal, std::ostream* out) { *out << refusal.name; }

class Refusals : public testing::TestWithParam<Refusal> {};

void resize(config::ModelManifest& model, int width, int height) {
  model.size = model.deliver = {width, height};
}

TEST_P(Refusals, NameTheLimit) {
  config::Shot shot = five_frames();
  config::ModelManifest model = test_manifest();
  GetParam().change(shot, model);
  std::vector<StoredPicture> images(shot.key_frames.size());
  const auto spec = resolve_shot(shot, model, images);
  ASSERT_FALSE(spec) << "accepted";
  EXPECT_EQ(spec.error().kind, ErrorKind::kInvalid);
  EXPECT_NE(spec.error().message.find(GetParam().words), std::string::npos) << spec.error().message;
  EXPECT_TRUE(spec.error().message.starts_with("shot demo/sh010: ")) << spec.error().message;
}

const Refusal kRefusals[] = {
    {"length", [](auto& shot, auto&) { shot.frames = 20001; }, "20000 frames"},
    {"inputs",
     [](auto& shot, auto& model) {
       shot.frames = 20000;
       model.frames = 1;
     },
     "decoding its draft reads 5,001 results, at most 4,096; split the shot"},
    {"tasks",
     [](auto& shot, auto& model) {
       shot.frames = 20000;
       model.frames = 13;
       model.draft.steps = 200;
     },
     "tasks a take, at most 200,000; split the shot"},
    {"takes",
     [](auto& shot, auto& model) {
       shot.seeds.assign(64, 1);
       resize(model, 4096, 4096);
     },
     "delivering its draft reads 4,160 results, at most 4,096; ask for fewer takes"},
    {"windowLatents",
     [](auto& shot, auto& model) {
       resize(model, 8192, 8192);
       model.vae.stride = {4, 8, 8};
       model.vae.mean.assign(48, 0.0);
       shot.frames = 33;
     },
     "the latents of a window of its draft take"},
    {"windowClip",
     [](auto& shot, auto& model) {
       resize(model, 8192, 8192);
       model.frames = 81;
       shot.frames = 161;
     },
     "the frames of a window of its draft have 13,086,228,480 values, at most 8,589,934,592"},
    {"keyFrames",
     [](auto& shot, auto& model) {
       resize(model, 4096, 4096);
       model.deliver = {2048, 2048};
       model.vae.stride = {4, 8, 8};
       model.vae.mean.assign(48, 0.0);
       shot.frames = 600;
       shot.key_frames = {{"first.png", 0}};
     },
     "what its key frames ask of every frame takes"},
    {"pictures",
     [](auto& shot, auto& model) {
       resize(model, 8192, 8192);
       model.deliver = {2048, 2048};
       shot.upgrade = {true, 4, {}};
     },
     "its upgrade makes pictures of 32,768 pixels a side, at most 16,384"},
    {"delivered",
     [](auto& shot, auto& model) {
       resize(model, 4096, 4096);
       shot.upgrade = {true, 4, {}};
     },
     "16384x16384 pixels, expected at most 8192 a side"},
    {"guide",
     [](auto& shot, auto& model) {
       resize(model, 2048, 2048);
       shot.frames = 400;
       model.vae.mean.assign(48, 0.0);
       shot.upgrade = {true, 4, {}};
     },
     "the guide of its upgrade takes"},
    {"upgradeInputs",
     [](auto& shot, auto&) {
       shot.frames = 4000;
       shot.upgrade = {true, 4, {}};
     },
     "decoding its upgrade reads"},
    {"keyFrameInside",
     [](auto& shot, auto&) {
       shot.key_frames = {{"first.png", 3}};
     },
     "can start from a picture but not pass through one"},
};
INSTANTIATE_TEST_SUITE_P(Submit, Refusals, testing::ValuesIn(kRefusals),
                         [](const auto& one) { return std::string(one.param.name); });

// Their descriptions are larger than a message: 1,000 windows, decoded by one task.
TEST(Accepted, LongShotsUpToTheRealLimit) {
  config::Shot shot = five_frames();
  shot.frames = 20000;
  const auto spec = resolve_shot(shot, test_manifest(), {});
  EXPECT_TRUE(spec) << spec.error().message;
}

}  // namespace
}  // namespace rushes::scheduler
