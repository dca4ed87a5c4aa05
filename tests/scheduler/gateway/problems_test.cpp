#include <gtest/gtest.h>

#include "scheduler/gateway/json.h"

namespace rushes::scheduler {
namespace {

TEST(Problems, LinesOfReadersBecomeFields) {
  const auto json = problems_json(
      "shots.yaml:4:9: frames: expected a whole number, found 'many'\n"
      "a:b.yaml:12: shot sh010: model tiny makes 24 frames per second, not 25\n"
      "something without a place");
  ASSERT_EQ(json["errors"].size(), 3u);
  const auto& first = json["errors"][0];
  EXPECT_EQ(first["file"], "shots.yaml");
  EXPECT_EQ(first["line"], 4);
  EXPECT_EQ(first["column"], 9);
  EXPECT_EQ(first["key"], "frames");
  EXPECT_EQ(first["message"], "expected a whole number, found 'many'");
  EXPECT_EQ(json["errors"][1]["file"], "a:b.yaml");
  EXPECT_EQ(json["errors"][1]["line"], 12);
  EXPECT_EQ(json["errors"][1]["message"], "shot sh010: model tiny makes 24 frames per second, not 25");
  EXPECT_EQ(json["errors"][2]["message"], "something without a place");
}

TEST(Problems, BytesThatAreNoTextDoNotThrow) {
  const auto json = error_json({ErrorKind::kNotFound, "name \xff\xfe"});
  EXPECT_NE(text_of(json).find("not_found"), std::string::npos);
}

}  // namespace
}  // namespace rushes::scheduler
