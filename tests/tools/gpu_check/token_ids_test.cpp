// tools/gpu-check runs Tabletop from token ids where there is no tokenizer: they are the tokenizer's.
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "config/tokenizer.h"
#include "tests/folders.h"

namespace rushes {
namespace {

TEST(GpuCheck, TokenIdsOfTabletopAreItsTokenizers) {
  std::ifstream file(test::source_folder() / "tools/gpu_check/tabletop.ids");
  std::string prompt, ids, found;
  while (std::getline(file, prompt) && prompt.starts_with('#')) {
  }
  ASSERT_TRUE(std::getline(file, ids));
  const auto tokenizer =
      config::Tokenizer::load(test::source_folder() / "config/models/tabletop/tokenizer.model");
  ASSERT_TRUE(tokenizer) << tokenizer.error().message;
  const auto tokens = tokenizer->encode(prompt, 48);
  ASSERT_TRUE(tokens) << tokens.error().message;
  for (const std::int32_t id : tokens->ids) found += (found.empty() ? "" : ",") + std::to_string(id);
  EXPECT_EQ(ids, found);
}

}  // namespace
}  // namespace rushes
