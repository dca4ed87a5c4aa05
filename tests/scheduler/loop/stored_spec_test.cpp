#include "scheduler/stored_spec.h"

#include <gtest/gtest.h>

#include "scheduler/protocol/codec.h"
#include "storage/records/words_codec.h"
#include "tests/scheduler/protocol/folder.h"

namespace rushes::scheduler {
namespace {

protocol::SchedulerMessage assignment_of(std::size_t recipe_bytes) {
  TaskSpec spec;
  spec.id = TaskId(1);
  spec.recipe_bytes.resize(recipe_bytes, 7);
  return protocol::Assign{{TaskId(1), 1, 7}, 15'000, 0, std::move(spec)};
}

TEST(StoredSpec, ALargeDescriptionTravelsAsAnArtifact) {
  const rushes::test::Folder folder;
  const auto vault = storage::Vault::open(folder / "vault");
  ASSERT_TRUE(vault) << vault.error().message;
  const auto small = assignment_of(protocol::kMaxInlineSpec - 1000);
  EXPECT_EQ(with_stored_spec(**vault, small).value(), small);

  const auto large = assignment_of(protocol::kMaxStoredSpec - 1000);
  EXPECT_FALSE(protocol::encode(large));
  const auto sent = with_stored_spec(**vault, large);
  ASSERT_TRUE(sent) << sent.error().message;
  EXPECT_TRUE(protocol::encode(*sent));
  const auto stored = std::get<protocol::ArtifactRef>(std::get<protocol::Assign>(*sent).task);
  const auto bytes = (*vault)->read_all(stored.digest, 1 << 20);
  ASSERT_TRUE(bytes) << bytes.error().message;
  EXPECT_EQ(bytes->size(), stored.bytes);
  EXPECT_EQ(decode_task(*bytes).value(), std::get<TaskSpec>(std::get<protocol::Assign>(large).task));

  const auto too_large = with_stored_spec(**vault, assignment_of(protocol::kMaxStoredSpec));
  ASSERT_FALSE(too_large);
  EXPECT_EQ(too_large.error().kind, ErrorKind::kExhausted);
  EXPECT_EQ(with_stored_spec(**vault, protocol::Greet{}).value(),
            protocol::SchedulerMessage(protocol::Greet{}));
}

}  // namespace
}  // namespace rushes::scheduler
