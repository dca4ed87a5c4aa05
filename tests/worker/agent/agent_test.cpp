#include "tests/worker/agent/agent_fixture.h"

namespace rushes::worker {
namespace {

TEST_F(AgentTest, AnAttemptRunsInASlotOfItsKind) {
  resources = {{{1, 1}}, 8ull << 30, 16ull << 30};
  start({});
  agent->on_connected(now);
  agent->on_ready(1, "cpu-class", now);  // the engine of its CPU slot: its class is not offered
  EXPECT_THAT(sent<Hello>(), IsEmpty());
  agent->on_ready(0, "cuda-class", now);
  const auto hello = sent<Hello>();
  ASSERT_EQ(hello.size(), 1u);
  EXPECT_THAT(hello[0].offer.numeric_classes, ElementsAre("cuda-class"));
  EXPECT_EQ(hello[0].offer.resources, resources);
  EXPECT_EQ(hello[0].offer.protocol_version, kTellsSlotsByKind);
  Welcome welcome;
  welcome.sequence = hello[0].sequence;
  agent->on_message(welcome, now);
  const auto assign_stage = [&](const AttemptId& attempt, Stage stage) {
    agent->on_message(Assign{attempt, kLease, 0, test_spec({}, "task", stage)}, now);
    agent->on_fetched(attempt, {}, now);
  };
  assign_stage(id(1), Stage::kDenoise);
  assign_stage(id(2), Stage::kDenoise);
  assign_stage(id(3), Stage::kFinish);
  assign_stage(id(4), Stage::kDeliver);
  const auto runs = all<action::Run>();
  ASSERT_EQ(runs.size(), 2u);
  EXPECT_EQ(runs[0].id, id(1));
  EXPECT_EQ(runs[0].slot, 0u);
  EXPECT_EQ(runs[1].id, id(3));
  EXPECT_EQ(runs[1].slot, 1u);
}

TEST_F(AgentTest, AGpuSlotWhoseEngineDoesNotStartIsWithdrawn) {
  resources = {{{1, 2}}, 8ull << 30, 16ull << 30};
  start({});
  agent->on_connected(now);
  agent->on_ready(0, "cuda-class", now);
  ASSERT_EQ(sent<Hello>().size(), 1u);
  agent->on_exit(1, "exit code 4", "", now);
  EXPECT_THAT(sent<Hello>(), IsEmpty()) << "once may be chance";
  agent->on_exit(1, "exit code 4", "", now);
  auto hello = sent<Hello>();
  ASSERT_EQ(hello.size(), 1u);
  EXPECT_EQ(hello[0].offer.resources, (Resources{{{1, 1}}, 8ull << 30, 8ull << 30}));
  agent->on_exit(1, "exit code 4", "", now);
  EXPECT_THAT(sent<Hello>(), IsEmpty()) << "it is withdrawn once";
  agent->on_ready(1, "cuda-class", now);
  hello = sent<Hello>();
  ASSERT_EQ(hello.size(), 1u);
  EXPECT_EQ(hello[0].offer.resources, resources) << "the device came back";
}

// The next task would fail with it, for nothing.
TEST_F(AgentTest, AnEngineWhoseGpuFailedIsGivenNothingMore) {
  resources = {{{1, 2}}, 8ull << 30, 16ull << 30};
  start({});
  join();
  const auto next = [&](std::uint64_t task) {
    agent->on_message(Assign{id(task), kLease, 0, test_spec({}, "task", Stage::kDenoise)}, now);
    agent->on_fetched(id(task), {}, now);
  };
  next(1), next(2), next(3);
  ASSERT_EQ(all<action::Run>().size(), 2u);
  agent->on_failed(0, {id(1), FailKind::kDevice, "cuda: gone"}, "", now);
  EXPECT_EQ(sent<Failed>().at(0).message, "cuda: gone");
  EXPECT_THAT(all<action::Run>(), IsEmpty());
  agent->on_exit(0, "exit code 4", "", now);
  EXPECT_THAT(sent<Failed>(), IsEmpty());
  agent->on_exit(0, "exit code 4", "", now);
  EXPECT_THAT(sent<Hello>(), IsEmpty()) << "the end after the fault was no false start";
  agent->on_ready(0, "test-class", now);
  const auto runs = all<action::Run>();
  ASSERT_EQ(runs.size(), 1u);
  EXPECT_EQ(runs[0].id, id(3));
}

// Its engine starts each time, and each task fails.
TEST_F(AgentTest, AGpuThatFailsAgainAndAgainRests) {
  resources = {{{1, 2}}, 8ull << 30, 16ull << 30};
  start({});
  agent->on_connected(now);
  agent->on_ready(0, "cuda-class", now);
  agent->on_ready(1, "cuda-class", now);
  Welcome welcome;
  welcome.sequence = sent<Hello>().at(0).sequence;
  agent->on_message(welcome, now);
  std::uint64_t task = 0;
  const auto fail_in_slot_0 = [&] {
    agent->on_message(Assign{id(++task), kLease, 0, test_spec({}, "task", Stage::kDenoise)}, now);
    agent->on_fetched(id(task), {}, now);
    ASSERT_EQ(all<action::Run>().at(0).slot, 0u);
    agent->on_failed(0, {id(task), FailKind::kDevice, "cuda: ECC"}, "", now);
    agent->on_exit(0, "exit code 4", "", now);
  };
  const auto ready_again = [&] { agent->on_ready(0, "cuda-class", now); };
  fail_in_slot_0(), ready_again(), fail_in_slot_0(), ready_again();
  agent->on_message(Assign{id(++task), kLease, 0, test_spec({}, "task", Stage::kDenoise)}, now);
  agent->on_fetched(id(task), {}, now);
  agent->on_done(0, EngineDone{id(task), outputs()}, "", now);
  all<action::Run>();
  fail_in_slot_0(), ready_again(), fail_in_slot_0(), ready_again();
  EXPECT_THAT(sent<Hello>(), IsEmpty()) << "a result came between";
  all<action::Log>();
  fail_in_slot_0();
  auto hello = sent<Hello>();
  ASSERT_EQ(hello.size(), 1u);
  EXPECT_EQ(hello[0].offer.resources, (Resources{{{1, 1}}, 8ull << 30, 8ull << 30}));
  bool said = false;
  for (const auto& line : all<action::Log>())
    said = said || line.line.find(
                       "slot 0 is withdrawn: its GPU failed again and again without a result between "
                       "(cuda: ECC)") != std::string::npos;
  EXPECT_TRUE(said);
  welcome.sequence = hello[0].sequence;
  agent->on_message(welcome, now);
  ready_again();
  EXPECT_THAT(sent<Hello>(), IsEmpty()) << "it rests, ready or not";
  agent->on_message(Assign{id(++task), kLease, 0, test_spec({}, "task", Stage::kDenoise)}, now);
  agent->on_fetched(id(task), {}, now);
  EXPECT_EQ(all<action::Run>().at(0).slot, 1u);
  agent->on_done(1, EngineDone{id(task), outputs()}, "", now);
  pass_acknowledged(Time(610'000));
  hello = sent<Hello>();
  ASSERT_FALSE(hello.empty());
  EXPECT_EQ(hello.back().offer.resources, resources) << "it is tried again";
}

TEST_F(AgentTest, WhyAnEngineDoesNotStartIsSaid) {
  resources = {{{1, 2}}, 8ull << 30, 16ull << 30};
  start({});
  agent->on_connected(now);
  agent->on_ready(0, "cuda-class", now);
  for (int i = 0; i < 2; ++i)
    agent->on_exit(1, "exit code 4", "loading\nrushes-worker: backend cuda: the GPU is gone\n", now);
  bool said = false;
  for (const auto& line : all<action::Log>())
    said = said ||
           line.line.find("(exit code 4: rushes-worker: backend cuda: the GPU is gone)") != std::string::npos;
  EXPECT_TRUE(said);
}

// The scheduler could not tell their slots apart.
TEST_F(AgentTest, AWorkerHasOneNumericClass) {
  resources = {{{1, 2}}, 8ull << 30, 16ull << 30};
  start({});
  agent->on_connected(now);
  agent->on_ready(0, "cuda-a", now);
  agent->on_ready(1, "cuda-b", now);
  auto hello = sent<Hello>();
  ASSERT_EQ(hello.size(), 2u);
  EXPECT_THAT(hello[1].offer.numeric_classes, ElementsAre("cuda-a"));
  EXPECT_EQ(hello[1].offer.resources, (Resources{{{1, 1}}, 8ull << 30, 8ull << 30}));
  agent->on_ready(1, "cuda-b", now);
  EXPECT_THAT(sent<Hello>(), IsEmpty());
  agent->on_ready(1, "cuda-a", now);
  EXPECT_EQ(sent<Hello>().at(0).offer.resources, resources);
}

TEST_F(AgentTest, WhatEnginesNoteIsLoggedAndToldOnce) {
  start({});
  agent->on_connected(now);
  agent->on_ready(0, "test-class", now, {"attention: own", "class a: b\nc"});
  const auto hello = sent<Hello>();
  ASSERT_EQ(hello.size(), 1u);
  EXPECT_THAT(hello[0].process.remarks, ElementsAre("attention: own", "class a: b c"));
  EXPECT_EQ(all<action::Log>().size(), 2u);
  agent->on_ready(1, "test-class", now, {"attention: own"});
  EXPECT_THAT(all<action::Log>(), IsEmpty());
}

TEST_F(AgentTest, WhatWaitsForTheLastGpuIsGivenBackWithIt) {
  resources = {{{1, 1}}, 8ull << 30, 16ull << 30};
  start({});
  join();
  agent->on_exit(0, "signal 9 (Killed)", "", now);  // it was ready
  agent->on_message(Assign{id(1), kLease, 0, test_spec({}, "task", Stage::kDenoise)}, now);
  agent->on_fetched(id(1), {}, now);
  agent->on_message(Assign{id(2), kLease, 0, test_spec({}, "task", Stage::kFinish)}, now);
  EXPECT_THAT(sent<Stopped>(), IsEmpty());
  agent->on_exit(0, "exit code 4", "", now);
  agent->on_exit(0, "exit code 4", "", now);
  const auto stopped = sent<Stopped>();
  ASSERT_EQ(stopped.size(), 1u);
  EXPECT_EQ(stopped[0].id, id(1));
  EXPECT_EQ(agent->attempts(), 1u) << "the CPU slot's goes on";
}

TEST_F(AgentTest, AWorkerWithoutAnySlotLeftEnds) {
  resources = {{{0, 1}}, 8ull << 30, 16ull << 30};
  start({});
  agent->on_connected(now);
  agent->on_exit(0, "exit code 4", "", now);
  EXPECT_THAT(all<action::Exit>(), IsEmpty());
  agent->on_exit(0, "exit code 4", "", now);
  const auto exit = all<action::Exit>();
  ASSERT_EQ(exit.size(), 1u);
  EXPECT_EQ(exit[0].code, ExitCode::kEnvironment);
  EXPECT_NE(exit[0].message.find("exit code 4"), std::string::npos);
}

TEST_F(AgentTest, HeartbeatsTellHowTheGpusAre) {
  join();
  agent->on_devices({{"NVIDIA H200", "9.0", "580.95.05", 100, 40, 54, 0, ""}});
  pass(Time(2'000));
  const auto beats = sent<Heartbeat>();
  ASSERT_FALSE(beats.empty());
  ASSERT_EQ(beats.back().devices.size(), 1u);
  EXPECT_EQ(beats.back().devices[0].celsius, 54);
}

TEST_F(AgentTest, WithoutCpuSlotsPicturesRunOnAGpu) {
  resources = {{{0, 1}}, 8ull << 30, 16ull << 30};
  start({});
  join();
  agent->on_message(Assign{id(1), kLease, 0, test_spec({}, "task", Stage::kFinish)}, now);
  agent->on_fetched(id(1), {}, now);
  EXPECT_EQ(all<action::Run>().size(), 1u);
}

TEST_F(AgentTest, AnAssignmentThatCannotBeReadFails) {
  join();
  agent->on_message(Assign{id(1), kLease, 0, Unreadable{"task: stage: unknown value 99"}}, now);
  const auto failed = sent<Failed>();
  ASSERT_EQ(failed.size(), 1u);
  EXPECT_EQ(failed[0].id, id(1));
  EXPECT_EQ(failed[0].kind, FailKind::kRefused);
  EXPECT_EQ(failed[0].message, "task: stage: unknown value 99");
  EXPECT_EQ(agent->attempts(), 0u);
}

TEST_F(AgentTest, ATaskIsFetchedRunKeptUploadedAndOfferedUntilAccepted) {
  join();
  assign(id(1));
  const auto fetch = all<action::Fetch>();
  ASSERT_EQ(fetch.size(), 1u);
  EXPECT_EQ(fetch[0].inputs, (std::vector<ArtifactRef>{{digest_of("in"), 2}}));
  EXPECT_THAT(all<action::Run>(), IsEmpty());
  agent->on_fetched(id(1), {}, now);
  EXPECT_THAT(sent<Started>(), ElementsAre(Started{id(1)}));
  ASSERT_EQ(all<action::Run>().size(), 1u);
  agent->on_done(0, EngineDone{id(1), outputs()}, "log", now);
  ASSERT_EQ(all<action::Keep>().size(), 1u);
  ASSERT_EQ(all<action::Upload>().size(), 1u);
  EXPECT_THAT(sent<Completed>(), IsEmpty());  // not before the receipts
  agent->on_uploaded(id(1), {}, now);
  EXPECT_THAT(sent<Completed>(), ElementsAre(Completed{id(1), outputs(), "log"}));
  pass_acknowledged(Time(4'000));
  EXPECT_EQ(sent<Completed>().size(), 1u);  // repeated: the first may be lost
  agent->on_message(Accepted{{TaskId(1), 1, 0}}, now);
  EXPECT_EQ(all<action::Forget>().size(), 1u);
  EXPECT_EQ(all<action::Release>().size(), 1u);
  pass_acknowledged(Time(10'000));
  EXPECT_THAT(sent<Completed>(), IsEmpty());
}

TEST_F(AgentTest, ThePrefetchedTaskStartsTheMomentASlotIsFree) {
  join();
  for (std::uint64_t task : {1, 2, 3}) assign_and_run(id(task));
  EXPECT_EQ(all<action::Run>().size(), 2u);
  agent->on_done(1, EngineDone{id(2), outputs()}, "", now);
  const auto run = all<action::Run>();
  ASSERT_EQ(run.size(), 1u);
  EXPECT_EQ(run[0].id, id(3));
  EXPECT_EQ(run[0].slot, 1u);
}

TEST_F(AgentTest, AResultBelongsToItsOwnTaskWhileOthersWait) {
  join();
  for (std::uint64_t task : {1, 2, 3}) assign_and_run(id(task));
  agent->on_done(0, EngineDone{id(1), outputs()}, "", now);
  const auto kept = all<action::Keep>();
  ASSERT_EQ(kept.size(), 1u);
  EXPECT_EQ(kept[0].result.id, id(1));
  const auto uploads = all<action::Upload>();
  ASSERT_EQ(uploads.size(), 1u);
  EXPECT_EQ(uploads[0].id, id(1));
  agent->on_uploaded(id(1), {}, now);
  EXPECT_THAT(sent<Completed>(), ElementsAre(Completed{id(1), outputs(), ""}));
}

TEST_F(AgentTest, AnAttemptThatIsOverNeverRunsAgain) {
  join();
  agent->on_message(Revoke{id(1), "no longer wanted"}, now);  // overtakes its Assign
  EXPECT_THAT(sent<Stopped>(), ElementsAre(Stopped{id(1)}));
  assign_and_run(id(1));
  assign_and_run(id(2));
  agent->on_done(0, EngineDone{id(2), outputs()}, "", now);
  agent->on_uploaded(id(2), {}, now);
  agent->on_message(Accepted{{TaskId(2), 1, 0}}, now);
  assign_and_run(id(2));  // arrives twice
  const auto run = all<action::Run>();
  ASSERT_EQ(run.size(), 1u);
  EXPECT_EQ(run[0].id, id(2));
  assign_and_run(id(2, 2));  // the task's next attempt is another matter
  EXPECT_EQ(all<action::Run>().size(), 1u);
}

TEST_F(AgentTest, AnAssignmentFromBeforeItsHelloIsNotTaken) {
  agent->on_connected(now);
  agent->on_ready(0, "test-class", now);
  assign(id(1));  // decided for the process before, held up by a slow disk
  EXPECT_THAT(all<action::Fetch>(), IsEmpty());
  EXPECT_EQ(sent<Hello>().size(), 1u);
  join();
  assign(id(2));
  EXPECT_EQ(all<action::Fetch>().size(), 1u);
  EXPECT_EQ(agent->attempts(), 1u);
}

TEST_F(AgentTest, ALeaseCountsFromTheDepartureOfTheAcknowledgedHeartbeat) {
  join();
  assign_and_run(id(1));
  pass_acknowledged(Time(30'000));
  std::vector<Heartbeat> beats;
  while (beats.empty()) {
    pass(Time(500));
    beats = sent<Heartbeat>();
  }
  const Time departed = now;
  pass(Time(10'000));
  agent->on_message(HeartbeatAck{beats[0].sequence}, now);  // ten seconds late
  pass(departed + Time(kLease) - now - Time(500));
  EXPECT_THAT(all<action::Stop>(), IsEmpty());
  pass(Time(500));
  EXPECT_EQ(all<action::Stop>().size(), 1u);
}

TEST_F(AgentTest, AHeartbeatThatDoesNotNameAnAttemptDoesNotRenewIt) {
  join();
  pass(Time(2'000));
  const auto before = sent<Heartbeat>();
  ASSERT_EQ(before.size(), 1u);
  pass(Time(1'000));
  assign_and_run(id(1));
  const Time assigned = now;
  agent->on_message(HeartbeatAck{before[0].sequence}, now);
  pass(Time(kLease) - Time(3'000));
  EXPECT_EQ(all<action::Stop>().size(), 1u) << "its lease began with the Hello at the latest";
  EXPECT_LE(now - assigned, Time(kLease));
}

TEST_F(AgentTest, AWorkerThatIsCutOffStopsWhenTheLeaseHasRunOut) {
  join();
  assign_and_run(id(1));
  assign(id(2));
  agent->on_lost(now);
  pass(Time(14'000));
  EXPECT_THAT(all<action::Stop>(), IsEmpty());
  pass(Time(2'000));
  ASSERT_EQ(all<action::Stop>().size(), 1u);
  EXPECT_THAT(sent<Stopped>(), ElementsAre(Stopped{id(2)}));  // never ran
  agent->on_exit(0, "signal 9 (Killed)", "", now);
  EXPECT_THAT(sent<Stopped>(), ElementsAre(Stopped{id(1)}));
  EXPECT_EQ(agent->attempts(), 0u);
}

TEST_F(AgentTest, ARestartOfTheSchedulerKeepsWhatRuns) {
  join();
  assign_and_run(id(1));
  agent->on_done(0, EngineDone{id(1), outputs()}, "", now);
  agent->on_uploaded(id(1), {}, now);
  assign_and_run(id(2));
  take();
  sent<Completed>();
  agent->on_lost(now);
  pass(Time(5'000));
  agent->on_connected(now);
  const auto hello = sent<Hello>();
  ASSERT_EQ(hello.size(), 1u);
  EXPECT_THAT(hello[0].running, ElementsAre(id(2), id(1)));
  EXPECT_EQ(hello[0].outbox, 1u);
  Welcome welcome;
  welcome.sequence = hello[0].sequence;
  agent->on_message(welcome, now);
  EXPECT_EQ(sent<Completed>().size(), 1u);  // offered again at once
  pass_acknowledged(Time(30'000));
  EXPECT_THAT(all<action::Stop>(), IsEmpty());
}

TEST_F(AgentTest, GreetIsAnsweredWithHelloUntilWelcomed) {
  join();
  agent->on_message(Greet{}, now);
  EXPECT_EQ(sent<Hello>().size(), 1u);
  pass(Time(7'000));
  EXPECT_EQ(sent<Hello>().size(), 2u);
  EXPECT_THAT(sent<Heartbeat>(), IsEmpty());
}

// What the scheduler had to say to the process before, and a slow disk held up.
TEST_F(AgentTest, AnAnswerToAnEarlierProcessIsNotOurs) {
  agent->on_connected(now);
  agent->on_ready(0, "test-class", now);
  const std::uint64_t before = sent<Hello>().at(0).sequence;
  now += Time(3'000);
  start({});
  agent->on_connected(now);
  agent->on_ready(0, "test-class", now);
  const std::uint64_t ours = sent<Hello>().at(0).sequence;
  Welcome welcome;
  welcome.sequence = before;
  agent->on_message(welcome, now);
  assign(id(1));
  EXPECT_THAT(all<action::Fetch>(), IsEmpty());
  welcome.sequence = ours;
  agent->on_message(welcome, now);
  assign(id(2));
  EXPECT_EQ(all<action::Fetch>().size(), 1u);
}

TEST_F(AgentTest, WelcomeNamesWhatIsNoLongerWanted) {
  join();
  assign_and_run(id(1));
  assign_and_run(id(2));
  agent->on_message(Greet{}, now);
  Welcome welcome;
  welcome.sequence = sent<Hello>().at(0).sequence;
  welcome.stop = {id(1)};
  agent->on_message(welcome, now);
  const auto stops = all<action::Stop>();
  ASSERT_EQ(stops.size(), 1u);
  EXPECT_EQ(stops[0].id, id(1));
}

TEST_F(AgentTest, StoppedIsSaidOnlyWhenTheEngineIsDone) {
  join();
  assign_and_run(id(1));
  agent->on_message(Revoke{id(1), "cancelled"}, now);
  agent->on_message(Revoke{id(1), "cancelled"}, now);
  EXPECT_EQ(all<action::Stop>().size(), 1u);
  EXPECT_THAT(sent<Stopped>(), IsEmpty());
  agent->on_failed(0, EngineFailed{id(1), FailKind::kEngine, "cancelled"}, "", now);
  EXPECT_THAT(sent<Stopped>(), ElementsAre(Stopped{id(1)}));
  EXPECT_THAT(sent<Failed>(), IsEmpty());
  agent->on_message(Revoke{id(9), "cancelled"}, now);  // long gone
  EXPECT_THAT(sent<Stopped>(), ElementsAre(Stopped{id(9)}));
}

TEST_F(AgentTest, AResultThatIsRevokedIsDropped) {
  join();
  assign_and_run(id(1));
  agent->on_message(Revoke{id(1), "rejected"}, now);
  agent->on_done(0, EngineDone{id(1), outputs()}, "", now);  // it was quicker
  EXPECT_THAT(all<action::Keep>(), IsEmpty());
  EXPECT_THAT(sent<Stopped>(), ElementsAre(Stopped{id(1)}));
}

TEST_F(AgentTest, ADeadEngineIsAFailureWithItsLastWordsAndTheNextAttemptRuns) {
  join();
  assign_and_run(id(1));
  agent->on_exit(0, "signal 9 (Killed)", "last words", now);
  const auto failed = sent<Failed>();
  ASSERT_EQ(failed.size(), 1u);
  EXPECT_EQ(failed[0].kind, FailKind::kCrash);
  EXPECT_EQ(failed[0].exit_cause, "signal 9 (Killed)");
  EXPECT_EQ(failed[0].log_tail, "last words");
  pass_acknowledged(Time(3'500));
  EXPECT_EQ(sent<Failed>().size(), 1u);  // until acknowledged
  agent->on_message(FailedAck{{TaskId(1), 1, 0}}, now);
  pass_acknowledged(Time(7'000));
  EXPECT_THAT(sent<Failed>(), IsEmpty());
  all<action::Run>();
  agent->on_exit(1, "exit code 1", "", now);
  assign_and_run(id(1, 2));
  EXPECT_THAT(all<action::Run>(), IsEmpty());
  agent->on_ready(0, "test-class", now);
  EXPECT_EQ(all<action::Run>().at(0).id, id(1, 2));
}

TEST_F(AgentTest, NoProgressIsATimeout) {
  join();
  assign_and_run(id(1));
  for (int step = 0; step < 5; ++step) {
    pass_acknowledged(Time(100'000));
    agent->on_progress(0, Progress{id(1), 0.1f * static_cast<float>(step), "step", 1}, now);
  }
  EXPECT_THAT(all<action::Stop>(), IsEmpty());
  for (int i = 0; i < 13; ++i) {
    pass_acknowledged(Time(10'000));
    agent->on_progress(0, Progress{id(1), 0.4f, "step", 1.0 + i}, now);  // busy, but no further
  }
  EXPECT_EQ(all<action::Stop>().size(), 1u);
  agent->on_exit(0, "signal 15 (Terminated)", "log", now);
  EXPECT_EQ(sent<Failed>().at(0).kind, FailKind::kTimeout);
}

TEST_F(AgentTest, InputsThatCannotBeHadAreAFailureAndALostConnectionIsNot) {
  join();
  assign(id(1));
  assign(id(2));
  all<action::Fetch>();
  agent->on_fetched(id(1), fail(ErrorKind::kNotFound, "no such artifact"), now);
  EXPECT_EQ(sent<Failed>().at(0).kind, FailKind::kInput);
  agent->on_fetched(id(2), fail(ErrorKind::kUnreachable, "away"), now);
  EXPECT_THAT(sent<Failed>(), IsEmpty());
  pass_acknowledged(Time(2'000));
  EXPECT_EQ(all<action::Fetch>().at(0).id, id(2));
}

TEST_F(AgentTest, UploadsAreTriedAgainUntilTheFarmHasRoom) {
  join();
  assign_and_run(id(1));
  agent->on_done(0, EngineDone{id(1), outputs()}, "", now);
  all<action::Upload>();
  agent->on_uploaded(id(1), fail(ErrorKind::kExhausted, "disk full"), now);
  pass_acknowledged(Time(2'000));
  EXPECT_EQ(all<action::Upload>().size(), 1u);
  agent->on_uploaded(id(1), fail(ErrorKind::kCorrupt, "the file is damaged"), now);
  EXPECT_EQ(sent<Failed>().at(0).kind, FailKind::kArtifact);
  EXPECT_EQ(all<action::Forget>().size(), 1u);
}

TEST_F(AgentTest, TheOutboxOfAnEarlierRunIsOffered) {
  start({{id(5), outputs(), ""}});
  join();
  pass_acknowledged(Time(1'000));
  ASSERT_EQ(all<action::Upload>().size(), 1u);  // have its artifacts arrived? The farm knows.
  agent->on_uploaded(id(5), {}, now);
  EXPECT_EQ(sent<Completed>().at(0).id, id(5));
  agent->on_message(RefusedResult{id(5), "a newer attempt was accepted"}, now);
  EXPECT_EQ(all<action::Forget>().size(), 1u);
}

TEST_F(AgentTest, MoreThanItCanHoldIsRefused) {
  join();
  for (std::uint64_t task = 1; task <= 7; ++task) assign(id(task));
  EXPECT_EQ(agent->attempts(), 6u);
  EXPECT_EQ(sent<Failed>().at(0).id, id(7));
}

TEST_F(AgentTest, AnAssignmentSaidTwiceIsTakenOnce) {
  join();
  assign(id(1));
  assign(id(1));
  EXPECT_EQ(all<action::Fetch>().size(), 1u);
}

TEST_F(AgentTest, ARefusalEndsTheWorkerWithItsReason) {
  agent->on_denied("the scheduler does not know this worker's key", now);
  const auto exit = all<action::Exit>();
  ASSERT_EQ(exit.size(), 1u);
  EXPECT_EQ(exit[0].code, ExitCode::kWorkFailed);
  EXPECT_THAT(exit[0].message, testing::HasSubstr("key"));
}

}  // namespace
}  // namespace rushes::worker
