// Workers come, leave, are lost, drained and forgotten; one process has a name.
#include <gmock/gmock.h>

#include <algorithm>

#include "scheduler/core/report/view.h"
#include "tests/scheduler/core/sim_farm.h"

namespace rushes::scheduler {
namespace {

using testing::HasSubstr;

view::WorkerInfo info_of(const TestFarm& farm, const std::string& name) {
  for (view::WorkerInfo& info : view::workers(farm.state(), farm.now))
    if (info.name == name) return std::move(info);
  view::WorkerInfo none;
  none.state = "not listed";
  return none;
}

std::string state_of(const TestFarm& farm, const std::string& name) { return info_of(farm, name).state; }

// The reply to the last request: its message, or its error's.
std::string answer(const TestFarm& farm) {
  const auto& result = farm.last_reply().result;
  return result ? std::get<command::Done>(*result).message : result.error().message;
}

template <class Message>
std::vector<Message> sent_to(TestFarm& farm, const std::string& process) {
  std::vector<Message> found;
  for (const Command& command : farm.sent) {
    const auto* message = message_in<Message>(command);
    if (message != nullptr && std::get<command::ToWorker>(command).process == process)
      found.push_back(*message);
  }
  return found;
}

WorkerProcess process(const std::string& id, const std::string& host) {
  return {id, "lock of " + host, host, 7, "10.0.0." + id, {}};
}

TEST(Workers, OneThatLeavesGetsNothingNewAndNobodyIsToBlame) {
  TestFarm farm;
  farm.submit({test_shot("sh010", 33, 4)});
  SimWorker a(farm, "a", 1, 0), b(farm, "b", 1, 0);
  a.hello();
  a.receive();
  ASSERT_EQ(a.held.size(), 1u);
  const AttemptId ref = a.held.front();
  a.start(ref);
  a.leaving = true;
  a.beat();
  EXPECT_EQ(state_of(farm, "a"), "draining");
  farm.step(event::FromWorker{"a", protocol::Stopped{ref}});
  const Task& task = farm.state().task(ref.task);
  EXPECT_EQ(task.state, TaskState::kReady) << "at once, and not for the one that leaves";
  EXPECT_EQ(task.failures + task.lost_attempts, 0u);
  EXPECT_EQ(farm.state().workers[WorkerId(0)].failed, 0u);
  farm.step(event::FromWorker{"a", protocol::Bye{}});
  EXPECT_EQ(state_of(farm, "a"), "stopped");
  EXPECT_EQ(info_of(farm, "a").gone_wall_ms, farm.now.wall_ms);
  b.hello();
  b.receive();
  EXPECT_FALSE(b.held.empty());
}

TEST(Workers, ByeReturnsLeasesAtOnceWithoutAFault) {
  TestFarm farm;
  farm.submit({test_shot("sh010", 33, 2)});
  SimWorker a(farm, "a", 1, 0);
  a.hello();
  a.receive();
  ASSERT_EQ(a.held.size(), 1u);
  a.start(a.held.front());
  farm.step(event::FromWorker{"a", protocol::Bye{}});
  const Task& task = farm.state().task(a.held.front().task);
  EXPECT_EQ(task.state, TaskState::kReady);
  EXPECT_EQ(task.failures + task.lost_attempts, 0u);
}

TEST(Workers, OneThatStoppedIsStoppedAfterARestartAndSimplyThereWhenItComesBack) {
  TestFarm farm;
  SimWorker a(farm, "a"), b(farm, "b");
  a.process = process("1", "bay1");
  a.hello();
  b.hello();
  farm.step(event::FromWorker{"a", protocol::Bye{}, "1"});
  farm.restart();
  EXPECT_EQ(state_of(farm, "a"), "stopped");
  EXPECT_EQ(state_of(farm, "b"), "lost");
  a.process = process("2", "bay1");
  a.hello();
  EXPECT_EQ(state_of(farm, "a"), "connected");
  EXPECT_EQ(info_of(farm, "a").gone_wall_ms, 0);
}

TEST(Workers, AfterARestartNobodyClaimsToKnowWhenOneWasLost) {
  TestFarm farm;
  SimWorker a(farm, "a");
  a.hello();
  for (int i = 0; i < 100; ++i) {
    farm.pass_ms(1000);
    a.beat();
  }
  farm.restart();
  const std::int64_t started = farm.now.wall_ms;
  farm.pass_ms(60'000);
  EXPECT_EQ(state_of(farm, "a"), "lost");
  EXPECT_EQ(info_of(farm, "a").gone_wall_ms, 0) << "it lived when the scheduler stopped";
  EXPECT_EQ(info_of(farm, "a").unheard_wall_ms, started);
  a.hello();
  EXPECT_EQ(info_of(farm, "a").unheard_wall_ms, 0);
  farm.pass_ms(60'000);
  EXPECT_EQ(info_of(farm, "a").gone_wall_ms, started + 60'000);
}

TEST(Workers, SilenceIsLossButAGoodbyeThatGotLostIsNot) {
  TestFarm farm;
  SimWorker a(farm, "a"), b(farm, "b");
  a.hello();
  b.hello();
  b.leaving = true;
  b.beat();
  farm.pass_ms(60'000);
  EXPECT_EQ(state_of(farm, "a"), "lost");
  EXPECT_EQ(state_of(farm, "b"), "stopped");
  std::size_t losses = 0;
  for (const FarmEvent& event : farm.state().events.since(0))
    losses += event.worker == "a" && event.text.find("it is lost") != std::string::npos ? 1 : 0;
  EXPECT_EQ(losses, 1u);
}

TEST(Workers, ADrainLastsUntilItIsTakenBack) {
  TestFarm farm;
  farm.submit({test_shot("sh010", 33, 2)});
  SimWorker a(farm, "a", 1, 2);
  a.hello();
  a.receive();
  farm.step(event::DrainWorker{3, "a", "ann"});
  EXPECT_THAT(answer(farm), HasSubstr("rushes undrain a"));
  EXPECT_EQ(state_of(farm, "a"), "draining");
  a.work();
  EXPECT_EQ(a.accepted, 1u);
  EXPECT_EQ(state_of(farm, "a"), "drained");
  farm.step(event::FromWorker{"a", protocol::Bye{}});
  farm.restart();
  a.hello();
  EXPECT_EQ(state_of(farm, "a"), "drained") << "a host that is looked after may be started meanwhile";
  EXPECT_EQ(held_by(farm.state().workers[WorkerId(0)]), 0u);
  farm.step(event::UndrainWorker{4, "a", "ann"});
  EXPECT_EQ(answer(farm), "worker a gets tasks again");
  run_to_end(farm, {&a});
  EXPECT_EQ(farm.shot("demo/sh010").state, ShotState::kDelivered);
  farm.step(event::UndrainWorker{5, "a", "ann"});
  EXPECT_THAT(answer(farm), HasSubstr("was not drained"));
}

TEST(Workers, ADrainGivesBackWhatOnlyWaitsThere) {
  TestFarm farm;
  farm.submit({test_shot("sh010", 33, 8)});
  SimWorker a(farm, "a", 1, 2);
  a.hello();
  a.receive();
  a.start(a.held.front());
  a.complete(a.held.front());
  a.receive();
  ASSERT_EQ(a.held.size(), 3u);
  farm.sent.clear();
  farm.step(event::DrainWorker{3, "a", "ann"});
  EXPECT_EQ(sent_to<protocol::Revoke>(farm, "").size(), 2u);
  EXPECT_THAT(answer(farm), HasSubstr("finishes 1 task and"));
}

TEST(Workers, TellHowTheirGpusAre) {
  TestFarm farm;
  SimWorker a(farm, "a", 1, 0);
  a.hello();
  EXPECT_TRUE(info_of(farm, "a").devices.empty());
  protocol::Heartbeat beat;
  beat.sequence = 1000;
  beat.devices = {{"NVIDIA H200", "9.0", "580.95.05", 100, 40, 54, 0, ""}};
  farm.step(event::FromWorker{"a", beat});
  EXPECT_EQ(info_of(farm, "a").devices, beat.devices);
  EXPECT_EQ(view::figures(farm.state()).devices.at("a"), beat.devices);
}

TEST(Workers, OnlyOneThatIsGoneCanBeForgotten) {
  TestFarm farm;
  SimWorker a(farm, "a"), b(farm, "b");
  a.hello();
  b.hello();
  farm.step(event::DrainWorker{1, "a", "ann"});
  farm.step(event::ForgetWorker{2, "a", "ann"});
  EXPECT_FALSE(farm.last_reply().result);
  EXPECT_THAT(answer(farm), HasSubstr("rushes drain a"));
  farm.step(event::FromWorker{"a", protocol::Bye{}});
  farm.step(event::ForgetWorker{3, "a", "ann"});
  EXPECT_TRUE(farm.last_reply().result) << answer(farm);
  EXPECT_EQ(state_of(farm, "a"), "not listed");
  EXPECT_EQ(view::farm(farm.state()).workers, 1u);
  for (const Event& event :
       {Event(event::ForgetWorker{4, "a", "ann"}), Event(event::DrainWorker{4, "a", "ann"}),
        Event(event::UndrainWorker{4, "a", "ann"})}) {
    farm.step(event);
    EXPECT_EQ(farm.last_reply().result.error().kind, ErrorKind::kNotFound);
  }
  farm.snapshot();
  farm.restart();
  EXPECT_EQ(state_of(farm, "a"), "not listed");
  a.hello();
  EXPECT_EQ(state_of(farm, "a"), "connected") << "and its drain is forgotten too";
}

TEST(Workers, OneThatIsLostCanBeForgottenWhenItsLeasesHaveRunOut) {
  TestFarm farm;
  farm.submit({test_shot("sh010", 33, 2)});
  SimWorker a(farm, "a");
  a.hello();
  farm.step(event::Disconnected{"a"});
  farm.step(event::ForgetWorker{1, "a", "ann"});
  EXPECT_EQ(farm.last_reply().result.error().kind, ErrorKind::kConflict);
  EXPECT_THAT(answer(farm), HasSubstr("until the leases run out"));
  farm.pass_ms(60'000);
  farm.step(event::ForgetWorker{2, "a", "ann"});
  EXPECT_TRUE(farm.last_reply().result) << answer(farm);
  // It was only cut off, and knows of nothing.
  farm.sent.clear();
  a.beat();
  EXPECT_EQ(sent_to<protocol::Greet>(farm, "").size(), 1u) << "it is asked who it is";
  EXPECT_TRUE(sent_to<protocol::Assign>(farm, "").empty());
  EXPECT_EQ(state_of(farm, "a"), "not listed");
  a.hello();
  EXPECT_EQ(state_of(farm, "a"), "connected");
  EXPECT_FALSE(sent_to<protocol::Assign>(farm, "").empty());
}

TEST(Workers, WhatIsGoneDoesNotCountAgainstTheLimitOfWorkers) {
  Settings settings = test_settings();
  settings.limits.workers = 2;
  TestFarm farm(settings);
  SimWorker a(farm, "a"), b(farm, "b"), c(farm, "c");
  a.hello();
  b.hello();
  c.hello();
  EXPECT_EQ(farm.state().find_worker("c"), nullptr);
  farm.step(event::FromWorker{"a", protocol::Bye{}});
  c.hello();
  EXPECT_NE(farm.state().find_worker("c"), nullptr);
  a.hello();
  EXPECT_EQ(state_of(farm, "a"), "stopped") << "its place is taken";
}

TEST(Twins, TheSecondIsRefusedWithBothNamedWhileTheFirstLives) {
  TestFarm farm;
  farm.submit({test_shot("sh010", 33, 2)});
  SimWorker one(farm, "a", 1, 0), two(farm, "a", 1, 0);
  one.process = process("1", "bay1");
  two.process = process("2", "bay2");
  one.hello();
  one.receive();
  ASSERT_EQ(one.held.size(), 1u);
  const auto last = farm.state().events.last();
  for (int i = 0; i < 3; ++i) two.hello();
  const auto taken = sent_to<protocol::NameTaken>(farm, "2");
  ASSERT_EQ(taken.size(), 3u);
  for (const char* part : {"bay1 (10.0.0.1), process 7", "bay2 (10.0.0.2), process 7", "--name"})
    EXPECT_THAT(taken[0].reason, HasSubstr(part));
  const auto events = farm.state().events.since(last);
  ASSERT_EQ(events.size(), 1u) << "one for all three";
  for (const char* part : {"bay1", "bay2"}) EXPECT_THAT(events[0].text, HasSubstr(part));
  EXPECT_EQ(farm.state().counters.refused_twins, 3u);
  farm.sent.clear();
  two.beat();
  EXPECT_EQ(sent_to<protocol::Greet>(farm, "2").size(), 1u);
  one.work();
  EXPECT_GT(one.accepted, 0u) << "the first is not disturbed";
}

TEST(Twins, TheSecondIsWelcomeWhenTheFirstIsLostOrStopped) {
  for (const bool says_bye : {true, false}) {
    TestFarm farm;
    farm.submit({test_shot("sh010", 33, 2)});
    SimWorker one(farm, "a", 1, 0), two(farm, "a", 1, 0);
    one.process = process("1", "bay1");
    two.process = process("2", "bay2");
    one.hello();
    one.receive();
    two.hello();
    EXPECT_EQ(farm.state().find_worker("a")->process.id, "1");
    if (says_bye)
      farm.step(event::FromWorker{"a", protocol::Bye{}, "1"});
    else
      farm.pass_ms(test_settings().times.lease.count() + 1'000);
    farm.sent.clear();
    two.hello();
    EXPECT_EQ(sent_to<protocol::Welcome>(farm, "2").size(), 1u);
    farm.step(event::FromWorker{"a", protocol::Heartbeat{}, "1"});
    EXPECT_EQ(sent_to<protocol::Greet>(farm, "1").size(), 1u) << "the first has the name no longer";
    one.hello();
    EXPECT_EQ(sent_to<protocol::NameTaken>(farm, "1").size(), 1u);
    run_to_end(farm, {&two});
    EXPECT_EQ(farm.shot("demo/sh010").state, ShotState::kDelivered);
  }
}

TEST(Twins, ARestartInTheSameFolderDoesNotWait) {
  TestFarm farm;
  SimWorker a(farm, "a");
  a.process = process("1", "bay1");
  a.hello();
  a.process.id = "2";
  a.process.pid = 8;
  farm.sent.clear();
  a.hello();
  EXPECT_EQ(sent_to<protocol::Welcome>(farm, "2").size(), 1u);
}

TEST(Twins, AfterARestartOfTheSchedulerTheOneWithLeasesKeepsTheName) {
  TestFarm farm;
  farm.submit({test_shot("sh010", 33, 2)});
  SimWorker one(farm, "a", 1, 0), two(farm, "a", 1, 0);
  one.process = process("1", "bay1");
  two.process = process("2", "bay2");
  one.hello();
  one.receive();
  ASSERT_FALSE(one.held.empty());
  farm.restart();
  farm.sent.clear();
  two.hello();
  EXPECT_EQ(sent_to<protocol::NameTaken>(farm, "2").size(), 1u);
  one.hello();
  EXPECT_EQ(sent_to<protocol::Welcome>(farm, "1").size(), 1u);
}

TEST(Twins, BuildsThatDoNotSayWhoTheyAreAreServedAsBefore) {
  TestFarm farm;
  SimWorker old(farm, "a"), again(farm, "a");
  old.hello();
  again.hello();
  EXPECT_EQ(sent_to<protocol::Welcome>(farm, "").size(), 2u);
}

}  // namespace
}  // namespace rushes::scheduler
