#include "config/model.h"

#include <gtest/gtest.h>

#include <fstream>

#include "tests/config/tiny_manifest.h"
#include "tests/folders.h"

namespace rushes::config {
namespace {

namespace fs = std::filesystem;

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  return text.replace(text.find(from), from.size(), to);
}

std::string complaint(const std::string& from, const std::string& to) {
  const auto model = parse_model(replaced(tiny_manifest(), from, to), "m.yaml");
  return model ? "" : model.error().message;
}

// A folder of models that is removed at the end of the test.
class Models : public testing::Test {
 protected:
  void SetUp() override {
    root_ = fs::path(testing::TempDir()) /
            ("models_" + std::string(testing::UnitTest::GetInstance()->current_test_info()->name()));
    fs::remove_all(root_);
    write("tiny", tiny_manifest());
  }
  void TearDown() override { fs::remove_all(root_); }
  void write(const std::string& name, const std::string& text) {
    fs::create_directories(root_ / name);
    std::ofstream(root_ / name / "model.yaml") << text;
    for (const char* part : {"transformer", "text_encoder", "tokenizer", "vae"})
      std::ofstream(root_ / name / (std::string(part) + ".bin")) << part;
  }
  fs::path root_;
};

TEST(Model, ReadsTheWholeManifest) {
  const auto model = parse_model(tiny_manifest(), "/m/tiny/model.yaml");
  ASSERT_TRUE(model) << model.error().message;
  EXPECT_EQ(model->name, "tiny");
  EXPECT_EQ(model->files.at("vae").path, "/m/tiny/vae.bin");
  EXPECT_EQ(model->fps, (Rate{24, 1}));
  EXPECT_EQ(model->deliver, (FrameSize{160, 90}));
  EXPECT_EQ(model->vae.form, VaeForm::kWan22);
  EXPECT_EQ(model->vae.stride, (std::array{4, 16, 16}));
  EXPECT_EQ(model->vae.std, (std::vector{1.0, 2.5}));
  EXPECT_EQ(model->conditioning, Conditioning::kI2v);
  EXPECT_EQ(model->draft, (Sampling{Sampler::kUniPc, 12, 6, 4, 1}));
  EXPECT_EQ(model->master, (Sampling{Sampler::kEuler, 4, 3, 1, 0.4}));
  EXPECT_EQ(model->latent_frames(33), 9);
  EXPECT_EQ(model->rendered_frames(33), 33);
  EXPECT_EQ(model->rendered_frames(34), 37);
  EXPECT_EQ(model->rendered_frames(1), 1);
}

TEST(Model, ReadsWhatItsTensorsTake) {
  EXPECT_EQ(parse_model(tiny_manifest(), "m.yaml")->memory, ModelMemory{});
  const auto model = parse_model(
      tiny_manifest() +
          "memory: {weights: 1, step: 2, token: 3, vae: 400000000, box_latent: 5, frame_latent: 6}\n",
      "m.yaml");
  ASSERT_TRUE(model) << model.error().message;
  EXPECT_TRUE(model->memory.measured);
  EXPECT_EQ(model->memory.weights, 1u);
  EXPECT_EQ(model->memory.step_bytes(400), 2u + 100 * 3);
  EXPECT_EQ(model->memory.decode_bytes(1000, 10, 3), 400000000u + 15000 + 60);
  EXPECT_EQ(model->memory.decode_bytes(100'000'000, 10, 3), 900000060u);
  EXPECT_EQ(model->memory.encode_bytes(100'000'000, 3), 400000000u + ModelMemory::kVaeChunk + 600'000'000);
  EXPECT_EQ(parse_model(tiny_manifest() + to_string(model->memory) + "\n", "m.yaml")->memory, model->memory);
}

TEST(Model, RefusesWithTheReason) {
  const std::vector<std::array<std::string, 3>> table{
      {"frames: 33", "frames: 32",
       "m.yaml:11:9: frames: expected 4n+1 frames (VAE stride), such as 33, found 32"},
      {"width: 160, height: 96", "width: 150, height: 96",
       "m.yaml:12:7: size: expected a width that is a multiple of 32 (VAE stride times patch), such as 160, "
       "found 150\n"
       "m.yaml:13:10: deliver: expected a centre crop of size: at most 150x96 and an even number of pixels "
       "less, found "
       "160x90"},
      {"height: 90", "height: 91",
       "m.yaml:13:10: deliver: expected a centre crop of size: at most 160x96 and an even number of pixels "
       "less, found "
       "160x91"},
      {"width: 160, height: 90", "width: 160, height: 1",
       "m.yaml:13:31: deliver.height: expected a whole number from 2 to 16384, found '1'"},
      {"std: [1, 2.5]", "std: [1]",
       "m.yaml:18:65: vae.std: expected as many numbers as in mean (2), found 1"},
      {"std: [1, 2.5]", "std: [1, 0]",
       "m.yaml:18:69: vae.std[1]: expected a number from 1e-06 to 1000, found '0'"},
      {"[4, 16, 16]", "[4, 16]",
       "m.yaml:18:29: vae.stride: expected [frames, rows, columns] per latent such as [4, 16, 16], found 2 "
       "numbers"},
      {"working_space: acescct", "working_space: acescc",
       "m.yaml:19:16: working_space: expected one of acescct, logc3, srgb, found 'acescc'; did you mean "
       "'acescct'?"},
      {"sampler: unipc", "sampler: unipcc",
       "m.yaml:21:21: sampling.draft.sampler: expected one of euler, unipc, dpmpp, found 'unipcc'; did you "
       "mean 'unipc'?"},
      {"fps: 24", "fps: fast",
       "m.yaml:10:6: fps: expected frames per second as a number or a fraction, such as 24, 23.976, 12.5 or "
       "24000/1001, found 'fast'"},
      {"head_dim: 64", "head_dim: 63",
       "m.yaml:14:11: head_dim: expected an even number (rotary positions turn pairs), found 63"},
      {"text_len: 64\n", "", "m.yaml:1:1: text_len: expected a whole number, found no such key"},
      {"steps: 12, ", "", "m.yaml:21:11: sampling.draft.steps: expected a value, found no such key"},
      {"guidance: 4.0", "guidance: 4.0, start_sigma: 0.5",
       "m.yaml:21:11: sampling.draft: a draft starts from pure noise: start_sigma belongs to master"},
      {"licence:", "license:",
       "m.yaml:1:1: licence: expected an SPDX licence name, found no such key\n"
       "m.yaml:4:1: license: unknown key; did you mean 'licence'?"},
      {"text_heads: 4", "text_heads: 4\nmemory: {weights: -1, step: 2, token: 3, vae: 4, box_latent: 5}",
       "m.yaml:17:9: memory.frame_latent: expected a number of bytes, as rushes-worker --measure prints it, "
       "found no "
       "such key\n"
       "m.yaml:17:19: memory.weights: expected a whole number from 0 to 17592186044416, found '-1'"},
  };
  for (const auto& [from, to, message] : table) EXPECT_EQ(complaint(from, to), message);
  EXPECT_NE(complaint("digest: \"blake2b-256:", "digest: \"sha256:")
                .find("files.transformer.digest: expected "
                      "\"blake2b-256:\" and 64 lower-case hex digits"),
            std::string::npos);
}

TEST_F(Models, FoundByNameInTheFirstRoot) {
  const auto model = find_model("tiny", {root_ / "none", root_});
  ASSERT_TRUE(model) << model.error().message;
  EXPECT_EQ(model->folder, root_ / "tiny");
  EXPECT_EQ(find_model("tyni", {root_}).error().message,
            "model 'tyni' is in none of the model_roots; did you mean 'tiny'? (they hold tiny)");
  EXPECT_EQ(find_model("../tiny", {root_ / "tiny"}).error().message,
            "model '../tiny' is in none of the model_roots; they hold no model at all (NAME/model.yaml)");
  write("copy", tiny_manifest());
  EXPECT_NE(find_model("copy", {root_})
                .error()
                .message.find("expected 'copy' as the folder is called, found 'tiny'"),
            std::string::npos);
}

TEST_F(Models, DigestsNameMissingAndWrongFiles) {
  const ModelManifest model = *find_model("tiny", {root_});
  EXPECT_TRUE(verify_digests(model));
  std::ofstream(root_ / "tiny/vae.bin") << "other";
  const auto wrong = verify_digests(model);
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().kind, ErrorKind::kCorrupt);
  EXPECT_EQ(wrong.error().message, "model tiny: vae: " + (root_ / "tiny/vae.bin").string() + ": expected " +
                                       text_digest("vae") + ", found " + text_digest("other") +
                                       "; fetch the file again or correct model.yaml");
  fs::remove(root_ / "tiny/transformer.bin");
  EXPECT_NE(verify_digests(model).error().message.find(
                "transformer: " + (root_ / "tiny/transformer.bin").string() + ": no such file"),
            std::string::npos);
}

TEST(Model, DigestFollowsWhatDecidesPixels) {
  const std::string base = model_digest(*parse_model(tiny_manifest(), "a/model.yaml"));
  EXPECT_TRUE(is_digest(base));
  EXPECT_EQ(base, model_digest(*parse_model(tiny_manifest("renamed"), "b/model.yaml")));
  EXPECT_NE(base, model_digest(*parse_model(replaced(tiny_manifest(), "2.5]", "2.25]"), "a/model.yaml")));
  EXPECT_NE(base, model_digest(*parse_model(replaced(tiny_manifest(), text_digest("vae"), text_digest("v2")),
                                            "a/model.yaml")));
}

// Every model that ships reads, and its files are the ones its manifest names.
TEST(Model, ShippedModelsVerify) {
  const fs::path root = test::source_folder() / "config/models";
  for (const std::string& name : list_models({root})) {
    const auto model = find_model(name, {root});
    ASSERT_TRUE(model) << model.error().message;
    const auto verified = verify_digests(*model);
    EXPECT_TRUE(verified) << verified.error().message;
  }
}

}  // namespace
}  // namespace rushes::config
