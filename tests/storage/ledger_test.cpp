#include "storage/ledger.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <atomic>
#include <future>
#include <map>
#include <thread>

#include "storage/limits.h"
#include "tests/storage/faulty_disk.h"
#include "tests/storage/temporary_folder.h"

namespace rushes::storage {
namespace {

std::unique_ptr<Ledger> open(const TemporaryFolder& folder, LedgerOptions options = {}) {
  auto ledger = Ledger::open(folder.path() / "ledger", options);
  EXPECT_TRUE(ledger) << ledger.error().message;
  return ledger ? std::move(*ledger) : nullptr;
}

std::vector<std::string> replayed(const Ledger& ledger, std::uint64_t after = 0) {
  std::vector<std::string> payloads;
  const auto status = ledger.replay(after, [&](const Record& record) -> Status {
    EXPECT_EQ(record.sequence, after + payloads.size() + 1);
    payloads.push_back(record.payload);
    return {};
  });
  EXPECT_TRUE(status) << status.error().message;
  return payloads;
}

Append one(std::string record) {
  Append append;
  append.records.push_back(std::move(record));
  return append;
}

TEST(Ledger, KeepsRecordsAndLogsOverReopening) {
  TemporaryFolder folder;
  {
    auto ledger = open(folder);
    Append append = one("submitted");
    append.records.push_back("leased");
    append.logs.push_back({3, 1, "it began"});
    EXPECT_EQ(ledger->append(std::move(append)).value(), 2u);
    EXPECT_EQ(ledger->append(one("")).value(), 3u);
    ASSERT_TRUE(ledger->flush());
    EXPECT_EQ(ledger->synced_sequence(), 3u);
  }
  auto ledger = open(folder);
  EXPECT_EQ(replayed(*ledger), (std::vector<std::string>{"submitted", "leased", ""}));
  EXPECT_EQ(replayed(*ledger, 2), (std::vector<std::string>{""}));
  EXPECT_EQ(ledger->logs(3).value().at(0).second, "it began");
  EXPECT_EQ(ledger->append(one("later")).value(), 4u);
}

TEST(Ledger, DestructorWritesWhatIsQueued) {
  TemporaryFolder folder;
  for (int i = 0; i < 4; ++i) {
    auto ledger = open(folder);
    ASSERT_TRUE(ledger->append(one(std::to_string(i))));
  }
  EXPECT_EQ(replayed(*open(folder)).size(), 4u);
}

TEST(Ledger, AcknowledgesOnlyAfterTheSync) {
  TemporaryFolder folder;
  FaultyDisk disk;
  auto ledger = open(folder, {.env = disk.env()});
  disk.hold_syncs();
  std::promise<Status> done;
  Append append = one("important");
  append.done = [&](const Status& status) { done.set_value(status); };
  ASSERT_TRUE(ledger->append(std::move(append)));
  auto acknowledged = done.get_future();
  EXPECT_EQ(acknowledged.wait_for(std::chrono::milliseconds(100)), std::future_status::timeout);
  EXPECT_EQ(ledger->synced_sequence(), 0u);
  EXPECT_TRUE(ledger->records(0, 10).value().empty()) << "a record is shown before it is safe";
  disk.release_syncs();
  EXPECT_TRUE(acknowledged.get());
  EXPECT_EQ(ledger->records(0, 10).value().size(), 1u);
}

TEST(Ledger, OneSyncCarriesManyAppends) {
  TemporaryFolder folder;
  FaultyDisk disk;
  auto ledger = open(folder, {.env = disk.env()});
  disk.hold_syncs();
  std::atomic<int> acknowledged{0};
  for (int i = 0; i < 1000; ++i) {
    Append append = one(std::to_string(i));
    append.done = [&](const Status& status) { acknowledged += status ? 1 : 0; };
    ASSERT_TRUE(ledger->append(std::move(append)));
  }
  const int before = disk.syncs();
  disk.release_syncs();
  ASSERT_TRUE(ledger->flush());
  EXPECT_EQ(acknowledged, 1000);
  EXPECT_LE(disk.syncs() - before, 3) << "the appends that queued up were not gathered";
  EXPECT_LE(ledger->written().syncs, 3u);
  EXPECT_GE(ledger->written().bytes, 1000u * (8 + 24 + 1)) << "key, header and payload of every record";
}

TEST(Ledger, KeepsTheOrderOfManyThreads) {
  TemporaryFolder folder;
  auto ledger = open(folder, {.gather_microseconds = 200});
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      for (int i = 0; i < 100; ++i) {
        const auto sequence = ledger->append(one(std::to_string(t) + " " + std::to_string(i)));
        ASSERT_TRUE(sequence);
      }
    });
  for (auto& thread : threads) thread.join();
  ASSERT_TRUE(ledger->flush());
  std::map<int, int> next;
  for (const auto& payload : replayed(*ledger)) {
    const int thread = std::stoi(payload), index = std::stoi(payload.substr(payload.find(' ')));
    EXPECT_EQ(index, next[thread]++);
  }
  EXPECT_EQ(next.size(), 4u);
}

