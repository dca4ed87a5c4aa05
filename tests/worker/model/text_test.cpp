// Tokenizer and text encoder. The encoder's numbers are checked by rushes-parity on the goldens.
#include <gtest/gtest.h>

#include <fstream>

#include "config/tokenizer.h"
#include "tests/worker/model/tiny_model.h"
#include "worker/model/text_encoder.h"

namespace rushes::worker {
namespace {

TEST(CleanText, UnescapesStraightensAndCollapses) {
  EXPECT_EQ(*config::clean_text("  a\t red \n\n ball  "), "a red ball");
  EXPECT_EQ(*config::clean_text("salt &amp;amp; pepper"), "salt & pepper");  // unescaped twice
  EXPECT_EQ(*config::clean_text("\u201cquoted\u201d it\u2019s"), "\"quoted\" it's");
  EXPECT_EQ(*config::clean_text("caf&eacute; &#x41;&#66; &unknown; &#0; R&D"), "café AB &unknown; &#0; R&D");
  EXPECT_EQ(*config::clean_text("a\x01\x7f"
                                "b\xef\xbb\xbf"),
            "ab");
  EXPECT_EQ(*config::clean_text("\xe4\xb8\xad\xe3\x80\x80\xe6\x96\x87"), "\xe4\xb8\xad \xe6\x96\x87");
  EXPECT_EQ(*config::clean_text(""), "");
}

TEST(CleanText, RefusesWhatIsNoUtf8) {
  for (const char* bad : {"\xff", "a\xc3", "\xc0\x80", "\xed\xa0\x80", "\xf5\x80\x80\x80", "\x80"})
    EXPECT_FALSE(config::clean_text(bad)) << bad;
}

class Text : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = temporary_.path() / "tiny";
    auto manifest = write_tiny_model(folder_);
    ASSERT_TRUE(manifest) << manifest.error().message;
  }
  TestFolder temporary_;
  std::filesystem::path folder_;
};

TEST_F(Text, TokenizerEndsEveryTextAndCutsLongOnes) {
  auto tokenizer = config::Tokenizer::load((folder_ / "tokenizer.model").string());
  ASSERT_TRUE(tokenizer) << tokenizer.error().message;
  EXPECT_EQ(tokenizer->encode("", 8)->ids, (std::vector<std::int32_t>{1}));
  const auto whole = tokenizer->encode("a red ball rolls to the right on a table", 200);
  const auto cut = tokenizer->encode("a red ball rolls to the right on a table", 4);
  EXPECT_FALSE(whole->truncated);
  EXPECT_TRUE(cut->truncated);
  ASSERT_EQ(cut->ids.size(), 4u);
  EXPECT_EQ(cut->ids.back(), 1);
  EXPECT_TRUE(std::equal(cut->ids.begin(), cut->ids.end() - 1, whole->ids.begin()));
  EXPECT_FALSE(tokenizer->encode("\xff", 8));
}

TEST_F(Text, TokenizerRefusesBrokenFiles) {
  EXPECT_EQ(config::Tokenizer::load((folder_ / "gone.model").string()).error().kind, ErrorKind::kNotFound);
  const auto broken = folder_ / "broken.model";
  std::ofstream(broken) << "this is no model";
  EXPECT_EQ(config::Tokenizer::load(broken.string()).error().kind, ErrorKind::kCorrupt);
}

TEST(TextEncoder, PaddingDoesNotChangeTheWords) {
  auto backend = kernels::make_cpu_backend({1, kernels::Precision::kF32});
  auto encoder = TextEncoder::load(*backend, random_text_encoder({}).file());
  ASSERT_TRUE(encoder) << encoder.error().message;
  const std::vector<std::int32_t> ids = {5, 9, 1}, padded = {5, 9, 1, 0, 0}, mask = {1, 1, 1, 0, 0};
  const auto alone = *encoder->encode(ids), masked = *encoder->encode(padded, mask),
             open = *encoder->encode(padded);
  double difference = 0, without_mask = 0;
  for (std::size_t i = 0; i < alone.size(); ++i) {
    difference = std::max(difference, static_cast<double>(std::abs(alone[i] - masked[i])));
    without_mask = std::max(without_mask, static_cast<double>(std::abs(alone[i] - open[i])));
  }
  EXPECT_LT(difference, 1e-5);
  EXPECT_GT(without_mask, 1e-2);
}

TEST(TextEncoder, RefusesForeignTokens) {
  auto backend = kernels::make_cpu_backend({1, kernels::Precision::kF32});
  auto encoder = TextEncoder::load(*backend, random_text_encoder({}).file());
  EXPECT_FALSE(encoder->encode(std::vector<std::int32_t>{96}));
  EXPECT_FALSE(encoder->encode(std::vector<std::int32_t>{-1}));
  EXPECT_FALSE(encoder->encode(std::vector<std::int32_t>{}));
  EXPECT_FALSE(encoder->encode(std::vector<std::int32_t>{1}, std::vector<std::int32_t>{0}));
}

TEST(RelativeBucket, HalvesAndEdges) {
  EXPECT_EQ(relative_bucket(0, 32), 0);
  EXPECT_EQ(relative_bucket(-7, 32), 7);
  EXPECT_EQ(relative_bucket(7, 32), 23);
  EXPECT_EQ(relative_bucket(-16, 32), 10);
  EXPECT_EQ(relative_bucket(-64, 32), 14);
  EXPECT_EQ(relative_bucket(-1000, 32), 15);
  EXPECT_EQ(relative_bucket(1000, 32), 31);
}

}  // namespace
}  // namespace rushes::worker
