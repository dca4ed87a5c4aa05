#include "worker/engine/artifacts.h"

#include <gtest/gtest.h>

#include <fstream>
#include <thread>

#include "config/digest.h"
#include "tests/scheduler/protocol/folder.h"

namespace rushes::worker {
namespace {

std::span<const std::byte> as_span(const std::string& text) { return std::as_bytes(std::span(text)); }
std::string text_of(const Mapped& mapped) {
  return {reinterpret_cast<const char*>(mapped.bytes().data()), mapped.bytes().size()};
}
LocalArtifacts open(const test::Folder& folder, std::uint64_t max_bytes = 1u << 20) {
  return *LocalArtifacts::open_folder(folder / "cache", max_bytes, LocalArtifacts::Owner::kAgent);
}
std::size_t incoming_files(const test::Folder& folder) {
  const auto files = std::filesystem::directory_iterator(folder / "cache" / "incoming");
  return static_cast<std::size_t>(std::distance(begin(files), end(files)));
}

TEST(LocalArtifacts, WhatIsPutCanBeOpened) {
  const test::Folder folder;
  auto artifacts = open(folder);
  for (const std::string text : {"", "x", "some latents"}) {
    const auto stored = artifacts.put(Role::kLatent, as_span(text));
    ASSERT_TRUE(stored) << stored.error().message;
    EXPECT_EQ(stored->digest, digest_of(text));
    EXPECT_EQ(stored->bytes, text.size());
    const auto mapped = artifacts.open(stored->digest);
    ASSERT_TRUE(mapped);
    EXPECT_EQ(text_of(*mapped), text);
    EXPECT_EQ(artifacts.put(Role::kLatent, as_span(text))->digest, stored->digest);
  }
  EXPECT_EQ(incoming_files(folder), 0u);
  EXPECT_EQ(artifacts.open(digest_of("nowhere")).error().kind, ErrorKind::kNotFound);
}

// Whoever changed the file, before it was first opened or later.
TEST(LocalArtifacts, ADamagedFileIsRemovedAndNotOpened) {
  const test::Folder folder;
  for (const bool opened_before : {false, true}) {
    auto artifacts = open(folder);
    const auto stored = artifacts.put(Role::kLatent, as_span("some latents"));
    ASSERT_TRUE(stored);
    if (opened_before) {
      EXPECT_EQ(text_of(*artifacts.open(stored->digest)), "some latents");
    }
    const std::string hex = to_hex(stored->digest);
    const auto path = folder / "cache" / hex.substr(0, 2) / hex;
    ASSERT_TRUE(std::filesystem::exists(path));
    std::ofstream(path, std::ios::binary | std::ios::in | std::ios::out) << "S";
    const auto refused = artifacts.open(stored->digest);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().kind, ErrorKind::kNotFound) << "a fault of the host: it is tried again";
    EXPECT_NE(refused.error().message.find("is damaged; it is removed"), std::string::npos);
    EXPECT_FALSE(artifacts.have(stored->digest)) << "it is fetched again";
    ASSERT_TRUE(artifacts.put(Role::kLatent, as_span("some latents")));
    EXPECT_TRUE(artifacts.open(stored->digest));
  }
}

TEST(LocalArtifacts, ArrivingBytesAreCheckedBeforeTheyAreSeen) {
  const test::Folder folder;
  auto artifacts = open(folder);
  const Digest digest = digest_of("expected bytes");
  {
    auto wrong = artifacts.receive(digest, 14);
    ASSERT_TRUE(wrong && wrong->append(as_span("expected byteX")));
    EXPECT_EQ(wrong->finish().error().kind, ErrorKind::kCorrupt);
  }
  {
    auto shorter = artifacts.receive(digest, 14);
    ASSERT_TRUE(shorter && shorter->append(as_span("expected")));
    EXPECT_FALSE(artifacts.have(digest));
    EXPECT_EQ(shorter->finish().error().kind, ErrorKind::kCorrupt);
  }
  {
    auto longer = artifacts.receive(digest, 4);
    ASSERT_TRUE(longer);
    EXPECT_EQ(longer->append(as_span("expected bytes")).error().kind, ErrorKind::kExhausted);
  }
  EXPECT_FALSE(artifacts.have(digest));
  EXPECT_EQ(incoming_files(folder), 0u);
  auto right = artifacts.receive(digest, 14);
  ASSERT_TRUE(right && right->append(as_span("expected ")) && right->append(as_span("bytes")));
  ASSERT_TRUE(right->finish());
  EXPECT_EQ(text_of(*artifacts.open(digest)), "expected bytes");
}

TEST(LocalArtifacts, PiecesInAnyOrderBecomeOneArtifact) {
  const test::Folder folder;
  auto artifacts = open(folder);
  {
    auto dropped = artifacts.create(Role::kFrames);
    ASSERT_TRUE(dropped && dropped->append(as_span("never finished")));
  }
  EXPECT_EQ(incoming_files(folder), 0u);
  auto in_order = artifacts.create(Role::kFrames);
  ASSERT_TRUE(in_order && in_order->append(as_span("header, ")) && in_order->append(as_span("frames")));
  const auto stored = in_order->finish();
  ASSERT_TRUE(stored) << stored.error().message;
  EXPECT_EQ(stored->role, Role::kFrames);
  EXPECT_EQ(stored->bytes, 14u);
  EXPECT_EQ(stored->digest, digest_of("header, frames"));
  EXPECT_EQ(text_of(*artifacts.open(stored->digest)), "header, frames");

  auto scattered = artifacts.create(Role::kGuide);
  ASSERT_TRUE(scattered && scattered->write_at(8, as_span("guide")) &&
              scattered->write_at(0, as_span("header, ")));
  EXPECT_EQ(scattered->finish()->digest, digest_of("header, guide"));
  auto large = artifacts.create(Role::kGuide);
  ASSERT_TRUE(large);
  EXPECT_EQ(large->write_at(std::uint64_t{4} << 30, as_span("x")).error().kind, ErrorKind::kExhausted);
}

TEST(LocalArtifacts, DroppedPagesAreReadAgain) {
  const test::Folder folder;
  auto artifacts = open(folder);
  const auto mapped = artifacts.open(artifacts.put(Role::kLatent, as_span("some latents"))->digest);
  ASSERT_TRUE(mapped);
  mapped->drop_pages();
  EXPECT_EQ(text_of(*mapped), "some latents");
}

TEST(LocalArtifacts, TheAgentCleansWhatACrashLeft) {
  const test::Folder folder;
  open(folder);
  std::ofstream(folder / "cache" / "incoming" / "half") << "half an artifact";
  ASSERT_TRUE(LocalArtifacts::open_folder(folder / "cache", 1, LocalArtifacts::Owner::kEngine));
  EXPECT_EQ(incoming_files(folder), 1u);
  open(folder);
  EXPECT_EQ(incoming_files(folder), 0u);
}

TEST(LocalArtifacts, TheLeastRecentlyUsedLeaveFirstAndPinnedOnesStay) {
  const test::Folder folder;
  auto artifacts = open(folder, 250);
  std::vector<Digest> digests;
  for (char c = 'a'; c < 'e'; ++c) {
    digests.push_back(artifacts.put(Role::kLatent, as_span(std::string(100, c)))->digest);
    std::this_thread::sleep_for(std::chrono::milliseconds(15));
  }
  ASSERT_TRUE(artifacts.open(digests[1]));  // used again: now the most recent
  EXPECT_EQ(artifacts.recent(2), (std::vector<Digest>{digests[1], digests[3]}));
  artifacts.pin(digests[0]);
  EXPECT_EQ(artifacts.evict(std::chrono::seconds(60)), 400u);  // a running attempt may need them all
  EXPECT_EQ(artifacts.evict(), 200u);
  EXPECT_TRUE(artifacts.have(digests[0]));
  EXPECT_TRUE(artifacts.have(digests[1]));
  EXPECT_FALSE(artifacts.have(digests[2]));
  EXPECT_FALSE(artifacts.have(digests[3]));
}

TEST(LocalArtifacts, AMappingOutlivesItsFile) {
  const test::Folder folder;
  auto artifacts = open(folder, 0);
  const auto stored = artifacts.put(Role::kLatent, as_span("still here"));
  const auto mapped = artifacts.open(stored->digest);
  EXPECT_EQ(artifacts.evict(), 0u);
  EXPECT_FALSE(artifacts.have(stored->digest));
  EXPECT_EQ(text_of(*mapped), "still here");
}

TEST(LocalArtifacts, AFolderThatCannotBeMadeIsAnError) {
  const test::Folder folder;
  std::ofstream(folder / "file") << "not a folder";
  const auto opened = LocalArtifacts::open_folder(folder / "file" / "cache", 1);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().kind, ErrorKind::kExhausted);
}

}  // namespace
}  // namespace rushes::worker
