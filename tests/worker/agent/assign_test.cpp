// What an assignment begins, and which one is another.
#include "config/digest.h"
#include "tests/worker/agent/agent_fixture.h"

namespace rushes::worker {
namespace {

// The farm was restored from a backup, and gives the numbers of those days again.
TEST_F(AgentTest, AnAttemptUnderAnotherLeaseIsAnotherOne) {
  join();
  const auto assign = [&](std::uint64_t lease) {
    AttemptId attempt = id(1);
    attempt.lease = lease;
    agent->on_message(Assign{attempt, kLease, 0, test_spec({}, "task", Stage::kDenoise)}, now);
    return all<action::Fetch>().size();
  };
  EXPECT_EQ(assign(7), 1u);
  EXPECT_EQ(assign(7), 0u) << "the same once more";
  AttemptId over = id(1);
  over.lease = 7;
  agent->on_message(Revoke{over, "no longer wanted"}, now);
  EXPECT_EQ(assign(7), 0u) << "it is over";
  EXPECT_EQ(assign(1'000'007), 1u);
}

TEST_F(AgentTest, AStoredDescriptionIsFetchedBeforeItsInputs) {
  join();
  const TaskSpec spec = test_spec({{digest_of("in"), 2}});
  const std::string bytes = encode_task(spec);
  const ArtifactRef stored{digest_of(bytes), bytes.size()};
  Assign large{id(1), kLease, 0, stored};
  agent->on_message(large, now);
  auto fetch = all<action::Fetch>();
  ASSERT_EQ(fetch.size(), 1u);
  EXPECT_TRUE(fetch[0].read);
  EXPECT_EQ(fetch[0].inputs, std::vector{stored});
  // The connection is away for a moment: the description is asked for again.
  agent->on_fetched(id(1), fail(ErrorKind::kUnreachable, "away"), now);
  pass(Time(2'000));
  fetch = all<action::Fetch>();
  ASSERT_EQ(fetch.size(), 1u);
  EXPECT_TRUE(fetch[0].read);
  agent->on_fetched(id(1), {}, now, bytes);
  fetch = all<action::Fetch>();
  ASSERT_EQ(fetch.size(), 1u);
  EXPECT_FALSE(fetch[0].read);
  EXPECT_EQ(fetch[0].inputs, (std::vector<ArtifactRef>{{digest_of("in"), 2}}));
  EXPECT_THAT(all<action::Run>(), IsEmpty());
  agent->on_fetched(id(1), {}, now);
  const auto run = all<action::Run>();
  ASSERT_EQ(run.size(), 1u);
  EXPECT_EQ(run[0].spec, spec);

  large.id = id(2);
  agent->on_message(large, now);
  agent->on_fetched(id(2), {}, now, "no description");
  const auto failed = sent<Failed>();
  ASSERT_EQ(failed.size(), 1u);
  EXPECT_EQ(failed[0].kind, FailKind::kRefused);
}

}  // namespace
}  // namespace rushes::worker
