// The table of keys that people read names exactly what the reader takes.
#include "config/shot_keys.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <regex>
#include <set>

#include "config/critics.h"
#include "config/shot.h"
#include "config/yaml.h"
#include "tests/folders.h"

namespace rushes::config {
namespace {

TEST(ShotKeys, TheTableHasTheKeysThatTheReaderAsksFor) {
  std::set<std::string> read;
  for (std::string key : batch_keys()) {
    key = std::regex_replace(key, std::regex(R"(\[\d+\])"), "[]");
    for (const KnownCritic& critic : kCritics)
      key = std::regex_replace(key, std::regex("critics\\." + std::string(critic.name)), "critics.NAME");
    const bool of_shot = key.starts_with("shots[].");
    read.insert(of_shot ? key.substr(8) : "/" + key);
  }
  std::set<std::string> written;
  for (const ShotKey& row : kShotKeys) {
    written.emplace(row.key);
    // A map is named by its keys.
    const std::string_view map = row.key.substr(0, row.key.find_first_of(".["));
    if (map != row.key) written.emplace(map);
  }
  EXPECT_EQ(read, written);
}

TEST(ShotKeys, TheTableNamesTheLimitsThatTheReaderHas) {
  const auto row = [](std::string_view key) {
    const auto* found =
        std::find_if(kShotKeys.begin(), kShotKeys.end(), [&](const ShotKey& r) { return r.key == key; });
    return std::string(found->value) + "; " + std::string(found->meaning);
  };
  EXPECT_NE(row("frames").find("1 to " + std::to_string(kMaxFrames) + ";"), std::string::npos);
  EXPECT_NE(row("takes").find("1 to " + std::to_string(kMaxTakes) + ";"), std::string::npos);
  EXPECT_NE(row("sampling.steps").find("1 to " + std::to_string(kMaxSteps) + ";"), std::string::npos);
  EXPECT_NE(row("upgrade.steps").find("1 to " + std::to_string(kMaxSteps) + ";"), std::string::npos);
  EXPECT_NE(row("/shots").find("at most " + std::to_string(kMaxShots)), std::string::npos);
}

TEST(ShotKeys, TheReadmeHoldsTheTable) {
  const auto readme = read_text(test::source_folder() / "README.md");
  ASSERT_TRUE(readme);
  EXPECT_NE(readme->find(shot_keys_table()), std::string::npos)
      << "README.md lacks this table, or has another one:\n"
      << shot_keys_table();
}

}  // namespace
}  // namespace rushes::config
