#include "scheduler/protocol/vault_store.h"

#include <gtest/gtest.h>

#include "tests/scheduler/protocol/farm_keys.h"

namespace rushes::protocol::test {
namespace {

struct VaultStoreTest : ::testing::Test {
  void open(std::uint64_t disk_reserve) {
    vault = *storage::Vault::open(folder / "vault");
    store = std::make_unique<VaultStore>(*vault, folder.path(), disk_reserve);
    authenticator = *ZapAuthenticator::open(keys.scheduler.secret_key, keys.folder / "workers");
    server = *ArtifactServer::start(*authenticator, "tcp://127.0.0.1:*", *store);
    client = *ArtifactClient::open(keys.client(server->endpoint(), keys.worker));
  }
  Status put(const Digest& digest, const std::string& bytes) {
    return client->put(digest, std::as_bytes(std::span(bytes)));
  }
  FarmKeys keys;
  rushes::test::Folder folder;
  std::unique_ptr<storage::Vault> vault;
  std::unique_ptr<VaultStore> store;
  std::unique_ptr<ZapAuthenticator> authenticator;
  std::unique_ptr<ArtifactServer> server;
  std::unique_ptr<ArtifactClient> client;
};

TEST_F(VaultStoreTest, ArtifactsGoThroughTheWireIntoTheVaultAndBack) {
  open(0);
  for (const std::size_t size : {std::size_t{0}, std::size_t{5}, 2 * kMaxChunkBytes + 3}) {
    const std::string bytes(size, 'v');
    const Digest digest = digest_of(bytes);
    const auto done = put(digest, bytes);
    ASSERT_TRUE(done) << done.error().message;
    EXPECT_EQ(vault->read_all(digest, 1u << 30).value(), bytes);
    std::string back;
    ASSERT_TRUE(client->get(digest, [&](std::uint64_t, std::span<const std::byte> piece) -> Status {
      back.append(reinterpret_cast<const char*>(piece.data()), piece.size());
      return {};
    }));
    EXPECT_EQ(back, bytes);
  }
  EXPECT_EQ(vault->open_uploads(), 0u);
}

TEST_F(VaultStoreTest, BytesOfAnotherDigestAreRefused) {
  open(0);
  const auto done = put(digest_of("right"), "wrong");
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().kind, ErrorKind::kCorrupt);
  EXPECT_FALSE(vault->contains(digest_of("right")));
  EXPECT_EQ(vault->open_uploads(), 0u);
}

TEST_F(VaultStoreTest, AFullDiskIsRefusedBeforeTheFirstChunk) {
  open(std::uint64_t{1} << 60);
  const auto done = put(digest_of("bytes"), "bytes");
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().kind, ErrorKind::kExhausted);
  EXPECT_NE(done.error().message.find("disk is full"), std::string::npos) << done.error().message;
}

}  // namespace
}  // namespace rushes::protocol::test
