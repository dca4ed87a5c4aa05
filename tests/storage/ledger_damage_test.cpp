// What the ledger says and does when the disk, the folder or the bytes are not as they should be.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rocksdb/db.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>

#include "storage/ledger.h"
#include "tests/storage/faulty_disk.h"
#include "tests/storage/temporary_folder.h"

namespace rushes::storage {
namespace {

using testing::HasSubstr;
namespace fs = std::filesystem;

class LedgerDamage : public testing::Test {
 protected:
  fs::path path() const { return folder_.path() / "ledger"; }

  std::unique_ptr<Ledger> open(LedgerOptions options = {}) {
    auto ledger = Ledger::open(path(), options);
    EXPECT_TRUE(ledger) << ledger.error().message;
    return ledger ? std::move(*ledger) : nullptr;
  }

  static Append one(std::string record) {
    Append append;
    append.records.push_back(std::move(record));
    return append;
  }

  void write_records(int count) {
    auto ledger = open();
    for (int i = 1; i <= count; ++i) {
      ASSERT_TRUE(ledger->append(one("record number " + std::to_string(i))));
      ASSERT_TRUE(ledger->flush());
    }
  }

  // Changes the database behind the ledger's back.
  void tamper(const std::string& family,
              const std::function<void(rocksdb::DB&, rocksdb::ColumnFamilyHandle*)>& change) {
    std::vector<std::string> names;
    ASSERT_TRUE(rocksdb::DB::ListColumnFamilies(rocksdb::DBOptions(), path().string(), &names).ok());
    std::vector<rocksdb::ColumnFamilyDescriptor> families;
    for (const auto& name : names) families.emplace_back(name, rocksdb::ColumnFamilyOptions());
    std::vector<rocksdb::ColumnFamilyHandle*> handles;
    rocksdb::DB* db = nullptr;
    ASSERT_TRUE(rocksdb::DB::Open(rocksdb::DBOptions(), path().string(), families, &handles, &db).ok());
    for (std::size_t i = 0; i < names.size(); ++i)
      if (names[i] == family) change(*db, handles[i]);
    for (auto* handle : handles) db->DestroyColumnFamilyHandle(handle);
    delete db;
  }

  // The newest write-ahead log.
  fs::path log_file() const {
    fs::path newest;
    for (const auto& entry : fs::directory_iterator(path()))
      if (entry.path().extension() == ".log" && (newest.empty() || entry.path() > newest))
        newest = entry.path();
    return newest;
  }

