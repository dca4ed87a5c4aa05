// The program rushes-critique on sequences of EXR files.
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/folders.h"
#include "tests/worker/critic/scene.h"
#include "worker/picture/exr.h"

namespace rushes::worker {
namespace {

namespace fs = std::filesystem;

struct Outcome {
  int code = -1;
  std::string text;
};

Outcome run(const std::string& arguments) {
  const std::string command = test::build_folder().string() + "/bin/rushes-critique " + arguments + " 2>&1";
  Outcome outcome;
  std::FILE* pipe = popen(command.c_str(), "r");
  std::array<char, 4096> block{};
  while (pipe != nullptr && std::fgets(block.data(), block.size(), pipe) != nullptr)
    outcome.text += block.data();
  outcome.code = WEXITSTATUS(pclose(pipe));
  return outcome;
}

class Program : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::path(::testing::TempDir()) /
              ("critique_" + std::string(::testing::UnitTest::GetInstance()->current_test_info()->name()));
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }
  void write(const Clip& clip) {
    DeliveryTags tags;
    tags.shot = "take";
    tags.version = "v001";
    const auto files = write_exr_sequence(folder_.string(), clip, tags);
    ASSERT_TRUE(files) << files.error().message;
  }
  fs::path folder_;
};

TEST_F(Program, PassesACleanClip) {
  write(testing::render(testing::Action::kMove, 1, {96, 54, 12, true}));
  const Outcome outcome = run(folder_.string() + " --json");
  EXPECT_EQ(outcome.code, 0) << outcome.text;
  EXPECT_EQ(nlohmann::json::parse(outcome.text)["verdict"], "pass");
}

TEST_F(Program, NamesTheFramesOfAFault) {
  Clip clip = testing::render(testing::Action::kPan, 1, {96, 54, 20, true});
  testing::copy_frame(clip, 9, 10);
  write(clip);
  const Outcome outcome = run(folder_.string());
  EXPECT_EQ(outcome.code, 1);
  EXPECT_NE(outcome.text.find("freeze: frame 1011 repeats the frame before while the shot moves"),
            std::string::npos)
      << outcome.text;
}

TEST_F(Program, AShotFileSetsTheThresholds) {
  Clip clip = testing::render(testing::Action::kPan, 1, {96, 54, 20, true});
  testing::copy_frame(clip, 9, 10);
  write(clip);
  const fs::path shot = folder_ / "shot.yaml";
  std::ofstream(shot) << "version: 1\nshow: s\nshots:\n- {name: a, prompt: x, model: m, frames: 20, critics: "
                         "{freeze: off}}\n";
  EXPECT_EQ(run(folder_.string() + " --shot " + shot.string()).code, 0);
  EXPECT_EQ(run(folder_.string() + " --shot " + shot.string() + " --name b").code, 2);
}

TEST_F(Program, BadArgumentsAreOneLine) {
  EXPECT_EQ(run("").code, 2);
  const Outcome outcome = run((folder_ / "gone").string());
  EXPECT_EQ(outcome.code, 2);
  EXPECT_EQ(std::count(outcome.text.begin(), outcome.text.end(), '\n'), 1) << outcome.text;
  write(testing::render(testing::Action::kMove, 1, {32, 18, 5, true}));
  EXPECT_EQ(run(folder_.string() + " --windows 0-9").text,
            "rushes-critique: --windows: expected ascending ranges inside 0-4, found '0-9'\n");
}

}  // namespace
}  // namespace rushes::worker
