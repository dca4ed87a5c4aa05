// A worker as it is: sockets on loopback, real engine processes, and a scheduler that the test plays.
#include "worker/agent/runner.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <fstream>
#include <thread>

#include "tests/scheduler/protocol/farm_keys.h"
#include "tests/scheduler/protocol/memory_store.h"
#include "tests/scheduler/protocol/records.h"
#include "tests/worker/agent/processes.h"

namespace rushes::worker {
namespace {

using namespace protocol;
using protocol::test::FarmKeys;
using protocol::test::Inbox;
using protocol::test::MemoryStore;
using protocol::test::test_spec;

// The scheduler's side; may be replaced by another one on the same ports.
struct Scheduler {
  Scheduler(const FarmKeys& keys, ArtifactStore& store, const std::string& control_at = "tcp://127.0.0.1:*",
            const std::string& artifacts_at = "tcp://127.0.0.1:*") {
    authenticator = *ZapAuthenticator::open(keys.scheduler.secret_key, keys.folder / "workers");
    control =
        *ControlServer::start(*authenticator, control_at, [this](const Peer& from, WorkerMessage message) {
          {
            const std::lock_guard lock(mutex);
            peer = from;
          }
          if (const auto* beat = std::get_if<Heartbeat>(&message)) {
            beats.put(*beat);
            (void)control->send(from, HeartbeatAck{beat->sequence});
          } else {
            heard.put(std::move(message));
          }
        });
    artifacts = *ArtifactServer::start(*authenticator, artifacts_at, store);
  }
  // The next message of this kind; others before it are passed over.
  template <typename T>
  std::optional<T> next() {
    while (auto message = heard.next())
      if (auto* wanted = std::get_if<T>(&*message)) return std::move(*wanted);
    return std::nullopt;
  }
  std::optional<Hello> welcome() {
    auto hello = next<Hello>();
    Welcome message;
    message.heartbeat_ms = 100;
    if (hello) message.sequence = hello->sequence;
    if (hello) say(message);
    return hello;
  }
  void say(SchedulerMessage message) {
    const std::lock_guard lock(mutex);
    EXPECT_TRUE(control->send(peer, message));
  }
  std::mutex mutex;
  Peer peer;  // of the last message, guarded by the mutex
  void assign(const AttemptId& id, const std::string& task, const std::vector<ArtifactRef>& inputs = {}) {
    say(Assign{id, 15'000, 0, test_spec(inputs, task)});
  }
  Inbox<WorkerMessage> heard;
  Inbox<Heartbeat> beats;
  std::unique_ptr<ZapAuthenticator> authenticator;
  std::unique_ptr<ControlServer> control;
  std::unique_ptr<ArtifactServer> artifacts;
};

struct RunnerTest : ::testing::Test {
  ~RunnerTest() override {
    if (!worker.joinable()) return;
    ::kill(::getpid(), SIGTERM);  // blocked in every thread: the runner reads it, as it does in production
    worker.join();
  }
  RunnerOptions options(const KeyPair& pair) {
    RunnerOptions made;
    made.agent.name = "worker";
    made.agent.offer.build = "test";
    made.agent.offer.prefetch = 1;
    made.agent.repeat = Time(500);
    made.agent.retry = Time(200);
    made.control = keys.client(scheduler->control->endpoint(), pair);
    made.artifacts = keys.client(scheduler->artifacts->endpoint(), pair);
    made.folder = folder / "worker";
    made.engine = [cache = (folder / "worker" / "cache").string()](SlotKind, std::size_t) {
      EngineCommand command;
      command.words = {TEST_ENGINE, cache};
      return command;
    };
    made.grace = Time(100);
    made.agent.stop_grace = Time(0);
    return made;
  }
  void start(const RunnerOptions& made) {
    worker = std::thread([this, made] {
      auto runner = Runner::open(made);
      exit = runner ? (*runner)->run() : exit_code(runner.error().kind);
    });
  }
  void start() { start(options(keys.worker)); }
  // What a task's only output holds in the farm's store.
  std::string output_of(const Completed& completed) {
    const auto& outputs = completed.result.outputs;
    if (outputs.size() != 1) return "not one output";
    return store.find(outputs[0].digest).value_or("not in the store");
  }
  std::size_t outbox_files() {
    const auto files = std::filesystem::directory_iterator(folder / "worker" / "outbox");
    return static_cast<std::size_t>(std::distance(begin(files), end(files)));
  }

  struct Blocked {
    Blocked() { block_signals(); }
  } blocked;  // before any thread
  FarmKeys keys;
  MemoryStore store;
  rushes::test::Folder folder;
  std::unique_ptr<Scheduler> scheduler = std::make_unique<Scheduler>(keys, store);
  std::thread worker;
  ExitCode exit = ExitCode::kOk;
};

TEST_F(RunnerTest, FetchesRunsUploadsReportsAndLeavesNothingBehind) {
  const std::string a = "some input, ", b(3u << 20, 'b');
  store.hold(a);
  store.hold(b);
  RunnerOptions patient = options(keys.worker);
  patient.agent.stop_grace = Time(20'000);
  start(patient);
  const auto hello = scheduler->welcome();
  ASSERT_TRUE(hello);
  EXPECT_EQ(hello->name, "worker");
  EXPECT_EQ(hello->process.pid, static_cast<std::uint32_t>(::getpid()));
  EXPECT_EQ(hello->offer.numeric_classes, std::vector<std::string>{"test-class"});
  scheduler->assign({TaskId(1), 1, 5}, "copy", {{digest_of(a), a.size()}, {digest_of(b), b.size()}});
  ASSERT_TRUE(scheduler->next<Started>());
  const auto completed = scheduler->next<Completed>();
  ASSERT_TRUE(completed);
  EXPECT_EQ(completed->id, (AttemptId{TaskId(1), 1, 5}));
  EXPECT_EQ(output_of(*completed), a + b);
  EXPECT_NE(completed->log_tail.find("running copy"), std::string::npos);
  EXPECT_EQ(outbox_files(), 1u);
  ASSERT_TRUE(scheduler->next<Completed>());  // again, until it is acknowledged
  scheduler->say(Accepted{{TaskId(1), 1, 0}});
  ::kill(::getpid(), SIGTERM);
  ASSERT_TRUE(scheduler->next<Bye>());
  worker.join();
  EXPECT_EQ(exit, ExitCode::kOk);
  EXPECT_EQ(outbox_files(), 0u);
  EXPECT_EQ(rushes::test::count_with_argument((folder / "worker").string()), 0);
}

TEST_F(RunnerTest, TheFirstSignalWaitsForWhatRunsAndTheSecondKillsIt) {
  RunnerOptions patient = options(keys.worker);
  patient.agent.stop_grace = patient.grace = Time(60'000);
  start(patient);
  ASSERT_TRUE(scheduler->welcome());
  scheduler->assign({TaskId(1), 1, 5}, "hang");
  ASSERT_TRUE(scheduler->next<Started>());
  scheduler->assign({TaskId(2), 1, 6}, "put waits");
  ::kill(::getpid(), SIGTERM);
  const auto given_back = scheduler->next<Stopped>();
  ASSERT_TRUE(given_back);
  EXPECT_EQ(given_back->id.task, TaskId(2));
  while (const auto beat = scheduler->beats.next())
    if (beat->leaving) break;
  ::kill(::getpid(), SIGTERM);
  const auto stopped = scheduler->next<Stopped>();
  ASSERT_TRUE(stopped);
  EXPECT_EQ(stopped->id.task, TaskId(1));
  ASSERT_TRUE(scheduler->next<Bye>());
  worker.join();
  EXPECT_EQ(exit, ExitCode::kOk);
  EXPECT_EQ(rushes::test::count_with_argument((folder / "worker").string()), 0);
}

TEST_F(RunnerTest, ARestartInItsFolderIsAnotherProcessWithTheSameLock) {
  start();
  const auto first = scheduler->welcome();
  ASSERT_TRUE(first);
  ::kill(::getpid(), SIGTERM);
  worker.join();
  start();
  const auto second = scheduler->welcome();
  ASSERT_TRUE(second);
  EXPECT_NE(second->process.id, first->process.id);
  EXPECT_EQ(second->process.lock, first->process.lock);
  ::kill(::getpid(), SIGTERM);
  worker.join();
  RunnerOptions elsewhere = options(keys.worker);
  elsewhere.folder = folder / "elsewhere";
  start(elsewhere);
  const auto third = scheduler->welcome();
  ASSERT_TRUE(third);
  EXPECT_NE(third->process.lock, first->process.lock);
}

TEST_F(RunnerTest, AKilledEngineIsAFailureAndTheNextAttemptRuns) {
  start();
  ASSERT_TRUE(scheduler->welcome());
  const std::string task = "crash-once " + (folder / "crashed").string();
  scheduler->assign({TaskId(1), 1, 5}, task);
  const auto failed = scheduler->next<Failed>();
  ASSERT_TRUE(failed);
  EXPECT_EQ(failed->kind, FailKind::kCrash);
  EXPECT_EQ(failed->exit_cause, "signal 9 (Killed)");
  EXPECT_NE(failed->log_tail.find("last words"), std::string::npos);
  scheduler->say(FailedAck{failed->id});
  scheduler->assign({TaskId(1), 2, 6}, task);
  const auto completed = scheduler->next<Completed>();
  ASSERT_TRUE(completed);
  EXPECT_EQ(output_of(*completed), "second attempt");
}

TEST_F(RunnerTest, ARevokedTaskThatHangsIsKilledBeforeStoppedIsSaid) {
  start();
  ASSERT_TRUE(scheduler->welcome());
  scheduler->assign({TaskId(1), 1, 5}, "hang");
  ASSERT_TRUE(scheduler->next<Started>());
  scheduler->say(Revoke{{TaskId(1), 1, 5}, "cancelled"});
  ASSERT_TRUE(scheduler->next<Stopped>());
  scheduler->assign({TaskId(2), 1, 6}, "put after");
  const auto completed = scheduler->next<Completed>();
  ASSERT_TRUE(completed);
  EXPECT_EQ(output_of(*completed), "after");
}

TEST_F(RunnerTest, ARestartOfTheSchedulerDoesNotStopTheTask) {
  start();
  ASSERT_TRUE(scheduler->welcome());
  const std::string file = folder / "go";
  scheduler->assign({TaskId(1), 1, 5}, "wait-for " + file);
  ASSERT_TRUE(scheduler->next<Started>());
  const std::string control = scheduler->control->endpoint(), artifacts = scheduler->artifacts->endpoint();
  scheduler.reset();
  scheduler = std::make_unique<Scheduler>(keys, store, control, artifacts);
  const auto hello = scheduler->welcome();
  ASSERT_TRUE(hello);
  EXPECT_EQ(hello->running, (std::vector<AttemptId>{{TaskId(1), 1, 5}}));
  const auto beat = scheduler->beats.next();
  ASSERT_TRUE(beat);
  EXPECT_EQ(beat->attempts.at(0).id, (AttemptId{TaskId(1), 1, 5}));
  std::ofstream(file) << "go";
  const auto completed = scheduler->next<Completed>();
  ASSERT_TRUE(completed);
  EXPECT_EQ(completed->id, (AttemptId{TaskId(1), 1, 5}));
}

TEST_F(RunnerTest, AResultThatWasNeverAcknowledgedIsOfferedByTheNextRun) {
  start();
  ASSERT_TRUE(scheduler->welcome());
  scheduler->assign({TaskId(1), 1, 5}, "put kept");
  const auto first = scheduler->next<Completed>();
  ASSERT_TRUE(first);
  scheduler->say(Refused{"go away"});
  worker.join();
  EXPECT_EQ(exit, ExitCode::kWorkFailed);
  start();
  const auto hello = scheduler->welcome();
  ASSERT_TRUE(hello);
  EXPECT_EQ(hello->outbox, 1u);
  const auto again = scheduler->next<Completed>();
  ASSERT_TRUE(again);
  EXPECT_EQ(*again, *first);
}

TEST_F(RunnerTest, AnUnknownKeyEndsTheWorker) {
  start(options(*make_keys()));
  worker.join();
  EXPECT_EQ(exit, ExitCode::kWorkFailed);
  EXPECT_GE(scheduler->authenticator->counters().refused_keys, 1u);
}

TEST_F(RunnerTest, TwoWorkersDoNotShareAFolder) {
  start();
  ASSERT_TRUE(scheduler->welcome());
  const auto second = Runner::open(options(keys.worker));
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().kind, ErrorKind::kExhausted);
  EXPECT_NE(second.error().message.find("another worker"), std::string::npos);
}

}  // namespace
}  // namespace rushes::worker
