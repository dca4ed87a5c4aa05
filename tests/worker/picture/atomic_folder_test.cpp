#include "worker/picture/atomic_folder.h"

#include <fstream>

#include "tests/worker/picture/synthetic.h"

namespace rushes::worker {
namespace {

namespace fs = std::filesystem;
using testing::ScratchFolder;

TEST(AtomicFolder, AppearsWholeWithItsParents) {
  const ScratchFolder scratch;
  const fs::path parent = fs::path(scratch.path()) / "a" / "b/";
  auto folder = AtomicFolder::create(parent, "take1");
  ASSERT_TRUE(folder) << folder.error().message;
  std::ofstream(folder->path() / "frame.exr") << "light";
  EXPECT_FALSE(fs::exists(parent / "take1"));
  ASSERT_TRUE(folder->publish());
  EXPECT_EQ(folder->final_path(), fs::path(scratch.path()) / "a" / "b" / "take1");
  EXPECT_TRUE(fs::exists(parent / "take1" / "frame.exr"));
  EXPECT_EQ(std::distance(fs::directory_iterator(parent), fs::directory_iterator()), 1);
}

TEST(AtomicFolder, AbandonedLeavesNothingThatItMade) {
  const ScratchFolder scratch;
  {
    auto folder = AtomicFolder::create(fs::path(scratch.path()) / "a" / "b", "take1");
    ASSERT_TRUE(folder);
    std::ofstream(folder->path() / "frame.exr") << "half of the l";
    AtomicFolder moved = std::move(*folder);
  }
  EXPECT_EQ(scratch.count(), 0U);
  fs::create_directories(fs::path(scratch.path()) / "mine");
  { ASSERT_TRUE(AtomicFolder::create(fs::path(scratch.path()) / "mine" / "new", "take1")); }
  EXPECT_TRUE(fs::is_empty(fs::path(scratch.path()) / "mine")) << "a folder that was there stays";
}

TEST(AtomicFolder, NeverReplacesWhatExists) {
  const ScratchFolder scratch;
  auto one = AtomicFolder::create(scratch.path(), "take1"),
       two = AtomicFolder::create(scratch.path(), "take1");
  ASSERT_TRUE(one && two);
  std::ofstream(two->path() / "second") << "x";
  ASSERT_TRUE(one->publish());
  const Status late = two->publish();
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().kind, ErrorKind::kConflict);
  EXPECT_TRUE(fs::is_empty(one->final_path()));
  const auto third = AtomicFolder::create(scratch.path(), "take1");
  ASSERT_FALSE(third);
  EXPECT_EQ(third.error().kind, ErrorKind::kConflict);
  std::ofstream(fs::path(scratch.path()) / "file") << "x";
  EXPECT_FALSE(AtomicFolder::create(fs::path(scratch.path()) / "file", "take1"));
}

TEST(AtomicFolder, RemovesWhatAKilledProcessLeftAndNothingElse) {
  const ScratchFolder scratch;
  const fs::path parent = scratch.path();
  auto living = AtomicFolder::create(parent, "living");
  ASSERT_TRUE(living);
  fs::create_directories(parent / (".killed.part-" + host_name() + "-4194305-0") / "below");
  for (const char* other : {".killed.part-another-host-7-0", ".hidden", "mine"})
    fs::create_directories(parent / other);
  ASSERT_TRUE(AtomicFolder::create(parent, "next"));
  EXPECT_EQ(scratch.count(), 4U);
  EXPECT_TRUE(fs::exists(living->path()));
  EXPECT_TRUE(living->publish());
}

}  // namespace
}  // namespace rushes::worker
