#include "tools/rushes/costs.h"

#include <gtest/gtest.h>

#include "tools/rushes/client.h"

namespace rushes::tools {
namespace {

Json spent(double cpu, double gpu, double wasted_gpu) {
  return {{"cpu", cpu}, {"gpu", gpu}, {"total", cpu + gpu}, {"wasted_cpu", 0}, {"wasted_gpu", wasted_gpu}};
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::size_t begin = 0;
  for (std::size_t end; (end = text.find('\n', begin)) != std::string::npos; begin = end + 1)
    lines.push_back(text.substr(begin, end - begin));
  return lines;
}

TEST(CostsText, IsATableOfEightyColumns) {
  Json costs{
      {"device_seconds", spent(20, 1234567.25, 34.5)},
      {"shows", {{{"show", "demo"}, {"shots", 1}, {"device_seconds", spent(20, 100, 34.5)}}}},
      {"batches", {{{"batch", 3}, {"name", "/a/b/shots.yaml"}, {"device_seconds", spent(20, 100, 34.5)}}}},
      {"shots", Json::array()}};
  for (int i = 0; i < 25; ++i)
    costs["shots"].push_back(
        {{"shot", i == 0 ? "demo/" + std::string(64, 'x') : "demo/sh" + std::to_string(i)},
         {"device_seconds", spent(1, 4, 0)}});
  const std::vector<std::string> lines = lines_of(costs_text(costs, Style{}));
  for (const std::string& line : lines) EXPECT_LE(text_width(line), 80u) << line;
  ASSERT_GT(lines.size(), 10u);
  EXPECT_EQ(lines[0], "device seconds              used cpu   used gpu wasted cpu wasted gpu      total");
  EXPECT_EQ(lines[1], "25 shots                        20.0  1234532.8        0.0       34.5  1234587.2");
  EXPECT_EQ(lines[4], "  demo, 1 shot                  20.0       65.5        0.0       34.5      120.0");
  EXPECT_EQ(lines[7], "  3 shots.yaml                  20.0       65.5        0.0       34.5      120.0");
  EXPECT_EQ(lines[10], "  demo/" + std::string(64, 'x')) << "a long name is whole, on a line of its own";
  EXPECT_EQ(lines.back(), "  and 5 more; --json has them all");
}

TEST(CostsText, AnswersOfAnyShapeDoNotThrow) {
  EXPECT_EQ(costs_text(Json::object(), Style{}), "no shot yet\n");
  for (const char* text : {"null", "[1]", R"({"shots": [1, {}], "shows": {"a": 1}, "batches": [[]]})"})
    EXPECT_NO_THROW(costs_text(Json::parse(text), Style{})) << text;
}

TEST(Counted, SaysOneAndMany) {
  EXPECT_EQ(counted(1, "shot"), "1 shot");
  EXPECT_EQ(counted(0, "shot"), "0 shots");
  EXPECT_EQ(counted(2, "batch", "batches"), "2 batches");
}

TEST(QueryText, EscapesWhatWouldEndTheValue) {
  EXPECT_EQ(query_text("demo/sh010@1"), "demo/sh010@1");
  EXPECT_EQ(query_text("a&shot=b #\xc3\xa9%"), "a%26shot%3Db%20%23%C3%A9%25");
}

}  // namespace
}  // namespace rushes::tools
