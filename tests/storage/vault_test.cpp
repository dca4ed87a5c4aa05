#include "storage/vault.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>
#include <rocksdb/db.h>

#include <atomic>
#include <cstdlib>
#include <functional>
#include <thread>

#include "storage/disk.h"
#include "tests/storage/faulty_disk.h"
#include "tests/storage/temporary_folder.h"

namespace rushes::storage {
namespace {

using testing::HasSubstr;
using namespace std::chrono_literals;

// Bytes that differ at every place and do not repeat with the chunk size.
std::string pattern(std::size_t size, std::uint32_t seed = 1) {
  std::string bytes(size, '\0');
  std::uint32_t state = seed;
  for (char& byte : bytes) {
    state = state * 1664525u + 1013904223u;
    byte = static_cast<char>(state >> 24);
  }
  return bytes;
}

class VaultTest : public testing::Test {
 protected:
  void SetUp() override { reopen(); }

  void reopen(VaultOptions options = {}) {
    vault_.reset();
    auto opened = Vault::open(folder_.path() / "vault", options);
    ASSERT_TRUE(opened) << opened.error().message;
    vault_ = std::move(*opened);
  }

  TemporaryFolder folder_;
  FaultyDisk disk_;
  std::unique_ptr<Vault> vault_;
};

TEST_F(VaultTest, KeepsBytesOverReopening) {
  const std::string small = "latents", large = pattern(3 * kChunkBytes + 17),
                    exact = pattern(2 * kChunkBytes, 9);
  std::vector<Digest> digests;
  for (const auto& bytes : {small, large, exact, std::string()})
    digests.push_back(vault_->put(bytes).value());
  reopen();
  EXPECT_EQ(vault_->read_all(digests[0], 1 << 30).value(), small);
  EXPECT_EQ(vault_->read_all(digests[1], 1 << 30).value(), large);
  EXPECT_EQ(vault_->read_all(digests[2], 1 << 30).value(), exact);
  EXPECT_EQ(vault_->read_all(digests[3], 1 << 30).value(), "");
  EXPECT_EQ(vault_->find(digests[1]).value()->bytes, large.size());
  EXPECT_FALSE(vault_->contains(digest_of("never stored")));
  EXPECT_EQ(vault_->read(digest_of("never stored"), 0, 1).error().kind, ErrorKind::kNotFound);
  EXPECT_EQ(vault_->read(digests[0], 8, 1).error().kind, ErrorKind::kInvalid);
  EXPECT_EQ(vault_->read_all(digests[1], 100).error().kind, ErrorKind::kInvalid);
}

TEST_F(VaultTest, AWrongDigestIsNeverStored) {
  const std::string bytes = pattern(kChunkBytes + 5);
  const Digest claimed = digest_of("something else");
  const auto upload = vault_->begin(claimed, bytes.size()).value();
  ASSERT_TRUE(vault_->add(upload, 0, bytes));
  const auto committed = vault_->commit(upload);
  ASSERT_FALSE(committed);
  EXPECT_EQ(committed.error().kind, ErrorKind::kCorrupt);
  EXPECT_FALSE(vault_->contains(claimed));
  EXPECT_FALSE(vault_->contains(digest_of(bytes)));
  EXPECT_EQ(vault_->open_uploads(), 0u);
}

TEST_F(VaultTest, ASecondUploadCannotReplaceTheFirst) {
  const std::string bytes = pattern(2 * kChunkBytes);
  const Digest digest = vault_->put(bytes).value();
  // Begins before, ends after: the chunks of a wrong upload never touch those of the right one.
  const auto wrong = vault_->begin(digest, bytes.size()).value();
  ASSERT_TRUE(vault_->add(wrong, 0, pattern(bytes.size(), 77)));
  EXPECT_FALSE(vault_->commit(wrong));
  const auto same = vault_->begin(digest, bytes.size()).value();
  ASSERT_TRUE(vault_->add(same, 0, bytes));
  EXPECT_TRUE(vault_->commit(same));
  EXPECT_EQ(vault_->read_all(digest, 1 << 30).value(), bytes);
}

TEST_F(VaultTest, OffsetsAndLengthsAreHeldToWhatWasAnnounced) {
  const auto upload = vault_->begin(digest_of("0123456789"), 10).value();
  EXPECT_EQ(vault_->add(upload, 0, "01234").value(), 5u);
  EXPECT_EQ(vault_->add(upload, 0, "01234").error().kind, ErrorKind::kInvalid);
  EXPECT_EQ(vault_->add(upload, 7, "789").error().kind, ErrorKind::kInvalid);
  EXPECT_EQ(vault_->add(upload, 5, "56789x").error().kind, ErrorKind::kInvalid);
  EXPECT_EQ(vault_->add(upload + 1, 0, "0").error().kind, ErrorKind::kNotFound);
  EXPECT_EQ(vault_->add(upload, 5, "56789").value(), 10u);
  EXPECT_TRUE(vault_->commit(upload));
  const auto cut = vault_->begin(digest_of("0123456789!"), 11).value();
  ASSERT_TRUE(vault_->add(cut, 0, "0123456789"));
  EXPECT_THAT(vault_->commit(cut).error().message, HasSubstr("announced 11 bytes, 10 arrived"));
}

TEST_F(VaultTest, OpenUploadsAndSizesAreBounded) {
  reopen({.max_artifact_bytes = 100, .max_open_uploads = 2});
  EXPECT_EQ(vault_->begin(digest_of("x"), 101).error().kind, ErrorKind::kInvalid);
  const auto first = vault_->begin(digest_of("a"), 1).value();
  ASSERT_TRUE(vault_->begin(digest_of("b"), 1));
  EXPECT_EQ(vault_->begin(digest_of("c"), 1).error().kind, ErrorKind::kExhausted);
  vault_->abort(first);
  EXPECT_TRUE(vault_->begin(digest_of("c"), 1));
}

TEST_F(VaultTest, AnUploadCutByACrashIsForgotten) {
  const std::string bytes = pattern(2 * kChunkBytes + 1);
  const auto upload = vault_->begin(digest_of(bytes), bytes.size()).value();
  ASSERT_TRUE(vault_->add(upload, 0, std::string_view(bytes).substr(0, kChunkBytes + 10)));
  reopen();
  EXPECT_FALSE(vault_->contains(digest_of(bytes)));
  EXPECT_EQ(vault_->add(upload, kChunkBytes + 10, "x").error().kind, ErrorKind::kNotFound);
  const Digest digest = vault_->put(bytes).value();
  reopen();
  EXPECT_EQ(vault_->read_all(digest, 1 << 30).value(), bytes);
}

TEST_F(VaultTest, SweepTakesOnlyOldUploadsWithoutReference) {
  const Digest kept = vault_->put(pattern(kChunkBytes + 1, 2)).value();
  const Digest shared = vault_->put("shared by two takes").value();
  const Digest lost = vault_->put(pattern(kChunkBytes + 1, 3)).value();
  ASSERT_TRUE(vault_->retain("show/sh010/1", {kept, shared}));
  ASSERT_TRUE(vault_->retain("show/sh010/1", {shared}));
  ASSERT_TRUE(vault_->retain("show/sh010/2", {shared}));
  EXPECT_EQ(vault_->references(shared).value(), 2u);
  EXPECT_EQ(vault_->sweep(1h).value().artifacts, 0u) << "too young";
  reopen();
  const auto swept = vault_->sweep(0ms).value();
  EXPECT_EQ(swept.artifacts, 1u);
  EXPECT_EQ(swept.bytes, kChunkBytes + 1);
  EXPECT_FALSE(vault_->contains(lost));
  ASSERT_TRUE(vault_->release("show/sh010/1"));
  EXPECT_EQ(vault_->references(kept).value(), 0u);
  EXPECT_EQ(vault_->sweep(0ms).value().artifacts, 1u);
  EXPECT_FALSE(vault_->contains(kept));
  EXPECT_EQ(vault_->read_all(shared, 100).value(), "shared by two takes");
  EXPECT_FALSE(vault_->retain("", {shared}));
}

TEST_F(VaultTest, WhatNobodyNeedsIsReleasedWhoeverHeldIt) {
  const Digest gone = vault_->put("gone").value(), kept = vault_->put("kept").value();
  ASSERT_TRUE(vault_->retain("show/sh010/1", {gone, kept}));
  ASSERT_TRUE(vault_->retain("show/sh010@1/1", {gone}));
  EXPECT_EQ(vault_->unreferenced(0ms).value().artifacts, 0u);
  const std::vector<Digest> digests{gone, digest_of("never was")};
  ASSERT_TRUE(vault_->release(std::span(digests)));
  EXPECT_EQ(vault_->references(gone).value(), 0u);
  EXPECT_EQ(vault_->references(kept).value(), 1u);
  EXPECT_EQ(vault_->unreferenced(0ms).value().bytes, 4u);
  EXPECT_EQ(vault_->unreferenced(1h).value().artifacts, 0u) << "too young";
  EXPECT_TRUE(vault_->contains(gone)) << "it was only looked at";
  EXPECT_EQ(vault_->sweep(0ms).value().bytes, 4u);
  EXPECT_FALSE(vault_->contains(gone));
  ASSERT_TRUE(vault_->release("show/sh010/1"));
  EXPECT_EQ(vault_->sweep(0ms).value().artifacts, 1u);
}

// More than one hold of the lock has room for, and references of others among them.
TEST_F(VaultTest, ManyAreReleasedAndSweptWhileCommitsGoOn) {
  constexpr int kMany = 2100;
  std::vector<Digest> made, kept;
  for (int i = 0; i < kMany; ++i) made.push_back(digest_of(std::to_string(i)));
  for (int i = 0; i < 100; ++i) {
    const auto at = static_cast<std::size_t>(i * 21);
    ASSERT_EQ(vault_->put(std::to_string(at)).value(), made[at]);
    if (i % 10 == 0) kept.push_back(made[at]);
  }
  ASSERT_TRUE(vault_->retain("show/sh010/1", made));
  std::atomic<bool> done = false;
  std::thread commits([&] {
    for (int i = 0; !done; ++i) EXPECT_TRUE(vault_->retain("show/sh020/" + std::to_string(i), kept));
  });
  while (vault_->references(kept.back()).value() < 3) std::this_thread::yield();
  ASSERT_TRUE(vault_->release(std::span<const Digest>(made)));
  while (vault_->references(kept.back()).value() < 3) std::this_thread::yield();
  EXPECT_EQ(vault_->sweep(0ms).value().artifacts, 90u);
  done = true;
  commits.join();
  for (const Digest& digest : kept) EXPECT_TRUE(vault_->contains(digest));
  EXPECT_EQ(vault_->references(made[1]).value(), 0u);
  EXPECT_FALSE(vault_->contains(made[21]));
}

TEST_F(VaultTest, WhatIsMadeAgainIsAsNew) {
  const Digest digest = vault_->put("made twice").value();
  std::this_thread::sleep_for(300ms);
  EXPECT_EQ(vault_->renew(digest).value(), 10u);
  EXPECT_EQ(vault_->sweep(200ms).value().artifacts, 0u);
  std::this_thread::sleep_for(300ms);
  EXPECT_EQ(vault_->put("made twice").value(), digest);
  EXPECT_EQ(vault_->sweep(200ms).value().artifacts, 0u);
  EXPECT_EQ(vault_->renew(digest_of("never")).error().kind, ErrorKind::kNotFound);
}

// Bytes on the disk, not only keys: an old take in files of its own, and one that shares its files with one that stays.
TEST_F(VaultTest, ASweepGivesTheDiskItsSpaceBack) {
  const auto size = [&] { return size_of(folder_.path() / "vault").value().bytes; };
  constexpr std::size_t kBig = 40 * kChunkBytes;
  const Digest old = vault_->put(pattern(kBig, 1)).value();
  std::vector<Digest> kept;
  for (int i = 0; i < 4; ++i) {
    ASSERT_TRUE(vault_->put(pattern(4 * kChunkBytes, 10 + i)));
    kept.push_back(vault_->put(pattern(kChunkBytes, 20 + i)).value());
  }
  ASSERT_TRUE(vault_->retain("show/sh010/1", kept));
  ASSERT_TRUE(vault_->retain("show/sh010/2", {old}));
  EXPECT_EQ(vault_->sweep(0ms).value().artifacts, 4u);
  EXPECT_GT(size(), 44 * kChunkBytes - 1);
  const std::vector<Digest> digests{old};
  ASSERT_TRUE(vault_->release(std::span(digests)));
  std::atomic<bool> canceled = true;
  EXPECT_EQ(vault_->sweep(0ms, &canceled).value().bytes, 0u);
  EXPECT_TRUE(vault_->contains(old)) << "a farm that stops begins no sweep";
  EXPECT_EQ(vault_->sweep(0ms).value().bytes, kBig);
  EXPECT_TRUE(vault_->reclaim(&canceled));
  EXPECT_GT(size(), kBig) << "nor a compaction";
  ASSERT_TRUE(vault_->reclaim());
  EXPECT_LT(size(), 12 * kChunkBytes);
  for (int i = 0; i < 4; ++i)
    EXPECT_EQ(vault_->read_all(kept[static_cast<std::size_t>(i)], 1 << 30).value(),
              pattern(kChunkBytes, 20 + i));
  reopen();
  for (const Digest& digest : kept) EXPECT_TRUE(vault_->read_all(digest, 1 << 30));
}

TEST_F(VaultTest, ManyReferencesAreKeptTogetherOrNotAtAll) {
  const Digest first = vault_->put("first").value(), second = vault_->put("second").value();
  const std::vector<Reference> wrong{{"show/sh010/1", {first}}, {"", {second}}};
  EXPECT_FALSE(vault_->retain(wrong));
  EXPECT_EQ(vault_->references(first).value(), 0u);
  const std::vector<Reference> right{{"show/sh010/1", {first}}, {"show/sh010/2", {first, second}}};
  ASSERT_TRUE(vault_->retain(right));
  EXPECT_EQ(vault_->references(first).value(), 2u);
  EXPECT_EQ(vault_->references(second).value(), 1u);
}

TEST_F(VaultTest, CommitIsSynced) {
  reopen({.env = disk_.env()});
  const std::string bytes = pattern(4 * kChunkBytes);
  const auto upload = vault_->begin(digest_of(bytes), bytes.size()).value();
  ASSERT_TRUE(vault_->add(upload, 0, bytes));
  const int before = disk_.syncs();
  ASSERT_TRUE(vault_->commit(upload));
  EXPECT_EQ(disk_.syncs() - before, 1);
}

// The child of the death test runs this test again from its start, so the parent's folder travels in its environment.
TEST_F(VaultTest, WhatBypassesTheLogSurvivesAKill) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  constexpr const char* kFolder = "RUSHES_TEST_VAULT";
  ::setenv(kFolder, (folder_.path() / "killed").c_str(), 0);
  const VaultOptions options{.direct_bytes = 1};
  const std::string kept = pattern(3 * kChunkBytes + 17), cut = pattern(3 * kChunkBytes, 5);
  EXPECT_EXIT(
      {
        auto vault = Vault::open(std::getenv(kFolder), options);
        const bool stored = vault && (*vault)->put(kept);
        const auto upload = (*vault)->begin(digest_of(cut), cut.size());
        const bool begun =
            upload && (*vault)->add(*upload, 0, std::string_view(cut).substr(0, 2 * kChunkBytes));
        std::_Exit(stored && begun ? 7 : 1);
      },
      testing::ExitedWithCode(7), "");
  auto vault = Vault::open(std::getenv(kFolder), options);
  ASSERT_TRUE(vault) << vault.error().message;
  EXPECT_EQ((*vault)->read_all(digest_of(kept), 1 << 30).value(), kept);
  EXPECT_FALSE((*vault)->contains(digest_of(cut)));
  EXPECT_EQ((*vault)->put(cut).value(), digest_of(cut));
  EXPECT_EQ((*vault)->read_all(digest_of(cut), 1 << 30).value(), cut);
}

TEST_F(VaultTest, AFullDiskIsSaidAndTheVaultRecovers) {
  reopen({.env = disk_.env()});
  const Digest safe = vault_->put("safe").value();
  disk_.fill();
  const auto refused = vault_->put(pattern(kChunkBytes));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::kExhausted);
  EXPECT_THAT(refused.error().message, HasSubstr("disk full"));
  EXPECT_EQ(vault_->read_all(safe, 100).value(), "safe");
  disk_.make_space();
  // RocksDB looks for free space every few seconds and goes on by itself.
  auto again = vault_->put(pattern(kChunkBytes));
  for (int i = 0; i < 300 && !again; ++i) {
    std::this_thread::sleep_for(50ms);
    again = vault_->put(pattern(kChunkBytes));
  }
  ASSERT_TRUE(again) << again.error().message;
  reopen();
  EXPECT_TRUE(vault_->contains(safe));
  EXPECT_EQ(vault_->read_all(*again, 1 << 30).value(), pattern(kChunkBytes));
}

