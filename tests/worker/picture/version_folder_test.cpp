#include "worker/picture/version_folder.h"

#include <fstream>
#include <thread>

#include "tests/worker/picture/synthetic.h"

namespace rushes::worker {
namespace {

namespace fs = std::filesystem;
using testing::ScratchFolder;

class Versions : public ::testing::Test {
 protected:
  Versions() { fs::create_directories(root_); }
  Result<VersionFolder> open(const std::string& owner, unsigned least = 1) {
    return VersionFolder::open(root_, "show/sh010/draft/", least, owner);
  }
  void write(const fs::path& folder, const std::string& name = "frame.exr") {
    std::ofstream(folder / name) << name;
  }
  std::vector<std::string> names() const {
    std::vector<std::string> found;
    std::error_code code;
    for (const auto& entry : fs::directory_iterator(parent_, code))
      found.push_back(entry.path().filename().string());
    std::sort(found.begin(), found.end());
    return found;
  }
  // What a writer leaves that was killed: nobody holds it.
  void leave(const std::string& name, const std::string& owner, const std::string& host) {
    fs::create_directories(parent_ / name);
    std::ofstream(parent_ / name / ".owner") << owner << "\n" << host << "\n";
    write(parent_ / name, "half.exr");
  }

  ScratchFolder scratch_;
  const fs::path root_ = fs::path(scratch_.path()) / "out", parent_ = root_ / "show" / "sh010" / "draft";
};

TEST_F(Versions, ARootThatIsNotThereIsNotMade) {
  fs::remove_all(root_);
  const auto refused = open("a");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::kExhausted);
  EXPECT_EQ(refused.error().message, root_.string() + ": is not there; is the share mounted?");
  EXPECT_FALSE(fs::exists(root_));
}

TEST_F(Versions, TheDiskDecidesWhichIsNext) {
  for (const char* expected : {"v001", "v002"}) {
    auto folder = open(expected);
    ASSERT_TRUE(folder) << folder.error().message;
    write(folder->path());
    EXPECT_FALSE(fs::exists(folder->final_path()));
    ASSERT_TRUE(folder->publish());
    EXPECT_EQ(folder->version(), expected);
  }
  EXPECT_EQ(open("later", 7)->version(), "v007") << "what is proposed is the least";
  fs::create_directories(parent_ / "v011");
  fs::create_directories(parent_ / "v1000");
  fs::create_directory_symlink("v1000", parent_ / "v1001");
  for (const char* no_version : {"v01", "v01234x", "latest", "v", "v99999999999999999999"})
    fs::create_directories(parent_ / no_version);
  EXPECT_EQ(open("above")->version(), "v1002") << "newer ones have higher numbers, whatever was removed";
  EXPECT_EQ(versions_in(parent_), (std::vector<unsigned>{1, 2, 11, 1000, 1001}));
  EXPECT_TRUE(fs::exists(parent_ / "v001" / "frame.exr"));
  EXPECT_FALSE(fs::exists(parent_ / "v001" / ".owner"));
}

TEST_F(Versions, WritersOfOneDeliveryShareItsVersionAndOthersDoNot) {
  auto finish = open("one"), other = open("two");
  ASSERT_TRUE(finish && other);
  EXPECT_EQ(finish->version(), "v001");
  EXPECT_EQ(other->version(), "v002");
  write(finish->path());
  finish->keep();
  { const VersionFolder ended = std::move(*finish); }
  auto deliver = open("one");
  ASSERT_TRUE(deliver);
  EXPECT_TRUE(fs::exists(deliver->path() / "frame.exr"));
  ASSERT_TRUE(deliver->publish());
  EXPECT_EQ(deliver->final_path(), parent_ / "v001");
  EXPECT_EQ(open("one")->version(), "v003") << "a complete version is no longer written into";
}

TEST_F(Versions, WhatIsGivenUpLeavesNothing) {
  {
    auto folder = open("one");
    ASSERT_TRUE(folder);
    write(folder->path());
  }
  EXPECT_TRUE(fs::is_empty(root_));
}

TEST_F(Versions, WhatAKilledWriterLeftIsRemovedALivingOnesIsNot) {
  auto living = open("living");
  ASSERT_TRUE(living);
  leave(".v002.part", "killed", host_name());
  leave(".v003.part", "elsewhere", "another-host");
  fs::create_directories(parent_ / (".v004.part.part-" + host_name() + "-1-0"));
  auto next = open("next");
  ASSERT_TRUE(next);
  EXPECT_EQ(next->version(), "v004");
  EXPECT_EQ(names(), (std::vector<std::string>{".v001.part", ".v003.part", ".v004.part"}));
  VersionFolder::sweep(root_, "show/sh010/draft");
  EXPECT_EQ(names().size(), 3U) << "both are held";
  write(living->path());
  EXPECT_TRUE(living->publish());
}

TEST_F(Versions, AnotherWritersFolderOfThatNameIsNotReplaced) {
  auto folder = open("one");
  ASSERT_TRUE(folder);
  write(folder->path());
  fs::create_directories(parent_ / "v001");
  write(parent_ / "v001", "theirs.exr");
  const Status published = folder->publish();
  ASSERT_FALSE(published);
  EXPECT_EQ(published.error().kind, ErrorKind::kConflict);
  EXPECT_FALSE(fs::exists(parent_ / "v001" / "frame.exr"));
}

TEST_F(Versions, ManyWritersAtOnceGetOneEach) {
  constexpr int kWriters = 8;
  std::vector<std::thread> threads;
  for (int i = 0; i < kWriters; ++i)
    threads.emplace_back([&, i] {
      auto folder = open("writer " + std::to_string(i));
      ASSERT_TRUE(folder) << folder.error().message;
      write(folder->path(), std::to_string(i));
      ASSERT_TRUE(folder->publish());
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(names().size(), static_cast<std::size_t>(kWriters));
  std::size_t files = 0;
  for (const unsigned number : versions_in(parent_)) {
    char name[8];
    std::snprintf(name, sizeof name, "v%03u", number);
    files += static_cast<std::size_t>(
        std::distance(fs::directory_iterator(parent_ / name), fs::directory_iterator()));
  }
  EXPECT_EQ(files, static_cast<std::size_t>(kWriters));
}

TEST_F(Versions, AFolderThatTakesNothingIsAnError) {
  fs::create_directories(root_);
  std::ofstream(root_ / "show") << "a file";
  const auto folder = open("one");
  ASSERT_FALSE(folder);
  EXPECT_NE(folder.error().message.find("show"), std::string::npos);
}

}  // namespace
}  // namespace rushes::worker
