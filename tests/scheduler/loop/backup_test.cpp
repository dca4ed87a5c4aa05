// Backups of a farm that works, and farms made of them.
#include "scheduler/backup.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <fstream>

#include "scheduler/recovery.h"
#include "storage/disk.h"
#include "tests/scheduler/loop/fake_farm.h"

namespace rushes::scheduler {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class BackupTest : public testing::Test {
 protected:
  void SetUp() override { farm_.start(); }

  fs::path backups() const { return farm_.folder() / "backups"; }
  fs::path other() const { return farm_.folder() / "other"; }
  BackupPlace place() const { return {farm_.folder(), backups(), 0, "test", "1"}; }
  std::unique_ptr<Backups> open(const BackupPlace& place) {
    return std::make_unique<Backups>(farm_.ledger(), farm_.vault(), farm_.janitor(), place);
  }
  BackupMade make(const std::string& name) {
    const auto made = open(place())->make(name);
    EXPECT_TRUE(made) << made.error().message;
    return made.value_or(BackupMade{});
  }
  void deliver(const std::string& shot) {
    ASSERT_TRUE(farm_.submit(batch_text({shot}, 2)));
    ASSERT_TRUE(farm_.wait_done()) << farm_.shot_state(shot);
  }
  static std::string state_of(const fs::path& data, const std::string& shot) {
    const auto ledger = storage::Ledger::open(data / "ledger");
    if (!ledger) return ledger.error().message;
    State state;
    if (const auto recovered = recover_state(**ledger, state); !recovered) return recovered.error().message;
    const Shot* found = state.find_shot("demo/" + shot);
    return found != nullptr ? to_string(found->state) : "";
  }

