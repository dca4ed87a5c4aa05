#include <gtest/gtest.h>

#include "config/name.h"
#include "storage/records/text.h"

namespace rushes::protocol {
namespace {

TEST(Text, MalformedUtf8IsFoundAndCleaned) {
  EXPECT_TRUE(is_clean_text("plain, \xC3\xA4, \xE2\x82\xAC, \xF0\x9F\x8E\xAC\n\t"));
  for (const char* bad :
       {"\xC0\xAF", "\xE0\x80\x80", "\xED\xA0\x80", "\xF4\x90\x80\x80", "\xC3", "\x80", "a\x01", "\x7F"}) {
    EXPECT_FALSE(is_clean_text(bad)) << bad;
    EXPECT_TRUE(is_clean_text(clean_text(bad)));
  }
}

TEST(Text, CutsAtWholeCharacters) {
  const std::string euros = "\xE2\x82\xAC\xE2\x82\xAC";
  EXPECT_EQ(clean_text(euros, 5), "\xE2\x82\xAC");
  EXPECT_EQ(clean_text(euros, 4, true), "\xE2\x82\xAC");
  EXPECT_EQ(clean_text("abcdef", 3), "abc");
  EXPECT_EQ(clean_text("abcdef", 3, true), "def");
}

TEST(Text, NamesAreShortAndPlain) {
  EXPECT_TRUE(config::is_name("worker-1"));
  for (const char* bad : {"", "-a", "a b", "a/b", "\xC3\xA4"}) EXPECT_FALSE(config::is_name(bad)) << bad;
  EXPECT_FALSE(config::is_name(std::string(65, 'a')));
}

}  // namespace
}  // namespace rushes::protocol
