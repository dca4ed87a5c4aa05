// Signals, and another process of the same name.
#include "tests/worker/agent/agent_fixture.h"

namespace rushes::worker {
namespace {

TEST_F(AgentTest, LeavingGivesBackWhatHasNotBegunAndFinishesTheRest) {
  join();
  assign_and_run(id(1));
  assign(id(2));
  agent->on_leave(now);
  EXPECT_THAT(sent<Stopped>(), ElementsAre(Stopped{id(2)}));
  const auto beats = sent<Heartbeat>();
  ASSERT_EQ(beats.size(), 1u) << "the scheduler knows at once";
  EXPECT_TRUE(beats[0].leaving);
  assign(id(3));
  EXPECT_THAT(sent<Stopped>(), ElementsAre(Stopped{id(3)}));
  EXPECT_THAT(sent<Failed>(), IsEmpty()) << "a fault of nobody";
  EXPECT_THAT(all<action::Stop>(), IsEmpty());
  agent->on_done(0, EngineDone{id(1), outputs()}, "", now);
  agent->on_uploaded(id(1), {}, now);
  EXPECT_THAT(all<action::Exit>(), IsEmpty());
  agent->on_message(Accepted{id(1)}, now);
  EXPECT_EQ(sent<Bye>().size(), 1u);
  EXPECT_EQ(all<action::Exit>().at(0).code, ExitCode::kOk);
}

TEST_F(AgentTest, LeavingStopsWhatDoesNotFinishInTimeAndKeepsItsLeasesUntilThen) {
  join();
  assign_and_run(id(1));
  agent->on_leave(now);
  pass_acknowledged(Time(59'000));
  EXPECT_THAT(all<action::Stop>(), IsEmpty());
  pass_acknowledged(Time(1'000));
  EXPECT_EQ(all<action::Stop>().size(), 1u);
  pass(Time(2'500));
  EXPECT_THAT(sent<Heartbeat>(), testing::Not(IsEmpty()));
  agent->on_failed(0, {id(1), FailKind::kEngine, "cancelled"}, "", now);
  EXPECT_THAT(sent<Stopped>(), ElementsAre(Stopped{id(1)}));
  EXPECT_THAT(sent<Failed>(), IsEmpty());
  EXPECT_EQ(sent<Bye>().size(), 1u);
  EXPECT_EQ(all<action::Exit>().at(0).code, ExitCode::kOk);
}

TEST_F(AgentTest, LeavingWithoutASchedulerKeepsResultsForTheNextStart) {
  join();
  assign_and_run(id(1));
  agent->on_lost(now);
  agent->on_leave(now);
  EXPECT_THAT(all<action::Exit>(), IsEmpty());
  agent->on_done(0, EngineDone{id(1), outputs()}, "", now);
  EXPECT_EQ(all<action::Keep>().size(), 1u);
  EXPECT_THAT(all<action::Forget>(), IsEmpty());
  EXPECT_EQ(all<action::Exit>().size(), 1u);
}

TEST_F(AgentTest, AHelloOfAWorkerThatLeavesSaysSo) {
  join();
  assign_and_run(id(1));
  agent->on_leave(now);
  agent->on_message(Greet{}, now);
  const auto hello = sent<Hello>();
  ASSERT_EQ(hello.size(), 1u);
  EXPECT_TRUE(hello[0].leaving);
}

struct TwinTest : AgentTest {
  TwinTest() {
    AgentOptions options;
    options.name = "worker";
    options.offer.resources = resources;
    options.process = {"id-2", "lock-2", "host2", 2, "", {}};
    agent.emplace(options, std::vector<Completed>{}, now);
    agent->on_connected(now);
    agent->on_ready(0, "test-class", now);
  }
  const NameTaken taken{"the name is taken", 15'000};
};

TEST_F(TwinTest, AsksAgainWhileAnotherProcessHasTheNameAndSaysWhy) {
  auto hello = sent<Hello>();
  ASSERT_EQ(hello.size(), 1u);
  EXPECT_EQ(hello[0].process.id, "id-2");
  EXPECT_EQ(hello[0].offer.protocol_version, kNamesItsProcess);
  agent->on_message(taken, now);
  const auto lines = all<action::Log>();
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_THAT(lines[0].line, testing::HasSubstr("the name is taken"));
  agent->on_message(Greet{}, now);  // what it sent before is answered late
  EXPECT_THAT(sent<Hello>(), IsEmpty());
  std::size_t asked = 0;
  for (const Time end = now + Time(14'000); now < end;) {
    pass(Time(500));
    for ([[maybe_unused]] const Hello& one : sent<Hello>()) ++asked, agent->on_message(taken, now);
  }
  EXPECT_EQ(asked, 7u) << "every two seconds";
  EXPECT_EQ(all<action::Log>().size(), 1u) << "a line every ten seconds";
  EXPECT_THAT(all<action::Exit>(), IsEmpty());
  pass(Time(2'000));
  hello = sent<Hello>();
  ASSERT_EQ(hello.size(), 1u);
  Welcome welcome;
  welcome.sequence = hello[0].sequence;
  agent->on_message(welcome, now);  // the other one is lost
  EXPECT_TRUE(agent->welcomed());
  pass(Time(60'000));
  EXPECT_THAT(all<action::Exit>(), IsEmpty());
}

TEST_F(TwinTest, GivesUpWithTheReasonWhenTheOtherOneStays) {
  std::vector<action::Exit> exit;
  for (const Time end = now + Time(40'000); now < end && exit.empty();) {
    pass(Time(500));
    for ([[maybe_unused]] const Hello& one : sent<Hello>()) agent->on_message(taken, now);
    exit = all<action::Exit>();
  }
  ASSERT_EQ(exit.size(), 1u);
  EXPECT_EQ(exit[0].code, ExitCode::kWorkFailed);
  EXPECT_EQ(exit[0].message, "the name is taken");
}

TEST_F(AgentTest, AShutdownStopsEnginesThenSaysBye) {
  join();
  assign_and_run(id(1));
  assign(id(2));
  agent->on_shutdown(now);
  EXPECT_THAT(sent<Stopped>(), ElementsAre(Stopped{id(2)}));
  EXPECT_EQ(all<action::Stop>().size(), 1u);
  EXPECT_THAT(all<action::Exit>(), IsEmpty());
  agent->on_exit(0, "signal 9 (Killed)", "", now);
  EXPECT_THAT(sent<Stopped>(), ElementsAre(Stopped{id(1)}));
  EXPECT_EQ(sent<Bye>().size(), 1u);
  EXPECT_EQ(all<action::Exit>().size(), 1u);
}

}  // namespace
}  // namespace rushes::worker
