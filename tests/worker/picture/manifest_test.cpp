#include "worker/picture/manifest.h"

#include <nlohmann/json.hpp>

#include "tests/worker/picture/synthetic.h"
#include "worker/picture/atomic_file.h"

namespace rushes::worker {
namespace {

nlohmann::json example() {
  const testing::ScratchFolder folder;
  EXPECT_TRUE(write_file(folder.file("a.exr"), "pixels"));
  const auto seal = seal_of(folder.file("a.exr"));
  EXPECT_TRUE(seal);
  return {{"version", 2},
          {"recipe", {{"prompt", "a \"seal\": \"in\" a prompt"}}},
          {"files", {{{"file", "a.exr"}, {"bytes", seal->bytes}, {"blake2b_256", seal->digest}}}}};
}

TEST(Manifest, ReadsWhatItSealed) {
  const auto manifest = read_manifest(sealed(example()));
  ASSERT_TRUE(manifest) << manifest.error().message;
  ASSERT_EQ(manifest->files.size(), 1U);
  EXPECT_EQ(manifest->files[0].name, "a.exr");
  EXPECT_EQ(manifest->files[0].seal.bytes, 6U);
  // b2sum -l 256 of "pixels"
  EXPECT_EQ(manifest->files[0].seal.digest, example()["files"][0]["blake2b_256"]);
}

TEST(Manifest, EveryFlippedBitIsFound) {
  const std::string text = sealed(example());
  for (std::size_t i = 0; i < text.size() * 8; ++i) {
    std::string changed = text;
    changed[i / 8] = static_cast<char>(changed[i / 8] ^ (1 << (i % 8)));
    EXPECT_TRUE(is_manifest(changed)) << i;
    EXPECT_FALSE(read_manifest(changed)) << "bit " << i << " of " << text;
  }
  for (const std::size_t length : {std::size_t{0}, text.size() / 2, text.size() - 2})
    EXPECT_FALSE(read_manifest(text.substr(0, length)));
}

TEST(Manifest, OlderOnesHaveNoSeal) {
  auto json = example();
  json["version"] = 1;
  const auto manifest = read_manifest(json.dump());
  ASSERT_TRUE(manifest) << manifest.error().message;
  EXPECT_EQ(manifest->version, 1);
}

TEST(Manifest, NamesLeadNowhereElse) {
  for (const char* name : {"../a.exr", "/a.exr", "", ".hidden"}) {
    auto json = example();
    json["files"][0]["file"] = name;
    EXPECT_FALSE(read_manifest(sealed(json))) << name;
  }
  auto json = example();
  json["files"].push_back(json["files"][0]);
  EXPECT_FALSE(read_manifest(sealed(json)));
  EXPECT_FALSE(seal_of("/nowhere/a.exr"));
}

}  // namespace
}  // namespace rushes::worker
