#include "worker/engine/task.h"

#include <capnp/message.h>
#include <capnp/serialize.h>
#include <gtest/gtest.h>

#include <random>

#include "storage/records/records.capnp.h"

namespace rushes::worker {
namespace {

const kj::byte kDigest[32] = {1, 2, 3};

void fill_sampling(records::Sampling::Builder sampling) {
  sampling.setSampler(records::Sampler::UNIPC);
  auto sigmas = sampling.initSigmas(5);
  auto timesteps = sampling.initTimesteps(4);
  for (unsigned i = 0; i < 5; ++i) sigmas.set(i, 1.0F - 0.25F * static_cast<float>(i));
  for (unsigned i = 0; i < 4; ++i) timesteps.set(i, 1000.0F * sigmas[i]);
  sampling.setGuidance(4.0F);
  auto segments = sampling.initSegments(2);
  segments[0].setBegin(0);
  segments[0].setEnd(1);
  segments[1].setBegin(1);
  segments[1].setEnd(4);
}

void fill_recipe(records::Recipe::Builder recipe) {
  recipe.setModel("tabletop");
  recipe.setModelDigest({kDigest, 32});
  recipe.setPrompt("a red sphere");
  recipe.setSeed(7);
  recipe.setFpsNumerator(24);
  recipe.setFpsDenominator(1);
  recipe.setFrames(48);
  recipe.setRenderedFrames(49);
  recipe.setWidth(160);
  recipe.setHeight(96);
  recipe.setDeliverWidth(160);
  recipe.setDeliverHeight(90);
  fill_sampling(recipe.initDraft());
  auto windows = recipe.initWindows(2);
  windows[0].setEnd(9);
  windows[1].setBegin(4);
  windows[1].setEnd(13);
}

using Change = void (*)(records::TaskSpec::Builder, records::Recipe::Builder);

std::string task_bytes(Change change = nullptr) {
  capnp::MallocMessageBuilder recipe_message;
  auto recipe = recipe_message.initRoot<records::Recipe>();
  fill_recipe(recipe);
  capnp::MallocMessageBuilder message;
  auto spec = message.initRoot<records::TaskSpec>();
  spec.setTask(12);
  spec.setShow("show");
  spec.setShot("sh010");
  spec.setName("sh010 take 1 denoise");
  spec.setTake(1);
  spec.setStage(records::Stage::DENOISE);
  spec.setWindow(1);
  spec.setSegment(1);
  auto inputs = spec.initInputs(1);
  inputs[0].setRole("latent");
  inputs[0].setDigest({kDigest, 32});
  if (change) change(spec, recipe);
  auto canonical = capnp::canonicalize(recipe.asReader());
  const auto bytes = canonical.asBytes();
  spec.setRecipe(capnp::Data::Reader(bytes.begin(), bytes.size()));
  const auto flat = capnp::messageToFlatArray(message);
  const auto flat_chars = flat.asChars();
  return {flat_chars.begin(), flat_chars.size()};
}

TEST(TaskReading, TakesAWellFormedTask) {
  const auto task = read_task(task_bytes());
  ASSERT_TRUE(task) << task.error().message;
  EXPECT_EQ(task->id, TaskId(12));
  EXPECT_EQ(task->stage, Stage::kDenoise);
  EXPECT_EQ(task->windows().size(), 2u);
  EXPECT_EQ(task->windows()[1], (Range{4, 13}));
  EXPECT_EQ(task->sampling().steps(), 4);
  EXPECT_EQ(task->sampling().segments[1], (Range{1, 4}));
  EXPECT_EQ(task->recipe.frames, 48);
  EXPECT_EQ(task->inputs[0].role, Role::kLatent);
}

void expect_refused(Change change, const std::string& words) {
  const auto task = read_task(task_bytes(change));
  ASSERT_FALSE(task) << words;
  EXPECT_EQ(task.error().kind, ErrorKind::kInvalid);
  EXPECT_NE(task.error().message.find(words), std::string::npos) << task.error().message;
}

TEST(TaskReading, RefusesWhatDoesNotFit) {
  expect_refused([](auto spec, auto) { spec.setWindow(2); }, "window");
  expect_refused([](auto spec, auto) { spec.setSegment(2); }, "segment");
  expect_refused([](auto spec, auto) { spec.setLevel(1); }, "master");
  expect_refused([](auto spec, auto) { spec.setStage(static_cast<records::Stage>(99)); }, "stage");
  expect_refused([](auto, auto recipe) { recipe.setFrames(50); }, "frames");
  expect_refused([](auto, auto recipe) { recipe.setModelDigest({kDigest, 31}); }, "digest");
  expect_refused([](auto, auto recipe) { recipe.getDraft().getSigmas().set(1, 1.5F); }, "sigmas");
  expect_refused([](auto, auto recipe) { recipe.getDraft().getSegments()[1].setBegin(2); }, "segments");
  expect_refused([](auto, auto recipe) { recipe.getWindows()[1].setBegin(11); }, "windows");
  expect_refused([](auto, auto recipe) { recipe.setFpsNumerator(0); }, "fps");
}

TEST(TaskReading, ADeliveryStaysBelowItsFolder) {
  for (const char* folder : {"../up", "/etc", "a/../b", "a//b", ""}) {
    static const char* current;
    current = folder;
    expect_refused(
        [](auto spec, auto) {
          spec.setStage(records::Stage::DELIVER);
          spec.setSegment(0);
          spec.initDelivery().setFolder(current);
        },
        "delivery folder");
  }
}

TEST(TaskReading, MutatedBytesNeverCrash) {
  const auto good = task_bytes();
  std::mt19937 random(3);
  int refused = 0;
  for (int round = 0; round < 3000; ++round) {
    auto bytes = good;
    for (int i = 0; i < 3; ++i) bytes[random() % bytes.size()] = static_cast<char>(random());
    if (round % 3 == 0) bytes.resize(random() % bytes.size());
    if (!read_task(bytes)) ++refused;
  }
  EXPECT_GT(refused, 1000);
}

}  // namespace
}  // namespace rushes::worker
