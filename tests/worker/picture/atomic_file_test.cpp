#include "worker/picture/atomic_file.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <fstream>

#include "tests/worker/picture/synthetic.h"

namespace rushes::worker {
namespace {

using testing::ScratchFolder;

TEST(AtomicFile, AppearsOnlyWhenCommitted) {
  const ScratchFolder folder;
  const std::string path = folder.file("a.txt");
  auto file = AtomicFile::create(path);
  ASSERT_TRUE(file) << file.error().message;
  ASSERT_TRUE(file->write("hello "));
  EXPECT_FALSE(std::filesystem::exists(path));
  EXPECT_EQ(std::filesystem::path(file->temporary_path()).parent_path().string(), folder.path());
  ASSERT_TRUE(file->write("light"));
  ASSERT_TRUE(file->commit());
  auto bytes = read_file(path, 100);
  ASSERT_TRUE(bytes);
  EXPECT_EQ(*bytes, "hello light");
  EXPECT_EQ(folder.count(), 1U);
}

TEST(AtomicFile, AbandonedLeavesNothingAndKeepsTheOldFile) {
  const ScratchFolder folder;
  const std::string path = folder.file("a.txt");
  ASSERT_TRUE(write_file(path, "old"));
  {
    auto file = AtomicFile::create(path);
    ASSERT_TRUE(file);
    ASSERT_TRUE(file->write("half of the n"));
  }
  EXPECT_EQ(folder.count(), 1U);
  EXPECT_EQ(*read_file(path, 100), "old");
}

TEST(AtomicFile, MissingFolderIsNotFound) {
  const ScratchFolder folder;
  const auto status = write_file(folder.file("no/such/place.exr"), "x");
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().kind, ErrorKind::kNotFound);
  EXPECT_NE(status.error().message.find("no/such/place.exr"), std::string::npos);
}

// Reading a pipe would wait for its writer.
TEST(ReadFile, WhatIsNoFileIsNamedAndNotWaitedFor) {
  const ScratchFolder folder;
  ASSERT_EQ(::mkfifo(folder.file("pipe").c_str(), 0600), 0);
  EXPECT_EQ(read_file(folder.file("pipe"), 100).error().message,
            folder.file("pipe") + ": expected a file, found a pipe");
  EXPECT_EQ(read_file(folder.path(), 100).error().message,
            folder.path() + ": expected a file, found a folder");
}

TEST(AtomicFile, RefusedWriteLeavesNothing) {
  const ScratchFolder folder;
  ASSERT_TRUE(write_file(folder.file("target"), "old"));
  // A file size limit stands in for a full disk: write() fails in the same place, for root too.
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  auto* const handler = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit small{1000, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  const auto status = write_file(folder.file("target"), std::string(5000, 'x'));
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  std::signal(SIGXFSZ, handler);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().kind, ErrorKind::kExhausted);
  EXPECT_EQ(folder.count(), 1U);
  EXPECT_EQ(*read_file(folder.file("target"), 100), "old");
}

TEST(AtomicFile, ReadOnlyFolderIsDenied) {
  if (::geteuid() == 0) GTEST_SKIP() << "root may write anywhere";
  const ScratchFolder folder;
  std::filesystem::permissions(folder.path(),
                               std::filesystem::perms::owner_read | std::filesystem::perms::owner_exec);
  const auto status = write_file(folder.file("a.exr"), "x");
  std::filesystem::permissions(folder.path(), std::filesystem::perms::owner_all);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().kind, ErrorKind::kDenied);
  EXPECT_EQ(folder.count(), 0U);
}

TEST(ReadFile, RefusesTooLargeAndFolders) {
  const ScratchFolder folder;
  ASSERT_TRUE(write_file(folder.file("a"), "12345"));
  EXPECT_EQ(read_file(folder.file("a"), 4).error().kind, ErrorKind::kExhausted);
  EXPECT_EQ(*read_file(folder.file("a"), 5), "12345");
  EXPECT_EQ(read_file(folder.path(), 100).error().kind, ErrorKind::kInvalid);
  EXPECT_EQ(read_file(folder.file("b"), 100).error().kind, ErrorKind::kNotFound);
}

}  // namespace
}  // namespace rushes::worker