TEST_F(VaultTest, TwoProcessesAndOtherFormatsAreRefused) {
  const auto second = Vault::open(folder_.path() / "vault");
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().kind, ErrorKind::kConflict);
  EXPECT_THAT(Vault::open(folder_.path() / "vault").error().message, HasSubstr("locked"));
}

TEST_F(VaultTest, ReadersSeeWholeArtifactsWhileOthersWrite) {
  constexpr int kCount = 12;
  std::vector<std::string> contents;
  for (int i = 0; i < kCount; ++i) contents.push_back(pattern(kChunkBytes + 1000 * i, 100 + i));
  std::atomic<bool> stop{false};
  std::atomic<int> seen{0};
  std::vector<std::thread> readers;
  for (int r = 0; r < 2; ++r)
    readers.emplace_back([&] {
      while (!stop)
        for (const auto& bytes : contents) {
          const auto read = vault_->read_all(digest_of(bytes), 1 << 30);
          if (!read) {
            EXPECT_EQ(read.error().kind, ErrorKind::kNotFound) << read.error().message;
            continue;
          }
          EXPECT_EQ(*read, bytes);
          ++seen;
        }
    });
  std::thread writer([&] {
    for (int i = 0; i < kCount; i += 2) ASSERT_TRUE(vault_->put(contents[i]));
  });
  for (int i = 1; i < kCount; i += 2) ASSERT_TRUE(vault_->put(contents[i]));
  writer.join();
  std::this_thread::sleep_for(20ms);
  stop = true;
  for (auto& reader : readers) reader.join();
  EXPECT_GT(seen, 0);
  for (const auto& bytes : contents) EXPECT_TRUE(vault_->contains(digest_of(bytes)));
}

