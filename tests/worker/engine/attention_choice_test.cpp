// The stored choice between our attention and cuDNN's, on a software device that plays times.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "config/yaml.h"
#include "tests/kernels/emulator/software_device.h"
#include "tests/worker/model/tiny_model.h"
#include "worker/engine/attention_choice.h"
#include "worker/engine/models.h"

namespace rushes::worker {
namespace {

namespace fs = std::filesystem;
using emulator::SoftwareDevice;
using emulator::SoftwareOptions;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

const std::vector<kernels::cuda::AttentionShape> kShapes = {{2, 64, 24, 24}};

struct AttentionChoiceTest : testing::Test {
  SoftwareOptions options;
  double own_ms = 2, library_ms = 1;
  std::string build = "1.0";
  int timed = 0;  // calls of the library
  TestFolder folder;
  fs::path file = folder.path() / "attention.yaml";

  AttentionChoiceTest() {
    options.plays_ms = [this](const std::string& name) {
      timed += name == "sdpa" ? 1 : 0;
      return name == "sdpa" ? library_ms : own_ms;
    };
  }
  AttentionChoice choose(config::Attention wanted = config::Attention::kFastest,
                         const std::vector<kernels::cuda::AttentionShape>& shapes = kShapes) {
    timed = 0;
    SoftwareDevice device(options);
    auto choice = choose_attention(wanted, device, 0, shapes, folder.path(), build);
    EXPECT_TRUE(choice) << choice.error().message;
    EXPECT_EQ(device.fault(), "");
    return choice ? *choice : AttentionChoice{};
  }
  std::string stored() { return *config::read_text(file); }
};

TEST_F(AttentionChoiceTest, TheFasterIsKeptWithBothTimes) {
  const AttentionChoice library = choose();
  EXPECT_TRUE(library.library);
  EXPECT_GT(timed, 0);
  EXPECT_THAT(library.notes,
              ElementsAre(AllOf(HasSubstr("attention: library: cuDNN's takes 1 ms and ours 2 ms"),
                                HasSubstr("2x64 24:24"), HasSubstr("Software device"))));
  EXPECT_THAT(stored(), AllOf(HasSubstr("device: \"Software device\""), HasSubstr("capability: \"9.0\""),
                              HasSubstr("driver: \"580.0 (software), CUDA 13.0\""), HasSubstr("cuDNN 9.19.0"),
                              HasSubstr("own_ms: 2.000000"), HasSubstr("attention: library")));
}

TEST_F(AttentionChoiceTest, ATieIsOurs) {
  own_ms = library_ms = 2;
  EXPECT_FALSE(choose().library);
  EXPECT_THAT(stored(), HasSubstr("attention: own"));
}

TEST_F(AttentionChoiceTest, AStoredChoiceIsReadAndNotMeasured) {
  ASSERT_TRUE(choose().library);
  own_ms = 0.5;
  const AttentionChoice again = choose();
  EXPECT_TRUE(again.library);
  EXPECT_EQ(timed, 0);
  EXPECT_THAT(again.notes,
              ElementsAre(HasSubstr("library, as measured at an earlier start: cuDNN's takes 1 ms")));
}

TEST_F(AttentionChoiceTest, WhatItWasMeasuredWithHasToBeTheSame) {
  const auto expect_anew = [&](const std::string& word) {
    const AttentionChoice choice = choose();
    EXPECT_GT(timed, 0) << word;
    ASSERT_EQ(choice.notes.size(), 2u) << word;
    EXPECT_THAT(choice.notes[0], AllOf(HasSubstr("was measured with " + word), HasSubstr("measured again")));
  };
  ASSERT_TRUE(choose().library);
  options.driver_text = "590.1";
  own_ms = 0.5;
  expect_anew("driver 580.0 (software), CUDA 13.0, here is 590.1, CUDA 13.0");
  EXPECT_THAT(stored(), AllOf(HasSubstr("590.1"), testing::Not(HasSubstr("580.0"))));
  options.dnn_version = 92000;
  expect_anew("engines cuBLASLt 13.1.0, cuDNN 9.19.0");
  options.multiprocessors = 8;
  expect_anew("engines ");
  build = "1.1";
  expect_anew("build 1.0, here is 1.1");
  EXPECT_FALSE(choose().library);
  EXPECT_EQ(timed, 0);
  EXPECT_EQ(choose(config::Attention::kFastest, {{1, 64, 8, 8}}).notes.size(), 2u) << "other shapes";
}

TEST_F(AttentionChoiceTest, EachKindOfGpuHasItsOwn) {
  ASSERT_TRUE(choose().library);
  options.major = 8;
  own_ms = 0.5;
  EXPECT_FALSE(choose().library);
  EXPECT_FALSE(choose().library);
  EXPECT_EQ(timed, 0);
  options.major = 9;
  EXPECT_TRUE(choose().library);
  EXPECT_EQ(timed, 0);
}

TEST_F(AttentionChoiceTest, AFileThatCannotBeReadIsMeasuredAgain) {
  ASSERT_TRUE(choose().library);
  const std::string right = stored();
  std::string unknown = right;
  unknown.replace(unknown.find("attention: library"), 18, "attention: mine   ");
  for (const std::string& wrong : {std::string("\x01\x02 nothing"), right.substr(0, right.size() / 2),
                                   unknown, std::string(2 << 20, 'x'), right + "more: 1\n"}) {
    std::ofstream(file, std::ios::trunc) << wrong;
    const AttentionChoice choice = choose();
    EXPECT_TRUE(choice.library);
    EXPECT_GT(timed, 0);
    ASSERT_EQ(choice.notes.size(), 2u);
    EXPECT_THAT(choice.notes[0],
                AllOf(HasSubstr("cannot be read, so it is measured again"), HasSubstr("attention.yaml")));
    EXPECT_EQ(choice.notes[0].find('\n'), std::string::npos);
    EXPECT_EQ(stored(), right);
  }
}

TEST_F(AttentionChoiceTest, AChoiceThatCannotBeKeptIsOurs) {
  fs::create_directories(file);  // where the file should be
  const AttentionChoice choice = choose();
  EXPECT_FALSE(choice.library);
  EXPECT_THAT(choice.notes.back(), HasSubstr("cannot be kept"));
}

TEST_F(AttentionChoiceTest, WithoutALibraryThatTakesItOurs) {
  options.dnn_has_attention = false;
  const AttentionChoice choice = choose();
  EXPECT_FALSE(choice.library);
  EXPECT_THAT(choice.notes, ElementsAre(HasSubstr("the library takes none of 2x64 24:24")));
  EXPECT_FALSE(fs::exists(file));
}

TEST_F(AttentionChoiceTest, AnOrderIsObeyedAndNothingToChooseIsOurs) {
  EXPECT_TRUE(choose(config::Attention::kLibrary).library);
  own_ms = 2, library_ms = 1;
  const AttentionChoice own = choose(config::Attention::kOwn);
  EXPECT_FALSE(own.library);
  EXPECT_THAT(own.notes, IsEmpty());
  EXPECT_FALSE(choose(config::Attention::kFastest, {}).library);
  EXPECT_EQ(timed, 0);
}

TEST_F(AttentionChoiceTest, ADeviceThatFailsIsAnError) {
  options.vanish_at = 5;
  SoftwareDevice device(options);
  const auto choice = choose_attention(config::Attention::kFastest, device, 0, kShapes, folder.path(), build);
  ASSERT_FALSE(choice);
  EXPECT_THAT(choice.error().message, HasSubstr("cudaErrorNoDevice"));
  EXPECT_FALSE(fs::exists(file));
}

// Of models with heads that both forms compute; the class of an engine says what was chosen.
TEST_F(AttentionChoiceTest, ShapesAreThoseOfTheModelsAndTheClassNamesTheChoice) {
  const fs::path root = folder.path() / "models";
  ASSERT_TRUE(write_tiny_model(root / "narrow"));
  EXPECT_THAT(attention_shapes({root}), IsEmpty());
  TinyModel wide;
  wide.head_dim = 64;
  wide.size = {128, 64};
  const auto manifest = write_tiny_model(root / "wide", wide);
  ASSERT_TRUE(manifest) << manifest.error().message;
  const std::int64_t tokens = 3 * 2 * 4;
  EXPECT_THAT(
      attention_shapes({root}),
      testing::UnorderedElementsAre(kernels::cuda::AttentionShape{2, 64, tokens / 4, tokens / 4},
                                    kernels::cuda::AttentionShape{2, 64, tokens, tokens},
                                    kernels::cuda::AttentionShape{2, 64, tokens, manifest->text_len}));

  SoftwareDevice device(options);
  kernels::cuda::DeviceApi* const before = kernels::cuda::device_api();
  kernels::cuda::install(&device);
  EngineOptions engine;
  engine.model_roots = {root};
  engine.backend = config::Backend::kCuda;
  engine.library_attention =
      choose_attention(config::Attention::kFastest, device, 0, attention_shapes({root}), folder.path(), build)
          ->library;
  {
    const auto models = Models::open(engine);
    ASSERT_TRUE(models) << models.error().message;
    EXPECT_THAT(models->numeric_class(),
                testing::MatchesRegex("cuda-sm90-bf16-sdpa-[0-9a-f]{6}\\+cuda-sm90-f32-[0-9a-f]{6}"));
    EXPECT_EQ(models->class_text(), "cuBLASLt 13.1.0, cuDNN 9.19.0, 4 multiprocessors");
  }
  kernels::cuda::install(before);
}

}  // namespace
}  // namespace rushes::worker
