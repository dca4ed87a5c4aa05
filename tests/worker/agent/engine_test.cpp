#include "worker/agent/engine.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <thread>

#include "tests/scheduler/protocol/folder.h"
#include "tests/scheduler/protocol/records.h"
#include "tests/worker/agent/processes.h"

namespace rushes::worker {
namespace {

using protocol::EngineDone;
using protocol::EngineFailed;
using protocol::EngineReady;
using protocol::FromEngine;
using protocol::test::test_spec;
using test::is_alive;

const AttemptId kId{TaskId(1), 1, 1};

struct EngineTest : ::testing::Test {
  EngineTest() { ::signal(SIGPIPE, SIG_IGN); }
  EngineCommand command() { return {{TEST_ENGINE, folder / "cache"}, folder / "logs", Time(100)}; }
  // The next message of one of these kinds; nothing when the engine ends or ten seconds pass.
  template <typename... Kinds>
  std::optional<FromEngine> next(Engine& engine) {
    for (int i = 0; i < 500; ++i) {
      auto messages = engine.read_messages();
      engine.read_output();
      if (!messages) return std::nullopt;
      for (FromEngine& message : *messages)
        if ((std::holds_alternative<Kinds>(message) || ...)) return std::move(message);
      pollfd file{engine.messages(), POLLIN, 0};
      ::poll(&file, 1, 20);
    }
    return std::nullopt;
  }
  std::optional<std::string> end_of(Engine& engine) {
    for (Time now{0}; now < Time(10'000); now += Time(20)) {
      engine.tick(now);
      if (auto cause = engine.reap()) return cause;
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    return std::nullopt;
  }
  test::Folder folder;
};

TEST_F(EngineTest, RunsOneTaskAfterAnotherInOneProcess) {
  Engine engine(command());
  ASSERT_TRUE(engine.start());
  ASSERT_TRUE(next<EngineReady>(engine));
  const pid_t process = engine.process();
  for (const char* text : {"put one", "put two"}) {
    ASSERT_TRUE(engine.run(kId, test_spec({}, text)));
    const auto done = next<EngineDone, EngineFailed>(engine);
    ASSERT_TRUE(done && std::holds_alternative<EngineDone>(*done));
    EXPECT_NE(engine.log_tail().find("running put"), std::string::npos);
  }
  ASSERT_TRUE(engine.run(kId, test_spec({}, "fail")));
  auto failed = next<EngineDone, EngineFailed>(engine);
  EXPECT_EQ(std::get<EngineFailed>(failed.value()).message, "told to fail");
  EXPECT_EQ(std::get<EngineFailed>(failed.value()).kind, FailKind::kRefused);
  ASSERT_TRUE(engine.run(kId, test_spec({}, "memory")));
  failed = next<EngineDone, EngineFailed>(engine);
  EXPECT_EQ(std::get<EngineFailed>(failed.value()).kind, FailKind::kMemory);
  EXPECT_EQ(engine.process(), process);
  EXPECT_TRUE(is_alive(process));
}

TEST_F(EngineTest, ACrashIsReapedWithItsCauseAndLastWords) {
  Engine engine(command());
  ASSERT_TRUE(engine.start());
  ASSERT_TRUE(next<EngineReady>(engine));
  ASSERT_TRUE(engine.run(kId, test_spec({}, "crash")));
  EXPECT_EQ(end_of(engine), "signal 9 (Killed)");
  engine.read_output();
  EXPECT_NE(engine.log_tail().find("last words"), std::string::npos);
  ASSERT_TRUE(engine.start());
  EXPECT_TRUE(next<EngineReady>(engine));
}

TEST_F(EngineTest, AGpuThatFailedEndsItsAttemptWithTheCauseAndTheProcess) {
  Engine engine(command());
  ASSERT_TRUE(engine.start());
  ASSERT_TRUE(next<EngineReady>(engine));
  ASSERT_TRUE(engine.run(kId, test_spec({}, "gpu")));
  const auto failed = next<EngineDone, EngineFailed>(engine);
  ASSERT_TRUE(failed && std::holds_alternative<EngineFailed>(*failed));
  EXPECT_EQ(std::get<EngineFailed>(*failed).kind, FailKind::kDevice);
  EXPECT_EQ(std::get<EngineFailed>(*failed).message, "cudaMalloc: cudaErrorNoDevice");
  EXPECT_EQ(end_of(engine), "exit code 4");
}

TEST_F(EngineTest, CancelIsEnoughForATaskThatListens) {
  Engine engine(command());
  ASSERT_TRUE(engine.start());
  ASSERT_TRUE(next<EngineReady>(engine));
  ASSERT_TRUE(engine.run(kId, test_spec({}, "wait")));
  ASSERT_TRUE(next<protocol::Progress>(engine));
  engine.cancel(kId, Time(0));
  const auto failed = next<EngineDone, EngineFailed>(engine);
  EXPECT_TRUE(failed && std::holds_alternative<EngineFailed>(*failed));
  EXPECT_TRUE(is_alive(engine.process()));  // and keeps what it has loaded
}

TEST_F(EngineTest, WhatStopsAJobOfManyProcessesStopsNoEngine) {
  Engine engine(command());
  ASSERT_TRUE(engine.start());
  ASSERT_TRUE(next<EngineReady>(engine));
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) ASSERT_EQ(::kill(engine.process(), signal), 0);
  ASSERT_TRUE(engine.run(kId, test_spec({}, "put one")));
  const auto done = next<EngineDone, EngineFailed>(engine);
  EXPECT_TRUE(done && std::holds_alternative<EngineDone>(*done));
}

TEST_F(EngineTest, ATaskThatHangsIsKilled) {
  Engine engine(command());
  ASSERT_TRUE(engine.start());
  ASSERT_TRUE(next<EngineReady>(engine));
  ASSERT_TRUE(engine.run(kId, test_spec({}, "hang")));
  ASSERT_TRUE(next<protocol::Progress>(engine));
  engine.cancel(kId, Time(0));
  EXPECT_EQ(end_of(engine), "signal 9 (Killed)");
}

TEST_F(EngineTest, AnEngineThatCannotStartSaysSo) {
  EngineCommand missing = command();
  missing.words[0] = "/nonexistent/program";
  Engine engine(missing);
  ASSERT_TRUE(engine.start());
  EXPECT_EQ(end_of(engine), "exit code 127");
}

TEST_F(EngineTest, NoEngineOutlivesItsAgent) {
  const std::string note = folder / "pid";
  const pid_t agent = ::fork();
  if (agent == 0) {
    Engine engine(command());
    if (!engine.start() || !next<EngineReady>(engine) || !engine.run(kId, test_spec({}, "hang"))) ::_exit(1);
    std::ofstream(note + ".new") << engine.process();
    std::filesystem::rename(note + ".new", note);
    while (true) ::pause();
  }
  for (int i = 0; i < 500 && !std::filesystem::exists(note); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  pid_t engine = 0;
  std::ifstream(note) >> engine;
  ASSERT_GT(engine, 0);
  ASSERT_TRUE(is_alive(engine));
  ::kill(agent, SIGKILL);
  ASSERT_EQ(::waitpid(agent, nullptr, 0), agent);
  for (int i = 0; i < 250 && is_alive(engine); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  EXPECT_FALSE(is_alive(engine));
}

}  // namespace
}  // namespace rushes::worker