// What is in a checkpoint is whole, whether its chunks went through the log or past it; the rest is not there at all.
TEST_F(VaultTest, ACheckpointHoldsWholeArtifactsWhileOthersAreUploaded) {
  reopen({.direct_bytes = 2 * kChunkBytes});
  std::vector<std::string> contents;
  for (std::uint32_t i = 0; i < 40; ++i)
    contents.push_back(pattern((1 + i % 3) * kChunkBytes + 100 * i, 300 + i));
  std::atomic<std::size_t> committed{0};
  std::thread writer([&] {
    for (const auto& bytes : contents) {
      ASSERT_TRUE(vault_->put(bytes));
      ++committed;
    }
  });
  int copies = 0;
  while (committed < contents.size()) {
    const std::size_t before = committed;
    const auto folder = folder_.path() / "copy";
    const auto made = vault_->checkpoint(folder);
    ASSERT_TRUE(made) << made.error().message;
    const auto copy = Vault::open(folder);
    ASSERT_TRUE(copy) << copy.error().message;
    for (std::size_t i = 0; i < contents.size(); ++i) {
      const auto digest = digest_of(contents[i]);
      EXPECT_TRUE(i >= before || (*copy)->contains(digest)) << i;
      if (!(*copy)->contains(digest)) continue;
      const auto read = (*copy)->read_all(digest, 1 << 30);
      EXPECT_TRUE(read) << i << ": " << read.error().message;
    }
    ++copies;
    std::filesystem::remove_all(folder);
  }
  writer.join();
  EXPECT_GT(copies, 2);
}

