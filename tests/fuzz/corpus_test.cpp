// Every target over every file of its corpus: what the fuzzers ever found stays found, with any compiler.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "tests/folders.h"
#include "tests/fuzz/targets.h"

namespace rushes::fuzz {
namespace {

namespace fs = std::filesystem;
const fs::path kCorpus = test::source_folder() / "tests/data/fuzz";

struct Target {
  const char* name;
  void (*run)(std::string_view);
};

constexpr Target kTargets[] = {
    {"control", control},
    {"artifacts", artifacts},
    {"pipe", pipe},
    {"task", task},
    {"payload", payload},
    {"record", record},
    {"snapshot", snapshot},
    {"recipe", recipe},
    {"safetensors", safetensors},
    {"safetensors_header", safetensors_header},
    {"yaml_farm", yaml_farm},
    {"yaml_tokens", yaml_tokens},
    {"yaml_worker", yaml_worker},
    {"yaml_shots", yaml_shots},
    {"yaml_model", yaml_model},
    {"frame_range", frame_range},
    {"http_body", http_body},
    {"http_head", http_head},
    {"http_chunks", http_chunks},
};

std::vector<fs::path> files_of(const fs::path& folder) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(folder)) files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  return files;
}

class Corpus : public testing::TestWithParam<Target> {};

TEST_P(Corpus, IsReadOrRefused) {
  const auto files = files_of(kCorpus / GetParam().name);
  ASSERT_GE(files.size(), 3u);
  for (const fs::path& file : files) {
    std::ifstream stream(file, std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(stream), {}};
    SCOPED_TRACE(file.string());
    GetParam().run(bytes);  // ends the process when a promise is broken
    // And cut off in the middle, and with a byte changed: what a disk and a network do.
    GetParam().run(std::string_view(bytes).substr(0, bytes.size() / 2));
    std::string changed = bytes;
    if (!changed.empty()) changed[changed.size() / 3] = static_cast<char>(changed[changed.size() / 3] ^ 0x41);
    GetParam().run(changed);
  }
}

INSTANTIATE_TEST_SUITE_P(All, Corpus, testing::ValuesIn(kTargets),
                         [](const auto& of) { return std::string(of.param.name); });

TEST(Corpus, EveryFolderHasATarget) {
  for (const fs::path& folder : files_of(kCorpus))
    EXPECT_TRUE(std::any_of(std::begin(kTargets), std::end(kTargets), [&](const Target& target) {
      return folder.filename() == target.name;
    })) << folder;
}

}  // namespace
}  // namespace rushes::fuzz
