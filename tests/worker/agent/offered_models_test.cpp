#include "worker/agent/offered_models.h"

#include <gtest/gtest.h>

#include <fstream>

#include "storage/digest.h"
#include "tests/scheduler/protocol/folder.h"

namespace rushes::worker {
namespace {

struct OfferedModels : ::testing::Test {
  void write(const std::string& name) {
    const auto model = root / name;
    std::filesystem::create_directories(model);
    std::ofstream manifest(model / "model.yaml");
    manifest << "version: 1\nname: " << name << "\nfamily: wan\nlicence: Apache-2.0\nfiles:\n";
    for (const char* part : {"transformer", "text_encoder", "tokenizer", "vae"}) {
      std::ofstream(model / part) << part;
      manifest << "  " << part << ": {path: " << part
               << ", digest: \"blake2b-256:" << storage::to_hex(storage::digest_of(part)) << "\"}\n";
    }
    manifest << R"(fps: 24
frames: 33
size: {width: 160, height: 96}
deliver: {width: 160, height: 90}
head_dim: 64
text_len: 64
text_heads: 4
conditioning: i2v
vae: {form: wan2.2, stride: [4, 16, 16], mean: [0.1, 0.2], std: [1, 2.5]}
working_space: acescct
sampling:
  draft:  {sampler: unipc, steps: 12, shift: 6.0, guidance: 4.0}
  master: {sampler: euler, steps: 4, shift: 3.0, guidance: 1.0, start_sigma: 0.4}
negative_prompt: ""
)";
  }
  std::vector<std::string> names() {
    std::vector<std::string> found;
    const auto models = offered_models({root}, folder / "memory");
    if (!models) return {models.error().message};
    for (const auto& model : *models) found.push_back(model.name);
    return found;
  }
  test::Folder folder;
  std::filesystem::path root = folder / "models";
};

TEST_F(OfferedModels, OnlyVerifiedOnesAreOffered) {
  write("good");
  write("wrong");
  write("lacking");
  std::ofstream(root / "wrong" / "vae") << "other bytes";
  std::filesystem::remove(root / "lacking" / "vae");
  EXPECT_EQ(names(), std::vector<std::string>{"good"});
}

TEST_F(OfferedModels, AloneAWrongFileIsTheErrorThatNamesIt) {
  write("wrong");
  std::ofstream(root / "wrong" / "vae") << "other bytes";
  const auto models = offered_models({root}, folder / "memory");
  ASSERT_FALSE(models);
  EXPECT_EQ(models.error().kind, ErrorKind::kCorrupt);
  EXPECT_NE(models.error().message.find((root / "wrong" / "vae").string()), std::string::npos);
  EXPECT_EQ(offered_models({folder / "none"}, folder / "memory").error().kind, ErrorKind::kNotFound);
}

TEST_F(OfferedModels, ADigestIsComputedAgainOnlyWhenTheFileHasChanged) {
  write("good");
  EXPECT_EQ(names(), std::vector<std::string>{"good"});
  // Same size, same time, other bytes: not read again. The engine, which maps the weights, checks them once
  // more.
  const auto file = root / "good" / "vae";
  const auto time = std::filesystem::last_write_time(file);
  std::ofstream(file) << "eav";
  std::filesystem::last_write_time(file, time);
  EXPECT_EQ(names(), std::vector<std::string>{"good"});
  std::filesystem::last_write_time(file, time + std::chrono::seconds(1));
  EXPECT_NE(names(), std::vector<std::string>{"good"});
}

}  // namespace
}  // namespace rushes::worker