// A commit in the middle of a checkpoint: an artifact of which only the name is copied could never be uploaded again.
TEST_F(VaultTest, ACommitDuringACheckpointIsInItWholeOrNotAtAll) {
  reopen({.direct_bytes = kChunkBytes, .env = disk_.env()});
  const std::string bytes = pattern(3 * kChunkBytes);
  std::thread writer;
  disk_.on_list([&] {
    if (writer.joinable()) return;
    writer = std::thread([&] { EXPECT_TRUE(vault_->put(bytes)); });
    for (int i = 0; i < 30 && !vault_->contains(digest_of(bytes)); ++i) std::this_thread::sleep_for(10ms);
  });
  ASSERT_TRUE(vault_->checkpoint(folder_.path() / "copy"));
  ASSERT_TRUE(writer.joinable());
  writer.join();
  disk_.on_list({});
  const auto copy = Vault::open(folder_.path() / "copy");
  ASSERT_TRUE(copy) << copy.error().message;
  const auto put = (*copy)->put(bytes);
  ASSERT_TRUE(put) << put.error().message;
  const auto read = (*copy)->read_all(*put, 1 << 30);
  EXPECT_TRUE(read) << read.error().message;
}

// Pieces of any size in, ranges of any size out, equal a plain string.
TEST_F(VaultTest, AnyPiecesAndRangesEqualAPlainString) {
  EXPECT_TRUE(rc::check([&] {
    const std::string bytes =
        pattern(*rc::gen::inRange<std::size_t>(0, 3 * kChunkBytes), *rc::gen::inRange(1u, 1000000u));
    const auto upload = vault_->begin(digest_of(bytes), bytes.size()).value();
    std::size_t offset = 0;
    while (offset < bytes.size()) {
      const std::size_t piece = *rc::gen::inRange<std::size_t>(1, 2 * kChunkBytes);
      const auto part = std::string_view(bytes).substr(offset, piece);
      offset += part.size();
      RC_ASSERT(vault_->add(upload, offset - part.size(), part).value() == offset);
    }
    RC_ASSERT(vault_->commit(upload).has_value());
    const std::size_t begin = *rc::gen::inRange<std::size_t>(0, bytes.size() + 1);
    const std::size_t length = *rc::gen::inRange<std::size_t>(0, 3 * kChunkBytes);
    RC_ASSERT(vault_->read(digest_of(bytes), begin, length).value() == bytes.substr(begin, length));
  }));
}

}  // namespace
}  // namespace rushes::storage