TEST(Ledger, SnapshotReplacesRecordsBehindIt) {
  TemporaryFolder folder;
  {
    auto ledger = open(folder, {.keep_records = 2});
    for (int i = 1; i <= 10; ++i) ASSERT_TRUE(ledger->append(one(std::to_string(i))));
    ASSERT_TRUE(ledger->append_snapshot(6, {{"b", "b at 6"}, {"a", "a at 6"}}));
    ASSERT_TRUE(ledger->append_snapshot(8, {{"b", "b at 8"}, {"c", "c at 8"}}));
    ASSERT_TRUE(ledger->flush());
    EXPECT_EQ(ledger->first_sequence(), 7u);
  }
  auto ledger = open(folder, {.keep_records = 2});
  std::vector<std::string> rows;
  const auto through = ledger->snapshot([&](std::string_view row) {
    rows.emplace_back(row);
    return Status();
  });
  EXPECT_EQ(through.value(), 8u);
  EXPECT_EQ(rows, (std::vector<std::string>{"a at 6", "b at 8", "c at 8"}));
  EXPECT_EQ(ledger->first_sequence(), 7u);
  EXPECT_EQ(replayed(*ledger, 8), (std::vector<std::string>{"9", "10"}));
  EXPECT_EQ(ledger->records(0, 2).value().front().payload, "7");
}

TEST(Ledger, GoesOnCountingWhenTheSnapshotHoldsEverything) {
  TemporaryFolder folder;
  {
    auto ledger = open(folder, {.keep_records = 0});
    for (int i = 1; i <= 3; ++i) ASSERT_TRUE(ledger->append(one(std::to_string(i))));
    ASSERT_TRUE(ledger->append_snapshot(3, {{"a", "row"}}));
    EXPECT_EQ(ledger->append_snapshot(3, {{std::string(1, '\0'), "row"}}).error().kind, ErrorKind::kInvalid);
  }
  auto ledger = open(folder);
  EXPECT_EQ(ledger->first_sequence(), 4u);
  EXPECT_EQ(ledger->append(one("next")).value(), 4u);
  ASSERT_TRUE(ledger->flush());
  EXPECT_EQ(replayed(*ledger, 3), (std::vector<std::string>{"next"}));
}

TEST(Ledger, LogsKeepStartAndEnd) {
  TemporaryFolder folder;
  auto ledger = open(folder);
  Append append;
  append.logs.push_back({7, 1, "first attempt"});
  append.logs.push_back({7, 2, "start" + std::string(3 * kMaxLogBytes, '.') + "end"});
  append.logs.push_back({8, 1, "another task"});
  ASSERT_TRUE(ledger->append(std::move(append)));
  ASSERT_TRUE(ledger->flush());
  const auto logs = ledger->logs(7).value();
  ASSERT_EQ(logs.size(), 2u);
  EXPECT_EQ(logs[0], (std::pair<std::uint32_t, std::string>{1, "first attempt"}));
  EXPECT_LE(logs[1].second.size(), kMaxLogBytes);
  EXPECT_TRUE(logs[1].second.starts_with("start"));
  EXPECT_TRUE(logs[1].second.ends_with("end"));
}

TEST(Ledger, RefusesWhatIsBeyondTheLimits) {
  TemporaryFolder folder;
  auto ledger = open(folder);
  EXPECT_EQ(ledger->append(one(std::string(kMaxRecordBytes + 1, 'x'))).error().kind, ErrorKind::kInvalid);
  EXPECT_EQ(ledger->append(one("fits")).value(), 1u) << "a refused append took a sequence number";
}

TEST(Ledger, ACheckpointHoldsWhatWasSyncedBeforeItWhileAppendsGoOn) {
  TemporaryFolder folder;
  auto ledger = open(folder);
  std::atomic<bool> stop{false};
  std::thread writer([&] {
    for (std::uint64_t i = 1; !stop; ++i) {
      ASSERT_TRUE(ledger->append(one("record " + std::to_string(i))));
      ASSERT_TRUE(ledger->flush());
    }
  });
  for (int i = 0; i < 5; ++i) {
    ASSERT_TRUE(ledger->flush());
    const std::uint64_t synced = ledger->synced_sequence();
    const auto copy = folder.path() / ("copy" + std::to_string(i));
    const auto made = ledger->checkpoint(copy);
    ASSERT_TRUE(made) << made.error().message;
    const auto opened = Ledger::open(copy);
    ASSERT_TRUE(opened) << opened.error().message;
    const auto records = replayed(**opened);
    EXPECT_GE(records.size(), synced);
    for (std::size_t k = 0; k < records.size(); ++k) ASSERT_EQ(records[k], "record " + std::to_string(k + 1));
  }
  stop = true;
  writer.join();
  EXPECT_EQ(ledger->checkpoint(folder.path() / "copy0").error().kind, ErrorKind::kInternal);
}

// Whatever is appended in whatever groups comes back in order, from any place, also after reopening.
TEST(Ledger, ReplayReturnsEveryAcknowledgedRecord) {
  TemporaryFolder folder;
  std::vector<std::string> expected;
  {
    auto ledger = open(folder);
    EXPECT_TRUE(rc::check([&](const std::vector<std::vector<std::string>>& groups) {
      const std::size_t before = expected.size();
      for (const auto& group : groups) {
        Append append;
        append.records = group;
        expected.insert(expected.end(), group.begin(), group.end());
        RC_ASSERT(ledger->append(std::move(append)).value() == expected.size());
      }
      RC_ASSERT(ledger->flush().has_value());
      const std::size_t from = *rc::gen::inRange(before, expected.size() + 1);
      RC_ASSERT(
          replayed(*ledger, from) ==
          std::vector<std::string>(expected.begin() + static_cast<std::ptrdiff_t>(from), expected.end()));
    }));
  }
  EXPECT_EQ(replayed(*open(folder)), expected);
}

}  // namespace
}  // namespace rushes::storage
