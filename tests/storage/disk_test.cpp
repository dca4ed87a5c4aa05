#include "storage/disk.h"

#include <gtest/gtest.h>

#include <fstream>

#include "tests/storage/temporary_folder.h"

namespace rushes::storage {
namespace {

TEST(Disk, TheSizeOfAFolderIsThatOfItsFilesUnlessItIsCanceled) {
  const TemporaryFolder folder;
  std::filesystem::create_directories(folder.path() / "a" / "b");
  std::ofstream(folder.path() / "one") << "12345";
  std::ofstream(folder.path() / "a" / "b" / "two") << "123";
  std::atomic<bool> canceled = false;
  EXPECT_EQ(size_of(folder.path(), &canceled).value(), (FolderSize{8, 2}));
  EXPECT_EQ(size_of(folder.path()).value(), (FolderSize{8, 2}));
  canceled = true;
  EXPECT_EQ(size_of(folder.path(), &canceled).error().kind, ErrorKind::kUnreachable);
  EXPECT_EQ(size_of(folder.path() / "none").error().kind, ErrorKind::kNotFound);
}

}  // namespace
}  // namespace rushes::storage
