#include "config/yaml.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

namespace rushes::config {
namespace {

using namespace std::chrono_literals;

// What the reader says about a text that nothing was asked of.
std::string complaint(const std::string& text) {
  Problems problems("f.yaml");
  parse_yaml(text, problems);
  return problems.empty() ? "" : problems.error().message;
}

TEST(Yaml, RefusesWhatConfigurationHasNoUseFor) {
  EXPECT_EQ(complaint("version: 1\n"), "");
  EXPECT_EQ(complaint(""), "f.yaml:1:1: expected a map with 'version: 1', found an empty file");
  EXPECT_EQ(complaint("- 1\n"), "f.yaml:1:1: expected a map with 'version: 1', found a list");
  EXPECT_EQ(complaint("name: x\n"), "f.yaml:1:1: version: expected 'version: 1', found no such key");
  EXPECT_EQ(complaint("version: 2\n"),
            "f.yaml:1:10: version: expected 1, the only version there is, found '2'");
  EXPECT_EQ(complaint("version: 1\na: 1\nb: 2\na: 3\n"),
            "f.yaml:4:1: a: the key is written twice in one map; keep one of them");
  EXPECT_EQ(complaint("version: 1\na: &x 1\nb: 2\n"), "f.yaml:2:4: anchors are not supported, found '&x'");
  EXPECT_EQ(complaint("version: 1\na: !!python/x 1\n"),
            "f.yaml:2:4: tags are not supported, found 'tag:yaml.org,2002:python/x'");
  EXPECT_EQ(complaint("version: 1\n---\nversion: 1\n"),
            "f.yaml:1:1: expected one document, found several ('---')");
  EXPECT_EQ(complaint("version: 1\n[a]: 1\n"), "f.yaml:2:1: expected a word as key, found a list");
  EXPECT_EQ(complaint("version: 1\na: \xFF\n"), "f.yaml:2:4: expected UTF-8 text, found another byte");
  EXPECT_EQ(complaint("version: 1\na: [1, 2\n").substr(0, 30), "f.yaml:3:1: not valid YAML: en");
}

TEST(Yaml, BoundsItsWork) {
  EXPECT_EQ(complaint(std::string(kMaxYamlBytes + 1, ' ')),
            "f.yaml:1:1: expected at most 1048576 bytes, found 1048577");
  EXPECT_EQ(complaint("version: 1\na: " + std::string(20, '[') + std::string(20, ']') + "\n"),
            "f.yaml:2:19: nested deeper than 16 levels");
  EXPECT_FALSE(complaint("a: " + std::string(100'000, '[')).empty());
  EXPECT_FALSE(complaint("a: " + std::string(100'000, '{')).empty());
  std::string many = "version: 1\na: [";
  for (std::size_t i = 0; i < kMaxYamlNodes + 10; ++i) many += "1,";
  EXPECT_NE(complaint(many + "1]\n").find("more than 200000 values"), std::string::npos);
}

TEST(Yaml, BillionLaughsStopsAtTheFirstAlias) {
  const std::string text = "version: 1\na: &a [x]\nb: [*a, *a]\n";
  EXPECT_EQ(complaint(text),
            "f.yaml:2:4: anchors are not supported, found '&a'\n"
            "f.yaml:3:5: aliases are not supported; write the value out");
}

TEST(Yaml, PropertyAnyTextIsReadOrRefused) {
  EXPECT_TRUE(rc::check("hostile text never escapes as an exception", [] {
    const auto text =
        *rc::gen::container<std::string>(rc::gen::elementOf(std::string("ab1:-[]{}&*!|>'\"\n ,#?%\xFF\x01")));
    complaint("version: 1\n" + text);
  }));
}

// Reads one of each kind from `text` and returns what was complained about.
std::string read_kinds(const std::string& body) {
  Problems problems("f.yaml");
  const YamlNode root = parse_yaml("version: 1\n" + body, problems);
  if (!problems.empty()) return problems.error().message;
  Fields fields(root, "", problems);
  fields.find("version");
  int integer = 0;
  double number = 0;
  bool flag = false;
  std::string text;
  std::chrono::milliseconds duration{};
  std::uint64_t size = 0;
  fields.integer("count", integer, 1, 64);
  fields.number("weight", number, 0, 1);
  fields.flag("gate", flag);
  fields.name("name", text);
  fields.duration("lease", duration, 100ms, 10min);
  fields.size("cache", size, 1024, 1 << 20);
  fields.choice("approve", integer, {"person", "best"});
  fields.list("seeds", 2, "a list of numbers", [](const YamlNode&, const std::string&) {});
  fields.finish();
  return problems.empty() ? "" : problems.error().message;
}

TEST(Yaml, ValuesOfTheWrongKindNameWhatIsExpected) {
  EXPECT_EQ(
      read_kinds(
          "count: 64\nweight: 0.5\ngate: true\nname: a-b_1\nlease: 15 s\ncache: 64 KiB\napprove: best\n"),
      "");
  const std::vector<std::pair<std::string, std::string>> table{
      {"count: 65", "f.yaml:2:8: count: expected a whole number from 1 to 64, found '65'"},
      {"count: 1.5", "f.yaml:2:8: count: expected a whole number from 1 to 64, found '1.5'"},
      {"count: '3'", "f.yaml:2:8: count: expected a whole number from 1 to 64, found the text '3'"},
      {"count: [3]", "f.yaml:2:8: count: expected a whole number from 1 to 64, found a list"},
      {"count:", "f.yaml:2:1: count: expected a whole number from 1 to 64, found nothing"},
      {"count: 99999999999999999999",
       "f.yaml:2:8: count: expected a whole number from 1 to 64, found "
       "'99999999999999999999'"},
      {"weight: .nan", "f.yaml:2:9: weight: expected a number from 0 to 1, found '.nan'"},
      {"weight: nan", "f.yaml:2:9: weight: expected a number from 0 to 1, found 'nan'"},
      {"weight: inf", "f.yaml:2:9: weight: expected a number from 0 to 1, found 'inf'"},
      {"gate: yes", "f.yaml:2:7: gate: expected true or false, found 'yes'"},
      {"name: ../etc",
       "f.yaml:2:7: name: expected a name of at most 64 letters, digits, '_' and '-' that starts with a "
       "letter or digit, found '../etc'"},
      {"lease: 15",
       "f.yaml:2:8: lease: expected a time from 100 ms to 10 min with its unit (ms, s, min, h, days), "
       "found '15'"},
      {"cache: 2 MiB",
       "f.yaml:2:8: cache: expected a size from 1 KiB to 1 MiB with its unit (B, KiB, MiB, GiB, TiB), "
       "found '2 MiB'"},
      {"approve: bets",
       "f.yaml:2:10: approve: expected one of person, best, found 'bets'; did you mean 'best'?"},
      {"seeds: [1, 2, 3]", "f.yaml:2:8: seeds: expected at most 2 entries, found 3"},
      {"seeds: 1", "f.yaml:2:8: seeds: expected a list of numbers, found '1'"},
      {"cuont: 1", "f.yaml:2:1: cuont: unknown key; did you mean 'count'?"},
      {"colour: 1",
       "f.yaml:2:1: colour: unknown key; the keys here are version, count, weight, gate, name, lease, "
       "cache, approve, seeds"},
  };
  for (const auto& [body, message] : table) EXPECT_EQ(read_kinds(body + "\n"), message);
}

TEST(Yaml, AllProblemsAreListedInTheOrderOfLines) {
  EXPECT_EQ(read_kinds("zzz: 1\ngate: 2\ncount: 0\n"),
            "f.yaml:2:1: zzz: unknown key; the keys here are version, count, weight, gate, name, lease, "
            "cache, approve, "
            "seeds\n"
            "f.yaml:3:7: gate: expected true or false, found '2'\n"
            "f.yaml:4:8: count: expected a whole number from 1 to 64, found '0'");
}

TEST(Yaml, ProblemsAreOneLineEachAndBounded) {
  Problems problems("f.yaml");
  for (int i = 0; i < 80; ++i) problems.add(1, 1, "k", "bad\nvalue\x1b[31m");
  const std::string message = problems.error().message;
  EXPECT_EQ(std::count(message.begin(), message.end(), '\n'), static_cast<long>(kMaxProblems));
  EXPECT_EQ(message.find('\x1b'), std::string::npos);
  EXPECT_NE(message.find("and 30 more problems"), std::string::npos);
}

TEST(Yaml, EditDistanceIsLevenshteins) {
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3u);
  EXPECT_EQ(edit_distance("", "abc"), 3u);
  EXPECT_EQ(nearest("promt", {"prompt", "priority"}), "prompt");
  EXPECT_EQ(nearest("zebra", {"prompt", "priority"}), "");
}

TEST(Yaml, FilesThatCannotBeReadSaySo) {
  EXPECT_EQ(read_text("/nonexistent/x.yaml").error().message, "/nonexistent/x.yaml: no such file");
  EXPECT_EQ(read_text("/").error().message, "/: expected a file, found a folder");
}

}  // namespace
}  // namespace rushes::config
