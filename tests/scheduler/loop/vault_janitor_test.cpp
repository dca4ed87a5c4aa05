#include "scheduler/vault_janitor.h"

#include <gtest/gtest.h>

#include "tests/storage/temporary_folder.h"

namespace rushes::scheduler {
namespace {

using namespace std::chrono_literals;

class VaultJanitorTest : public testing::Test {
 protected:
  void SetUp() override {
    auto opened = storage::Vault::open(folder_.path() / "vault");
    ASSERT_TRUE(opened) << opened.error().message;
    vault_ = std::move(*opened);
  }
  // An artifact that somebody holds.
  Digest held(const std::string& bytes) {
    const Digest digest = vault_->put(bytes).value();
    EXPECT_TRUE(vault_->retain("demo/sh010/1", {digest}));
    return digest;
  }
  bool is_gone_soon(const Digest& digest) const {
    for (int i = 0; i < 1000 && vault_->contains(digest); ++i) std::this_thread::sleep_for(10ms);
    return !vault_->contains(digest);
  }
  storage::TemporaryFolder folder_;
  std::unique_ptr<storage::Vault> vault_;
};

TEST_F(VaultJanitorTest, ReleasesSoonAfterASweepShareTheNextOne) {
  const Digest first = held("first"), second = held("second"), third = held("third");
  VaultJanitor janitor(*vault_, 0ms, 1h, 1h);
  janitor.release({first});
  janitor.flush();
  EXPECT_TRUE(is_gone_soon(first));
  janitor.release({second});
  janitor.release({third});
  janitor.flush();
  EXPECT_EQ(vault_->references(second).value(), 0u);
  std::this_thread::sleep_for(200ms);
  EXPECT_TRUE(vault_->contains(second)) << "one sweep an hour";
  EXPECT_EQ(janitor.sweep_now().value().artifacts, 2u) << "but for who asks";
  EXPECT_FALSE(vault_->contains(second));
  EXPECT_EQ(janitor.swept().artifacts, 3u);
}

TEST_F(VaultJanitorTest, WhatIsReleasedAfterASweepIsSweptByItself) {
  const Digest first = held("first"), second = held("second");
  VaultJanitor janitor(*vault_, 0ms, 1h, 300ms);
  janitor.release({first});
  janitor.flush();
  EXPECT_TRUE(is_gone_soon(first));
  janitor.release({second});
  janitor.flush();
  EXPECT_TRUE(is_gone_soon(second)) << "after the pause, long before the hour is over";
}

// As behind a backup, or a compaction of hours.
TEST_F(VaultJanitorTest, ReferencesAreWrittenWhileASweepWaits) {
  const Digest gone = held("gone"), kept = vault_->put("kept").value();
  VaultJanitor janitor(*vault_, 0ms, 1h, 0ms);
  {
    const auto unswept = janitor.hold_sweeps();
    janitor.release({gone});
    janitor.flush();
    std::this_thread::sleep_for(100ms);  // its sweep waits now
    janitor.retain("demo/sh010/2", {kept});
    janitor.flush();
    EXPECT_EQ(vault_->references(kept).value(), 1u);
    EXPECT_TRUE(vault_->contains(gone));
  }
  EXPECT_TRUE(is_gone_soon(gone));
  EXPECT_TRUE(vault_->contains(kept));
}

TEST_F(VaultJanitorTest, TheDestructorFinishesTheQueue) {
  const Digest kept = vault_->put("kept").value();
  {
    VaultJanitor janitor(*vault_, 1h);
    janitor.retain("demo/sh010/1", {kept});
  }
  EXPECT_EQ(vault_->references(kept).value(), 1u);
}

}  // namespace
}  // namespace rushes::scheduler
