// What is said about prompts when a shot is submitted.
#include "config/prompt.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "config/yaml.h"
#include "tests/folders.h"

namespace rushes::config {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

ModelManifest tabletop() {
  return read_model(test::source_folder() / "config/models/tabletop/model.yaml").value();
}

class Prompts : public ::testing::Test {
 protected:
  std::vector<std::string> remarks(const std::string& text) {
    return reader_.remarks("prompt", text).value();
  }
  PromptReader reader_ = PromptReader::open(tabletop()).value();
};

TEST_F(Prompts, WordsThatTheModelKnowsNeedNoRemark) {
  EXPECT_THAT(
      remarks("A shiny metal blue cube slides to the LEFT, on a wooden table at dusk; static camera."),
      IsEmpty());
}

TEST_F(Prompts, UnknownWordsAreNamedOnce) {
  const auto found = remarks("a red car drives through rain, the car h\xc3\xa4lt");
  ASSERT_EQ(found.size(), 1u);
  EXPECT_THAT(
      found[0],
      AllOf(
          HasSubstr("prompt: tabletop was not trained on 'car', 'drives', 'through', 'rain', 'h\xc3\xa4lt'"),
          Not(HasSubstr("'red'"))));
  EXPECT_THAT(reader_.known_words(),
              AllOf(HasSubstr("tabletop knows shape: sphere, ball"), HasSubstr("; light: day")));
}

TEST_F(Prompts, ALongPromptSaysWhereItIsCut) {
  std::string text = "a red sphere moves right on a table at dusk";
  EXPECT_THAT(remarks(text), IsEmpty());
  for (int i = 0; i < 20; ++i) text += " at dusk";
  const auto found = remarks(text + " by day");
  ASSERT_EQ(found.size(), 1u);
  EXPECT_THAT(found[0],
              AllOf(HasSubstr("tabletop reads 47"), HasSubstr("dusk at dusk at"), Not(HasSubstr("by day"))));
}

TEST_F(Prompts, TheLastTokenThatFitsIsNotCut) {
  std::string text = "red";
  while (remarks(text + " red").empty()) text += " red";
  const Tokenizer tokenizer = Tokenizer::load((tabletop().folder / "tokenizer.model").string()).value();
  EXPECT_EQ(tokenizer.encode(text, 48)->needed, 48);
  EXPECT_EQ(tokenizer.encode(text + " red", 48)->needed, 49);
}

TEST_F(Prompts, AModelWithoutListsKnowsEveryWord) {
  ModelManifest open = tabletop();
  open.knows.clear();
  const PromptReader reader = PromptReader::open(open).value();
  EXPECT_THAT(reader.remarks("prompt", "a car in the rain").value(), IsEmpty());
  EXPECT_EQ(reader.known_words(), "");
}

TEST_F(Prompts, BothPromptsOfAShotAreRead) {
  Shot shot;
  shot.prompt = "a red car";
  shot.negative_prompt = "rain";
  EXPECT_THAT(prompt_remarks(shot, reader_),
              ElementsAre(HasSubstr("prompt: "), HasSubstr("negative_prompt: ")));
  EXPECT_THAT(prompt_remarks(shot, fail(ErrorKind::kNotFound, "no file")), ElementsAre(HasSubstr("no file")));
}

TEST(Manifest, ListsOfWordsAreChecked) {
  const ModelManifest model = tabletop();
  EXPECT_EQ(model.knows.front().name, "shape");
  const auto read = [](const std::string& knows) {
    const auto text = read_text(tabletop().folder / "model.yaml").value();
    return parse_model(text.substr(0, text.find("knows:")) + knows, "model.yaml");
  };
  EXPECT_TRUE(read("knows: {light: [day]}\n"));
  EXPECT_TRUE(read(""));
  for (const char* wrong : {"knows: day\n", "knows: {light: day}\n", "knows: {light: [by day]}\n",
                            "knows: {light: [Day]}\n", "knows: {light: [[day]]}\n"})
    EXPECT_THAT(read(wrong).error().message, HasSubstr("knows")) << wrong;
}

}  // namespace
}  // namespace rushes::config
