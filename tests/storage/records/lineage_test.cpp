// How the windows of a take were made, as its recipe says it; and recipes of builds that said less.
#include "storage/records/lineage.h"

#include <capnp/message.h>
#include <gtest/gtest.h>

#include "storage/records/noise.h"
#include "storage/records/words_codec.h"

namespace rushes {
namespace {

Recipe recipe_of(std::vector<Revision> revisions) {
  Recipe recipe;
  recipe.prompt = "a red ball";
  recipe.seed = 7;
  recipe.windows = {{0, 9}, {7, 17}, {15, 25}};
  recipe.revisions = std::move(revisions);
  return recipe;
}

// As builds of before wrote it: with the last prompt in the place of the take's.
Bytes older_bytes(const Recipe& recipe) {
  capnp::MallocMessageBuilder message;
  auto root = message.initRoot<records::Recipe>();
  records::Writer writer(records::Source::kDisk);
  Recipe older = recipe;
  older.prompt = "";
  write(writer, root, older);
  const auto words = capnp::canonicalize(root.asReader());
  return {words.asBytes().begin(), words.asBytes().end()};
}

TEST(Lineage, SaysForEveryWindowWhichRevisionMadeItOfWhat) {
  const Recipe recipe = recipe_of({{1, {1}, 77, "", "a blue ball"},
                                   {2, {2}, 78, "", ""},
                                   {4, {1, 2}, 79, "", "a cube"},
                                   {5, {2}, 80, "", ""}});
  EXPECT_EQ(current_prompt(recipe), "a cube");
  EXPECT_EQ(windows_made(recipe),
            (std::vector<WindowMade>{{0, 0, 7, "a red ball"}, {1, 4, 79, "a cube"}, {2, 5, 80, "a cube"}}));
  const auto renewed = renewed_windows(windows_made(recipe));
  ASSERT_EQ(renewed.size(), 2u);
  EXPECT_EQ(renewed[0].windows, std::vector<std::uint32_t>{1});
  EXPECT_EQ(renewed[1].seed, 80u);
  const Recipe first = recipe_of({});
  EXPECT_EQ(current_prompt(first), "a red ball");
  EXPECT_TRUE(renewed_windows(windows_made(first)).empty());
}

TEST(Lineage, APromptOfAWindowIsADifference) {
  const Recipe one = recipe_of({{1, {1}, 7, "", "a blue ball"}});
  EXPECT_TRUE(renders_otherwise(recipe_of({}), one)) << "with the take's seed";
  EXPECT_FALSE(renders_otherwise(recipe_of({}), recipe_of({{1, {1}, 7, "", ""}})));
  EXPECT_FALSE(renders_otherwise(one, recipe_of({{1, {1}, 7, "", "a blue ball"}, {2, {1}, 7, "", ""}})));
}

TEST(Lineage, ARecipeKeepsTheTakesPromptAndEnginesOfBeforeReadTheLastOne) {
  const Recipe recipe = recipe_of({{1, {1}, 77, "", "a blue ball"}});
  const Bytes bytes = encode_recipe(recipe);
  EXPECT_EQ(*decode_recipe(bytes), recipe);
  const auto words = records::aligned_words(bytes);
  const kj::ArrayPtr<const capnp::word> segments[1] = {words};
  capnp::SegmentArrayMessageReader message(kj::arrayPtr(segments, 1));
  EXPECT_EQ(std::string(message.getRoot<records::Recipe>().getPrompt().cStr()), "a blue ball");
  EXPECT_FALSE(records::Recipe::Reader(message.getRoot<records::Recipe>()).getTakePrompt().size() == 0);
}

TEST(Lineage, AnOlderRecipeSaysWhatItKnowsAndKeepsItsBytes) {
  const Bytes bytes = older_bytes(recipe_of({{1, {2}, 77, "", ""}, {2, {1}, 78, "", "a blue ball"}}));
  const auto recipe = decode_recipe(bytes);
  ASSERT_TRUE(recipe) << recipe.error().message;
  EXPECT_EQ(recipe->prompt, "") << "it is lost";
  EXPECT_EQ(current_prompt(*recipe), "a blue ball");
  EXPECT_EQ(windows_made(*recipe),
            (std::vector<WindowMade>{{0, 0, 7, ""}, {1, 2, 78, "a blue ball"}, {2, 1, 77, ""}}));
  EXPECT_EQ(encode_recipe(*recipe), bytes);
}

}  // namespace
}  // namespace rushes
