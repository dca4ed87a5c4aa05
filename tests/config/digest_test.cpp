#include "config/digest.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <filesystem>
#include <fstream>

namespace rushes::config {
namespace {

// BLAKE2b-256 of "" and "abc": printed by `b2sum -l 256`.
TEST(Digest, KnownAnswers) {
  EXPECT_EQ(to_hex(digest_of("")), "0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8");
  EXPECT_EQ(to_hex(digest_of("abc")), "bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319");
}

RC_GTEST_PROP(Digest, StreamEqualsWhole, (const std::vector<std::string>& pieces)) {
  DigestStream stream;
  std::string whole;
  for (const auto& piece : pieces) {
    stream.update(piece);
    whole += piece;
  }
  RC_ASSERT(stream.finish() == digest_of(whole));
}

RC_GTEST_PROP(Digest, HexRoundTrip, (const std::string& text)) {
  const Digest digest = digest_of(text);
  RC_ASSERT(digest_from_hex(to_hex(digest)).value() == digest);
  RC_ASSERT(digest_from_bytes(bytes_of(digest)).value() == digest);
}

TEST(Digest, RefusesOtherLengthsAndCharacters) {
  EXPECT_FALSE(digest_from_hex(std::string(63, 'a')));
  EXPECT_FALSE(digest_from_hex(std::string(65, 'a')));
  EXPECT_FALSE(digest_from_hex(std::string(64, 'g')));
  EXPECT_FALSE(digest_from_bytes(std::string(31, 'a')));
}

TEST(Digest, AsText) {
  EXPECT_EQ(text_digest("abc"),
            "blake2b-256:bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319");
}

TEST(Digest, OfAFileIsThatOfItsBytes) {
  const auto file = std::filesystem::path(testing::TempDir()) / "digest_test.bin";
  const std::string bytes(3 * 1024 * 1024 + 17, 'x');
  std::ofstream(file, std::ios::binary) << bytes;
  EXPECT_EQ(file_digest(file), text_digest(bytes));
  std::filesystem::remove(file);
  EXPECT_EQ(file_digest(file).error().kind, ErrorKind::kNotFound);
}

TEST(Digest, FormAndComparison) {
  EXPECT_TRUE(is_digest(text_digest("x")));
  EXPECT_FALSE(is_digest("blake2b-256:ABC"));
  EXPECT_FALSE(is_digest(text_digest("x").substr(12)));
  EXPECT_TRUE(same_digest("abc", "abc"));
  EXPECT_FALSE(same_digest("abc", "abd"));
  EXPECT_FALSE(same_digest("abc", "abcd"));
}

}  // namespace
}  // namespace rushes::config
