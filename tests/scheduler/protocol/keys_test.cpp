#include "scheduler/protocol/keys.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

#include "scheduler/protocol/allow_list.h"
#include "tests/scheduler/protocol/folder.h"

namespace rushes::protocol {
namespace {

namespace fs = std::filesystem;

unsigned mode_of(const fs::path& file) {
  struct stat info {};
  EXPECT_EQ(::stat(file.c_str(), &info), 0) << file;
  return info.st_mode & 0777;
}

TEST(Keys, FarmKeysAreWrittenSecretAndNeverOverwritten) {
  const test::Folder folder;
  const fs::path keys = folder / "keys";
  ASSERT_TRUE(write_farm_keys(keys));
  for (const char* name : {"scheduler", "worker"}) {
    EXPECT_EQ(mode_of(keys / (std::string(name) + ".key")), 0600u);
    const auto secret = read_secret_key(keys / (std::string(name) + ".key"));
    const auto open = read_public_key(keys / (std::string(name) + ".pub"));
    ASSERT_TRUE(secret && open);
    EXPECT_EQ(public_key_of(*secret).value(), *open);
  }
  EXPECT_EQ(read_public_key(keys / "workers" / "worker.pub").value(),
            read_public_key(keys / "worker.pub").value());
  const auto before = read_secret_key(keys / "worker.key");
  const auto again = write_farm_keys(keys);
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().kind, ErrorKind::kConflict);
  EXPECT_EQ(read_secret_key(keys / "worker.key").value(), before.value());
}

TEST(Keys, ASecretThatOthersMayReadIsRefused) {
  const test::Folder folder;
  ASSERT_TRUE(write_keys(folder.path(), "a", *make_keys()));
  fs::permissions(folder / "a.key", fs::perms::owner_read | fs::perms::group_read);
  const auto key = read_secret_key(folder / "a.key");
  ASSERT_FALSE(key);
  EXPECT_EQ(key.error().kind, ErrorKind::kDenied);
}

TEST(Keys, ASecretOfRootsMayBeReadByOurGroup) {
  constexpr uid_t kSomebody = 790;
  if (::geteuid() != 0) GTEST_SKIP() << "only root can hand out a secret";
  const test::Folder folder;
  ASSERT_TRUE(write_keys(folder.path(), "a", *make_keys()));
  const auto file = folder / "a.key";
  fs::permissions(folder.path(), fs::perms::owner_all | fs::perms::others_exec);
  ASSERT_EQ(::chown(file.c_str(), 0, kSomebody), 0);
  const auto read_with = [&](mode_t mode) {
    EXPECT_EQ(::chmod(file.c_str(), mode), 0);
    EXPECT_EQ(::setegid(kSomebody), 0);
    EXPECT_EQ(::seteuid(kSomebody), 0);
    const auto key = read_secret_key(file);
    EXPECT_EQ(::seteuid(0), 0);
    EXPECT_EQ(::setegid(0), 0);
    return key.has_value();
  };
  EXPECT_TRUE(read_with(0440));
  EXPECT_FALSE(read_with(0444));
  EXPECT_FALSE(read_with(0460));
}

TEST(Keys, FilesThatHoldNoKeyAreNamed) {
  const test::Folder folder;
  std::ofstream(folder / "bad.pub") << "not a key\n";
  const auto bad = read_public_key(folder / "bad.pub");
  ASSERT_FALSE(bad);
  EXPECT_NE(bad.error().message.find("bad.pub"), std::string::npos);
  EXPECT_EQ(read_public_key(folder / "none.pub").error().kind, ErrorKind::kNotFound);
  EXPECT_EQ(AllowList::read(folder / "none").error().kind, ErrorKind::kNotFound);
}

TEST(Keys, AKeySpeaksForItsNameAndItsPool) {
  const test::Folder folder;
  const KeyPair gpu = *make_keys(), seven = *make_keys();
  ASSERT_TRUE(write_keys(folder.path(), "gpu", gpu));
  ASSERT_TRUE(write_keys(folder.path(), "gpu-7", seven));
  auto list = AllowList::read(folder.path());
  ASSERT_TRUE(list);
  EXPECT_EQ(list->size(), 2u);
  EXPECT_EQ(list->name_of(gpu.public_key), "gpu");
  EXPECT_EQ(list->name_of(make_keys()->public_key), std::nullopt);
  EXPECT_TRUE(list->may_use("gpu", "gpu"));
  EXPECT_TRUE(list->may_use("gpu", "gpu-12"));
  EXPECT_TRUE(list->may_use("gpu-7", "gpu-7"));
  EXPECT_FALSE(list->may_use("gpu", "gpu-7"));
  EXPECT_FALSE(list->may_use("gpu", "gpus"));
  EXPECT_FALSE(list->may_use("gpu-7", "gpu"));
  EXPECT_FALSE(list->may_use("gpu", ""));
}

TEST(Keys, AnAllowListFollowsItsFolder) {
  const test::Folder folder;
  auto list = AllowList::read(folder.path());
  ASSERT_TRUE(list);
  const KeyPair late = *make_keys();
  EXPECT_FALSE(list->refresh());
  ASSERT_TRUE(write_keys(folder.path(), "late", late));
  EXPECT_TRUE(list->refresh());
  EXPECT_EQ(list->name_of(late.public_key), "late");
  EXPECT_FALSE(list->refresh());

  // Another key of the same length in the same file, within the same step of the file system's clock.
  const KeyPair other = *make_keys();
  std::ofstream(folder / "late.pub") << other.public_key << "\n";
  EXPECT_TRUE(list->refresh());
  EXPECT_EQ(list->name_of(late.public_key), std::nullopt);
  EXPECT_EQ(list->name_of(other.public_key), "late");

  fs::remove(folder / "late.pub");
  EXPECT_TRUE(list->refresh());
  EXPECT_EQ(list->size(), 0u);
}

TEST(Keys, ABrokenFileKeepsWhatItSaid) {
  const test::Folder folder;
  const KeyPair good = *make_keys(), more = *make_keys();
  ASSERT_TRUE(write_keys(folder.path(), "a", good));
  auto list = AllowList::read(folder.path());
  ASSERT_TRUE(list);
  std::ofstream(folder / "a.pub") << good.public_key.substr(0, 17);  // half written
  std::ofstream(folder / "b.pub") << "";
  EXPECT_FALSE(list->refresh());
  EXPECT_EQ(list->name_of(good.public_key), "a");
  EXPECT_EQ(list->size(), 1u);
  std::ofstream(folder / "b.pub") << more.public_key;  // written to its end
  EXPECT_TRUE(list->refresh());
  EXPECT_EQ(list->name_of(more.public_key), "b");

  fs::rename(folder.path(), folder.path().string() + "-away");
  EXPECT_FALSE(list->refresh());
  EXPECT_EQ(list->size(), 2u);
  fs::rename(folder.path().string() + "-away", folder.path());
}

TEST(Keys, AFileMayHoldTheOldAndTheNewKey) {
  const test::Folder folder;
  const KeyPair before = *make_keys(), after = *make_keys();
  std::ofstream(folder / "gpu.pub") << before.public_key << "\n" << after.public_key << "\n";
  auto list = AllowList::read(folder.path());
  ASSERT_TRUE(list);
  EXPECT_EQ(list->name_of(before.public_key), "gpu");
  EXPECT_EQ(list->name_of(after.public_key), "gpu");
  EXPECT_EQ(read_public_keys(folder / "gpu.pub", 4).value(),
            (std::vector<std::string>{before.public_key, after.public_key}));
  EXPECT_FALSE(read_public_key(folder / "gpu.pub"));
  EXPECT_FALSE(read_public_keys(folder / "gpu.pub", 1));
}

TEST(Keys, RotationKeepsTheOldPair) {
  const test::Folder folder;
  ASSERT_TRUE(write_keys(folder.path(), "scheduler", *make_keys()));
  const std::string before = read_secret_key(folder / "scheduler.key").value();
  ASSERT_TRUE(rotate_keys(folder.path(), "scheduler"));
  const std::string after = read_secret_key(folder / "scheduler.key").value();
  EXPECT_NE(after, before);
  EXPECT_EQ(read_secret_key(folder / "scheduler.old.key").value(), before);
  EXPECT_EQ(mode_of(folder / "scheduler.key"), 0600u);
  EXPECT_EQ(public_key_of(after).value(), read_public_key(folder / "scheduler.pub").value());
  EXPECT_EQ(public_key_of(before).value(), read_public_key(folder / "scheduler.old.pub").value());
  const auto again = rotate_keys(folder.path(), "scheduler");
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().kind, ErrorKind::kConflict);
  EXPECT_EQ(read_secret_key(folder / "scheduler.key").value(), after);
  EXPECT_EQ(rotate_keys(folder.path(), "nobody").error().kind, ErrorKind::kNotFound);
}

}  // namespace
}  // namespace rushes::protocol
