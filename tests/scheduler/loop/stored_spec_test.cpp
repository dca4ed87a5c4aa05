#include "scheduler/stored_spec.h"

#include <gtest/gtest.h>

#include "scheduler/protocol/codec.h"
#include "tests/scheduler/protocol/folder.h"

namespace rushes::scheduler {
namespace {

TEST(StoredSpec, ALargeDescriptionTravelsAsAnArtifact) {
  const rushes::test::Folder folder;
  const auto vault = storage::Vault::open(folder / "vault");
  ASSERT_TRUE(vault) << vault.error().message;
  protocol::Assign assign;
  assign.id = {1, 1, 7};
  assign.spec = std::string(protocol::kMaxInlineSpec, 's');
  ASSERT_TRUE(store_large_spec(**vault, assign));
  EXPECT_FALSE(assign.stored);
  EXPECT_EQ(assign.spec.size(), protocol::kMaxInlineSpec);

  const std::string large(protocol::kMaxStoredSpec, 'l');
  assign.spec = large;
  const auto stored = store_large_spec(**vault, assign);
  ASSERT_TRUE(stored) << stored.error().message;
  EXPECT_TRUE(assign.spec.empty());
  ASSERT_TRUE(assign.stored);
  EXPECT_EQ(assign.stored->bytes, large.size());
  EXPECT_EQ((*vault)->read_all(assign.stored->digest, 1 << 20).value(), large);
  EXPECT_TRUE(protocol::encode(protocol::SchedulerMessage(assign)));

  assign.stored.reset();
  assign.spec = large + "x";
  EXPECT_EQ(store_large_spec(**vault, assign).error().kind, ErrorKind::kExhausted);
}

}  // namespace
}  // namespace rushes::scheduler