  FakeFarm farm_;
};

TEST_F(BackupTest, AFarmIsRestoredAsItWas) {
  farm_.add_worker("a");
  deliver("sh010");
  const auto made = make("monday");
  EXPECT_EQ(made.folder, backups() / "monday");
  EXPECT_GT(made.records, 0u);
  deliver("sh020");
  const auto restored = restore(backups() / "monday", other());
  ASSERT_TRUE(restored) << restored.error().message;
  EXPECT_EQ(restored->farm, "test");
  EXPECT_EQ(restored->shots, 1u);
  EXPECT_GT(restored->artifacts, 2u);
  EXPECT_EQ(restored->bytes, made.bytes);
  EXPECT_EQ(state_of(other(), "sh010"), "delivered");
  EXPECT_EQ(state_of(other(), "sh020"), "") << "it is younger than the backup";
  EXPECT_FALSE(fs::exists(other() / ".restoring"));
  EXPECT_FALSE(fs::exists(farm_.folder() / ".partial"));
  ASSERT_TRUE(check_restored(other()));
}

// Workers remember the leases of the days that are lost: no later one may have the number of one of them.
TEST_F(BackupTest, ARestoredFarmGivesOutNoLeaseAgain) {
  farm_.add_worker("a");
  deliver("sh010");
  make("monday");
  deliver("sh020");
  const auto next = farm_.loop().query([](const State& state, Now) { return state.next_lease; });
  ASSERT_TRUE(restore(backups() / "monday", other()));
  const auto ledger = storage::Ledger::open(other() / "ledger");
  State state;
  ASSERT_TRUE(recover_state(**ledger, state));
  EXPECT_GT(state.next_lease, *next);
}

// However the farm works meanwhile: each backup recovers, and has every artifact that its ledger names.
TEST_F(BackupTest, BackupsOfAFarmAtWorkAreConsistent) {
  std::vector<std::string> shots;
  for (int i = 0; i < 40; ++i) shots.push_back("sh" + std::to_string(i));
  ASSERT_TRUE(farm_.submit(batch_text(shots, 2)));
  farm_.add_worker("a");
  farm_.add_worker("b");
  for (int i = 0; i < 6; ++i) {
    const std::string name = "b" + std::to_string(i);
    make(name);
    const auto restored = restore(backups() / name, farm_.folder() / name);
    EXPECT_TRUE(restored) << restored.error().message;
  }
}

// A flipped bit in an artifact of the copy, or in the newest table of its ledger: the folder stays without a farm.
TEST_F(BackupTest, DamagedBackupsAreNotRestored) {
  farm_.add_worker("a");
  deliver("sh010");
  for (const auto& [part, kind] : {std::pair{"vault", ".blob"}, {"vault", ".sst"}, {"ledger", ".sst"}}) {
    const std::string name = std::string(part) + (kind + 1);
    make(name);
    int damaged = 0;
    for (const auto& entry : fs::directory_iterator(backups() / name / part)) {
      if (entry.path().extension() != kind || fs::file_size(entry.path()) < 200) continue;
      // A copy: the backup's files are the farm's own.
      std::ifstream in(entry.path(), std::ios::binary);
      std::string bytes((std::istreambuf_iterator<char>(in)), {});
      bytes[kind == std::string(".blob") ? bytes.size() / 3 : 20] ^= 0x40;
      fs::remove(entry.path());
      std::ofstream(entry.path(), std::ios::binary) << bytes;
      ++damaged;
    }
    if (damaged == 0) continue;  // a small vault has no blob files
    const auto refused = restore(backups() / name, other());
    ASSERT_FALSE(refused) << name << ": " << refused->shots << " shots";
    EXPECT_EQ(refused.error().kind, ErrorKind::kCorrupt) << refused.error().message;
    EXPECT_FALSE(fs::exists(other() / "ledger"));
  }
}

TEST_F(BackupTest, ASweepWaitsForTheBackup) {
  const auto digest = farm_.vault().put("nobody names it").value();
  VaultJanitor janitor(farm_.vault(), std::chrono::milliseconds(0), std::chrono::milliseconds(1));
  {
    const auto held = janitor.hold_sweeps();
    if (!farm_.vault().contains(digest)) GTEST_SKIP() << "it was swept before";
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    EXPECT_TRUE(farm_.vault().contains(digest));
  }
  for (int i = 0; i < 200 && farm_.vault().contains(digest); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  EXPECT_FALSE(farm_.vault().contains(digest));
}

TEST_F(BackupTest, NamesAreWordsAndTakenOnce) {
  const auto backups = open(place());
  for (const char* name : {"", ".", "..", "../x", "a/b", ".hidden", "-x", "a b", "a\n"}) {
    const auto refused = backups->make(name);
    ASSERT_FALSE(refused) << name;
    EXPECT_EQ(refused.error().kind, ErrorKind::kInvalid) << name;
  }
  EXPECT_EQ(backups->newest(), 0);
  ASSERT_TRUE(backups->make("2026-11-29"));
  EXPECT_GT(backups->newest(), 1'700'000'000);
  EXPECT_EQ(open(place())->newest(), backups->newest()) << "known after a restart";
  EXPECT_EQ(backups->make("2026-11-29").error().kind, ErrorKind::kConflict);
  auto none = place();
  none.backups.clear();
  EXPECT_THAT(open(none)->make("x").error().message, HasSubstr("set `backups: FOLDER`"));
  auto full = place();
  full.reserve = std::uint64_t{1} << 60;
  EXPECT_EQ(open(full)->make("x").error().kind, ErrorKind::kExhausted);
}

TEST_F(BackupTest, BackupsOnAnotherDiskAreCopied) {
  std::string folder = "/dev/shm/rushes-test-XXXXXX";
  if (mkdtemp(folder.data()) == nullptr) GTEST_SKIP() << "no /dev/shm";
  auto far = place();
  far.backups = folder;
  farm_.add_worker("a");
  deliver("sh010");
  std::ofstream(farm_.folder() / "ledger" / "probe") << "x";
  std::error_code code;
  fs::create_hard_link(farm_.folder() / "ledger" / "probe", far.backups / "probe", code);
  const bool same_disk = !code;
  const auto made = open(far)->make("monday");
  EXPECT_TRUE(made) << made.error().message;
  const auto restored = restore(far.backups / "monday", other());
  EXPECT_TRUE(restored) << restored.error().message;
  EXPECT_EQ(state_of(other(), "sh010"), "delivered");
  EXPECT_FALSE(fs::exists(far.backups / ".partial"));
  fs::remove_all(folder);
  if (same_disk) GTEST_SKIP() << "/dev/shm is no other file system here";
}

TEST_F(BackupTest, NothingIsReplaced) {
  make("monday");
  const auto running = restore(backups() / "monday", farm_.folder());
  ASSERT_FALSE(running);
  EXPECT_EQ(running.error().kind, ErrorKind::kConflict);
  fs::create_directories(other() / "vault");
  const auto there = restore(backups() / "monday", other());
  ASSERT_FALSE(there);
  EXPECT_EQ(there.error().kind, ErrorKind::kConflict);
  EXPECT_THAT(there.error().message, HasSubstr("a restore replaces nothing"));
  EXPECT_TRUE(fs::is_empty(other() / "vault"));
}

TEST_F(BackupTest, ARestoreThatWasCutShortIsSaid) {
  make("monday");
  fs::create_directories(other() / ".restoring");
  EXPECT_EQ(check_restored(other()).error().kind, ErrorKind::kConflict);
  EXPECT_THAT(restore(backups() / "monday", other()).error().message, HasSubstr("cut short"));
}

TEST_F(BackupTest, WhatIsNotWholeIsNotRestored) {
  farm_.add_worker("a");
  deliver("sh010");
  make("monday");
  EXPECT_EQ(restore(farm_.folder(), other()).error().kind, ErrorKind::kNotFound);
  const auto refused = [&](ErrorKind kind, const std::string& words) {
    const auto restored = restore(backups() / "monday", other());
    ASSERT_FALSE(restored) << words;
    EXPECT_EQ(restored.error().kind, kind) << restored.error().message;
    EXPECT_THAT(restored.error().message, HasSubstr(words));
    EXPECT_FALSE(fs::exists(other() / "ledger") || fs::exists(other() / "vault") ||
                 fs::exists(other() / ".restoring"));
  };
  std::ofstream(backups() / "monday" / "vault" / "more") << "x";
  refused(ErrorKind::kCorrupt, "not whole");
  fs::remove(backups() / "monday" / "vault" / "more");

  // A vault of another time lacks what the ledger names.
  const auto vault = backups() / "monday" / "vault", kept = backups() / "monday" / "kept";
  fs::rename(vault, kept);
  { ASSERT_TRUE(storage::Vault::open(vault)); }
  const auto ledger_size = storage::size_of(backups() / "monday" / "ledger"), size = storage::size_of(vault);
  std::ofstream(backups() / "monday" / "backup.yaml")
      << "version: 1\nfarm: test\nbuild: x\nmade_at: x\nfiles: " << ledger_size->files + size->files
      << "\nbytes: " << ledger_size->bytes + size->bytes << "\n";
  refused(ErrorKind::kCorrupt, "that its ledger names are missing or damaged");
}

}  // namespace
}  // namespace rushes::scheduler