  TemporaryFolder folder_;
};

std::string key_of(int sequence) { return std::string(7, '\0') + static_cast<char>(sequence); }

Status replay_all(const Ledger& ledger, int* count = nullptr) {
  return ledger.replay(0, [&](const Record&) -> Status {
    if (count != nullptr) ++*count;
    return {};
  });
}

TEST_F(LedgerDamage, ADamagedRecordIsNamed) {
  write_records(5);
  tamper("records", [](rocksdb::DB& db, rocksdb::ColumnFamilyHandle* records) {
    std::string value;
    ASSERT_TRUE(db.Get({}, records, key_of(3), &value).ok());
    value.back() ^= 1;
    ASSERT_TRUE(db.Put({}, records, key_of(3), value).ok());
  });
  int count = 0;
  const auto status = replay_all(*open(), &count);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().kind, ErrorKind::kCorrupt);
  EXPECT_THAT(status.error().message, HasSubstr("record 3"));
  EXPECT_EQ(count, 2);
}

// Whichever record's block on the disk cannot be read: an error, never a ledger with fewer records.
TEST_F(LedgerDamage, ADamagedTableIsNamed) {
  constexpr int kRecords = 3;
  write_records(kRecords);
  open().reset();  // the log becomes a table
  int tables = 0;
  for (const auto& entry : fs::directory_iterator(path())) {
    if (entry.path().extension() != ".sst") continue;
    std::ifstream in(entry.path(), std::ios::binary);
    const std::string whole((std::istreambuf_iterator<char>(in)), {});
    const auto at = whole.find("record number " + std::to_string(kRecords));
    if (at == whole.npos) continue;
    ++tables;
    std::string damaged = whole;
    damaged[at] ^= 0x40;
    std::ofstream(entry.path(), std::ios::binary) << damaged;
  }
  ASSERT_EQ(tables, 1);
  const auto ledger = Ledger::open(path());
  ASSERT_FALSE(ledger) << "it ends at record " << (*ledger)->synced_sequence();
  EXPECT_EQ(ledger.error().kind, ErrorKind::kCorrupt);
  EXPECT_THAT(ledger.error().message, HasSubstr("damaged: restore the folder from a backup"));
}

TEST_F(LedgerDamage, AMovedRecordIsNoticed) {
  write_records(5);
  tamper("records", [](rocksdb::DB& db, rocksdb::ColumnFamilyHandle* records) {
    std::string value;
    ASSERT_TRUE(db.Get({}, records, key_of(2), &value).ok());
    ASSERT_TRUE(db.Put({}, records, key_of(4), value).ok());
  });
  EXPECT_THAT(replay_all(*open()).error().message, HasSubstr("record 4"));
}

TEST_F(LedgerDamage, AMissingRecordIsNamed) {
  write_records(5);
  tamper("records", [](rocksdb::DB& db, rocksdb::ColumnFamilyHandle* records) {
    ASSERT_TRUE(db.Delete({}, records, key_of(4)).ok());
  });
  EXPECT_THAT(replay_all(*open()).error().message, HasSubstr("record 4 of 5 is missing"));
}

TEST_F(LedgerDamage, AShortRecordAndADamagedSnapshotAreNamed) {
  {
    auto ledger = open();
    ASSERT_TRUE(ledger->append(one("x")));
    ASSERT_TRUE(ledger->append_snapshot(1, {{"a", "row"}, {"b", "row"}}));
  }
  tamper("records", [](rocksdb::DB& db, rocksdb::ColumnFamilyHandle* records) {
    ASSERT_TRUE(db.Put({}, records, key_of(1), "short").ok());
  });
  tamper("snapshots", [](rocksdb::DB& db, rocksdb::ColumnFamilyHandle* snapshots) {
    ASSERT_TRUE(db.Put({}, snapshots, "b", std::string(40, 'x')).ok());
  });
  auto ledger = open();
  EXPECT_THAT(replay_all(*ledger).error().message, HasSubstr("record 1"));
  const auto nothing = [](std::string_view) { return Status(); };
  EXPECT_THAT(ledger->snapshot(nothing).error().message, HasSubstr("snapshot 1: row 2"));
  ledger.reset();
  tamper("snapshots", [](rocksdb::DB& db, rocksdb::ColumnFamilyHandle* snapshots) {
    ASSERT_TRUE(db.Put({}, snapshots, std::string(1, '\0'), std::string(40, 'x')).ok());
  });
  EXPECT_THAT(Ledger::open(path()).error().message, HasSubstr("snapshot"));
}

// A crash in the middle of a write leaves half of an unacknowledged record at the end of the log.
TEST_F(LedgerDamage, ATornTailIsDroppedAndTheRestKept) {
  write_records(5);
  const auto log = log_file();
  fs::resize_file(log, fs::file_size(log) - 7);
  auto ledger = open();
  int count = 0;
  ASSERT_TRUE(replay_all(*ledger, &count));
  EXPECT_EQ(count, 4);
  EXPECT_EQ(ledger->append(one("again")).value(), 5u);
}

TEST_F(LedgerDamage, DamageInTheMiddleOfTheLogStopsTheStart) {
  write_records(5);
  const auto log = log_file();
  {
    std::fstream file(log, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(fs::file_size(log) / 2));
    file.put('\x5a').put('\x5a').put('\x5a');
  }
  const auto opened = Ledger::open(path());
  ASSERT_FALSE(opened) << "acknowledged records were dropped in silence";
  EXPECT_EQ(opened.error().kind, ErrorKind::kCorrupt);
  EXPECT_THAT(opened.error().message, HasSubstr("damaged"));
}

// Wherever one bit of the log flips: the start is refused, or every record is there. Never fewer in silence.
TEST_F(LedgerDamage, NoFlippedBitOfTheLogLosesARecord) {
  write_records(3);
  const auto sound = folder_.path() / "sound";
  fs::rename(path(), sound);
  const fs::path name = [&] {
    for (const auto& entry : fs::directory_iterator(sound))
      if (entry.path().extension() == ".log") return entry.path().filename();
    return fs::path();
  }();
  int refused = 0;
  // Every bit of the first record's header, then one bit of every byte.
  std::vector<std::pair<std::uintmax_t, int>> flips;
  for (std::uintmax_t at = 0; at < fs::file_size(sound / name); ++at)
    for (int bit = 0; bit < (at < 7 ? 8 : 1); ++bit) flips.emplace_back(at, bit + static_cast<int>(at % 8));
  for (const auto& [at, bit] : flips) {
    fs::remove_all(path());
    fs::copy(sound, path());
    {
      std::fstream file(path() / name, std::ios::in | std::ios::out | std::ios::binary);
      file.seekg(static_cast<std::streamoff>(at));
      const auto flipped = static_cast<char>(file.get() ^ 1 << bit % 8);
      file.seekp(static_cast<std::streamoff>(at));
      file.put(flipped);
    }
    const auto opened = Ledger::open(path());
    if (!opened) {
      EXPECT_EQ(opened.error().kind, ErrorKind::kCorrupt) << at << ": " << opened.error().message;
      EXPECT_THAT(opened.error().message, HasSubstr("restore")) << at;
      ++refused;
      continue;
    }
    int count = 0;
    EXPECT_TRUE(replay_all(**opened, &count)) << at;
    EXPECT_EQ(count, 3) << "bit " << bit % 8 << " of byte " << at << " was flipped";
  }
  EXPECT_GT(refused, 200);
}

TEST_F(LedgerDamage, OtherFormatsAreRefusedByName) {
  write_records(1);
  tamper("default", [](rocksdb::DB& db, rocksdb::ColumnFamilyHandle*) {
    ASSERT_TRUE(db.Put({}, "format", "rushes-ledger 99").ok());
  });
  const auto newer = Ledger::open(path());
  ASSERT_FALSE(newer);
  EXPECT_EQ(newer.error().kind, ErrorKind::kInvalid);
  EXPECT_THAT(newer.error().message, HasSubstr("rushes-ledger 99"));
  tamper("default",
         [](rocksdb::DB& db, rocksdb::ColumnFamilyHandle*) { ASSERT_TRUE(db.Delete({}, "format").ok()); });
  EXPECT_THAT(Ledger::open(path()).error().message, HasSubstr("without a format key"));
}

TEST_F(LedgerDamage, AnotherProgramsDatabaseIsRefused) {
  rocksdb::Options options;
  options.create_if_missing = true;
  rocksdb::DB* db = nullptr;
  ASSERT_TRUE(rocksdb::DB::Open(options, path().string(), &db).ok());
  rocksdb::ColumnFamilyHandle* family = nullptr;
  ASSERT_TRUE(db->CreateColumnFamily({}, "holiday photos", &family).ok());
  db->DestroyColumnFamilyHandle(family);
  delete db;
  EXPECT_THAT(Ledger::open(path()).error().message, HasSubstr("holiday photos"));
}

TEST_F(LedgerDamage, AnEmptyDatabaseWithoutFormatIsAnInterruptedFirstStart) {
  rocksdb::Options options;
  options.create_if_missing = true;
  rocksdb::DB* db = nullptr;
  ASSERT_TRUE(rocksdb::DB::Open(options, path().string(), &db).ok());
  delete db;
  EXPECT_TRUE(Ledger::open(path()));
}

TEST_F(LedgerDamage, ALockedLedgerSaysSo) {
  // The other process is made before the ledger's threads are: after a fork beside threads no memory may be
  // asked for.
  int go[2];
  ASSERT_EQ(pipe(go), 0);
  const pid_t child = fork();
  if (child == 0) {
    close(go[1]);
    char word = 0;
    const bool told = read(go[0], &word, 1) == 1;
    const auto second = Ledger::open(path());
    const bool named = !second && second.error().kind == ErrorKind::kConflict &&
                       second.error().message.find("locked by another process") != std::string::npos;
    _exit(told && named ? 0 : 1);
  }
  auto ledger = open();
  ASSERT_EQ(write(go[1], "!", 1), 1);
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  close(go[0]);
  close(go[1]);
  EXPECT_THAT(Ledger::open(path()).error().message, HasSubstr("locked")) << "twice in one process";
}

TEST_F(LedgerDamage, FoldersThatCannotBeUsedAreNamed) {
  std::ofstream(path()) << "a file";
  EXPECT_THAT(Ledger::open(path()).error().message, HasSubstr("expected a folder"));
  EXPECT_EQ(Ledger::open("/proc/rushes").error().kind, ErrorKind::kInvalid);
}

TEST_F(LedgerDamage, AFullDiskIsSaidAndLosesNothingAcknowledged) {
  FaultyDisk disk;
  {
    auto ledger = open({.env = disk.env()});
    ASSERT_TRUE(ledger->append(one("safe")));
    ASSERT_TRUE(ledger->flush());
    disk.fill();
    Status told;
    Append append = one("does not fit");
    append.done = [&](const Status& status) { told = status; };
    ASSERT_TRUE(ledger->append(std::move(append)));
    const auto flushed = ledger->flush();
    ASSERT_FALSE(flushed);
    EXPECT_EQ(flushed.error().kind, ErrorKind::kExhausted);
    EXPECT_THAT(flushed.error().message, HasSubstr("disk full"));
    EXPECT_FALSE(ledger->append(one("refused")));
    disk.make_space();
    EXPECT_FALSE(ledger->append(one("still refused"))) << "a ledger that lost a write went on";
  }
  int count = 0;
  ASSERT_TRUE(replay_all(*open(), &count));
  EXPECT_EQ(count, 1);
}

// A process that is killed between appends: what was acknowledged is there, in order, and nothing is half
// there.
TEST_F(LedgerDamage, AKilledProcessLosesNothingAcknowledged) {
#if defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "ThreadSanitizer ends a forked process that starts threads";
#endif
  int acknowledged = 0;
  for (int round = 0; round < 3; ++round) {
    int pipe_ends[2];
    ASSERT_EQ(pipe(pipe_ends), 0);
    const pid_t child = fork();
    if (child == 0) {
      auto ledger = Ledger::open(path());
      if (!ledger) _exit(1);
      for (;;) {
        Append append;
        append.records = {"first of a pair", "second of a pair"};
        append.done = [&](const Status& status) {
          if (status && write(pipe_ends[1], "x", 1) != 1) _exit(1);
        };
        if (!(*ledger)->append(std::move(append)) || !(*ledger)->flush()) _exit(1);
      }
    }
    close(pipe_ends[1]);
    char byte = 0;
    for (int i = 0; i < 20 * (round + 1); ++i) ASSERT_EQ(read(pipe_ends[0], &byte, 1), 1);
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
    acknowledged += 20 * (round + 1);
    while (read(pipe_ends[0], &byte, 1) == 1) ++acknowledged;
    close(pipe_ends[0]);
    int count = 0;
    ASSERT_TRUE(replay_all(*open(), &count));
    EXPECT_GE(count, 2 * acknowledged);
    EXPECT_EQ(count % 2, 0) << "half of an append";
    acknowledged = count / 2;
  }
}

}  // namespace
}  // namespace rushes::storage
