#include "tools/rushes/costs.h"

#include <gtest/gtest.h>

#include <algorithm>

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
  const std::vector<std::string> lines = lines_of(costs_text(costs, Style{}, 0));
  for (const std::string& line : lines) EXPECT_LE(text_width(line), 80u) << line;
  ASSERT_GT(lines.size(), 10u);
  EXPECT_EQ(lines[0], "device seconds              used cpu   used gpu wasted cpu wasted gpu      total");
  EXPECT_EQ(lines[1], "25 shots                        20.0  1234532.8        0.0       34.5  1234587.2");
  EXPECT_EQ(lines[4], "  demo, 1 shot                  20.0       65.5        0.0       34.5      120.0");
  EXPECT_EQ(lines[7], "  3 shots.yaml                  20.0       65.5        0.0       34.5      120.0");
  EXPECT_EQ(lines[10], "  demo/" + std::string(64, 'x')) << "a long name is whole, on a line of its own";
  EXPECT_EQ(lines.back(), "  and 5 more; --json has them all");
}

TEST(CostsText, IsAListWhereTheTableHasNoRoom) {
  const Json costs{{"device_seconds", spent(20, 1234567.25, 0)},
                   {"shots", {{{"shot", "demo/sh010"}, {"device_seconds", spent(0.01, 4, 0)}}}}};
  EXPECT_EQ(lines_of(costs_text(costs, Style{}, 80)).size(), 5u);
  const std::vector<std::string> lines = lines_of(costs_text(costs, Style{}, 40));
  const std::vector<std::string> expected{"1 shot",
                                          "    1234587.2 device s (20.0 cpu, 1234567.2 gpu)",
                                          "",
                                          "shots",
                                          "  demo/sh010",
                                          "    4.0 device s (<0.1 cpu, 4.0 gpu)"};
  EXPECT_EQ(lines, expected);
}

TEST(ShotList, FitsTheTerminalAndCutsNoName) {
  const std::string longest = "demo/" + std::string(40, 'x');
  Json shots = Json::array();
  for (const std::string& name : {std::string("demo/sh010"), longest})
    shots.push_back({{"shot", name},
                     {"state", "drafting"},
                     {"progress", 0.5},
                     {"takes", Json::array()},
                     {"device_seconds", {{"total", 0.02}}}});
  for (const std::size_t width : {0, 80, 40}) {
    const std::vector<std::string> lines = lines_of(shot_list(shots, Style{}, width));
    EXPECT_EQ(std::count(lines.begin(), lines.end(), longest), 1) << "it can be copied";
    for (const std::string& line : lines) {
      const bool fits = line == longest || width == 0 || text_width(line) <= width + 4;
      EXPECT_TRUE(fits) << line;
    }
    EXPECT_NE(lines.back().find("<0.1 s"), std::string::npos) << lines.back();
  }
}

TEST(CostsText, AnswersOfAnyShapeDoNotThrow) {
  EXPECT_EQ(costs_text(Json::object(), Style{}, 0), "no shot yet\n");
  for (const char* text : {"null", "[1]", R"({"shots": [1, {}], "shows": {"a": 1}, "batches": [[]]})"})
    EXPECT_NO_THROW(costs_text(Json::parse(text), Style{}, 0)) << text;
}

Json range(double low, double expected, double high, const char* basis) {
  return {{"low", low}, {"expected", expected}, {"high", high}, {"basis", basis}};
}

TEST(PriceText, SaysHowFarItCanBeTrusted) {
  EXPECT_EQ(price_line(range(12, 14, 16.04, "measured")), "about 14.0 device s (12.0 to 16.0)");
  EXPECT_EQ(price_line(range(0, 14, 28, "guess")),
            "about 14.0 device s (0.0 to 28.0), a guess, nothing was measured yet");
  EXPECT_EQ(price_line(range(0, 14, 28, "other_devices")),
            "about 14.0 device s (0.0 to 28.0), measured on other devices");
}

TEST(PriceText, SaysWhichStagesAreAGuess) {
  Json price = range(10, 14, 18, "partly_guess");
  price["guessed"] = {{"stages", {"draft finish", "draft deliver"}}, {"expected", 2}};
  EXPECT_EQ(
      price_line(price),
      "about 14.0 device s (10.0 to 18.0), of it 2.0 a guess, not measured yet: draft finish, draft deliver");
  for (const char* odd : {"1", "{}", R"({"stages": 3})", R"({"stages": [1, null]})"}) {
    price["guessed"] = Json::parse(odd);
    EXPECT_EQ(price_line(price), "about 14.0 device s (10.0 to 18.0)") << odd;
  }
}

TEST(PriceText, IsATableOfEightyColumns) {
  Json price = range(12, 14, 16, "partly_guess");
  price["guessed"] = {{"stages", {"master critique"}}, {"expected", 3}};
  price["stages"] = Json::array({range(10, 11, 12, "measured"), range(2, 3, 1234567.8, "guess")});
  price["stages"][0].update({{"level", "draft"}, {"stage", "denoise"}});
  price["stages"][1].update({{"level", "master"}, {"stage", "critique"}});
  price["revisions"] = {{"expected", 2.5}, {"high", 30}};
  const std::vector<std::string> lines = lines_of(price_table(price));
  const std::vector<std::string> expected{
      "    device seconds                   low   expected       high",
      "    draft denoise                   10.0       11.0       12.0",
      "    master critique                  2.0        3.0  1234567.8  a guess",
      "    all                             12.0       14.0       16.0",
      "    of it 3.0 a guess, not measured yet: master critique",
      "    more, if critics ask                        2.5       30.0"};
  EXPECT_EQ(lines, expected);
  for (const std::string& line : lines) EXPECT_LE(text_width(line), 80u) << line;
}

TEST(PriceText, NothingThatCostsReadsAsNothing) {
  EXPECT_EQ(price_line(range(0, 0.004, 0.2, "measured")), "about <0.1 device s (0.0 to 0.2)");
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
