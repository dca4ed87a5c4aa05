#include "worker/agent/offered_models.h"

#include <gtest/gtest.h>

#include <fstream>

#include "tests/config/tiny_manifest.h"
#include "tests/scheduler/protocol/folder.h"

namespace rushes::worker {
namespace {

struct OfferedModels : ::testing::Test {
  void write(const std::string& name) {
    const auto model = root / name;
    std::filesystem::create_directories(model);
    std::ofstream(model / "model.yaml") << config::tiny_manifest(name);
    for (const char* part : {"transformer", "text_encoder", "tokenizer", "vae"})
      std::ofstream(model / (std::string(part) + ".bin")) << part;
  }
  std::vector<std::string> names() {
    std::vector<std::string> found;
    const auto models = offered_models({root}, folder / "memory");
    if (!models) return {models.error().message};
    for (const auto& model : models->models) found.push_back(model.name);
    left_out = models->left_out;
    return found;
  }
  std::vector<std::string> left_out;  // of the last names()
  test::Folder folder;
  std::filesystem::path root = folder / "models";
};

TEST_F(OfferedModels, OnlyVerifiedOnesAreOffered) {
  write("good");
  write("wrong");
  write("lacking");
  std::ofstream(root / "wrong" / "vae.bin") << "other bytes";
  std::filesystem::remove(root / "lacking" / "vae.bin");
  EXPECT_EQ(names(), std::vector<std::string>{"good"});
  ASSERT_EQ(left_out.size(), 2u);
  EXPECT_NE(left_out[0].find("the weight file is missing"), std::string::npos) << left_out[0];
  EXPECT_NE(left_out[1].find("expected digest"), std::string::npos) << left_out[1];
}

TEST_F(OfferedModels, OnlyModelsWhoseWeightsAGpuHoldsAreOffered) {
  write("small");
  write("large");
  std::ofstream(root / "large" / "model.yaml", std::ios::app)
      << "memory: {weights: 40000000000, step: 1, token: 1, vae: 1, box_latent: 1, frame_latent: 1}\n";
  const auto here = offered_models({root}, folder / "memory", 24ull << 30);
  ASSERT_TRUE(here);
  ASSERT_EQ(here->models.size(), 1u);
  EXPECT_EQ(here->models[0].name, "small");
  EXPECT_EQ(here->most_weights, 0u);
  EXPECT_EQ(
      here->left_out,
      std::vector<std::string>{"model large: its weights take 38146 MiB of a GPU, which has 24576 MiB here"});
  EXPECT_EQ(offered_models({root}, folder / "memory", 80ull << 30)->most_weights, 40000000000u);
  EXPECT_EQ(offered_models({root}, folder / "memory")->models.size(), 2u);
}

TEST_F(OfferedModels, AloneAWrongFileIsTheErrorThatNamesIt) {
  write("wrong");
  std::ofstream(root / "wrong" / "vae.bin") << "other bytes";
  const auto models = offered_models({root}, folder / "memory");
  ASSERT_FALSE(models);
  EXPECT_EQ(models.error().kind, ErrorKind::kCorrupt);
  EXPECT_NE(models.error().message.find((root / "wrong" / "vae.bin").string()), std::string::npos);
  EXPECT_EQ(offered_models({folder / "none"}, folder / "memory").error().kind, ErrorKind::kNotFound);
}

TEST_F(OfferedModels, ADigestIsComputedAgainOnlyWhenTheFileHasChanged) {
  write("good");
  EXPECT_EQ(names(), std::vector<std::string>{"good"});
  // Same size, same time, other bytes: not read again. The engine, which maps the weights, checks them once
  // more.
  const auto file = root / "good" / "vae.bin";
  const auto time = std::filesystem::last_write_time(file);
  std::ofstream(file) << "eav";
  std::filesystem::last_write_time(file, time);
  EXPECT_EQ(names(), std::vector<std::string>{"good"});
  std::filesystem::last_write_time(file, time + std::chrono::seconds(1));
  EXPECT_NE(names(), std::vector<std::string>{"good"});
}

}  // namespace
}  // namespace rushes::worker
