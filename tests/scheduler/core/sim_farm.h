// A farm without machines for tests: the real core, simulated workers, a journal in memory.
#pragma once

#include <gtest/gtest.h>

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "scheduler/core/core.h"
#include "scheduler/core/journal/replay.h"
#include "scheduler/core/state/invariants.h"

namespace rushes::scheduler {

std::shared_ptr<const config::ModelManifest> test_model(const std::string& name = "tabletop");
config::Shot test_shot(const std::string& name, int frames = 33, int takes = 2,
                       const std::string& show = "demo");
Settings test_settings();

// Digest that stands for any bytes: of the text.
inline Digest digest_named(const std::string& text) { return digest_of(text); }

// The core with its journal. Every step checks the invariants.
class TestFarm {
 public:
  explicit TestFarm(Settings settings = test_settings()) : settings_(std::move(settings)) {}

  // Answers the event; commands to workers are appended to `sent`, replies to `replies`.
  void step(const Event& event);
  // Time passes: ticks every second, as the loop does.
  void pass_ms(std::int64_t ms);
  void submit(std::vector<config::Shot> shots, const std::string& key = {});
  // SIGKILL and start: the state is rebuilt from the snapshot and the journal behind it.
  void restart();
  // Writes what changed since the last one.
  void snapshot();
  State recovered() const;

  const State& state() const { return state_; }
  const Shot& shot(const std::string& key) const { return *state_.find_shot(key); }
  const command::Reply& last_reply() const { return replies.back(); }

  std::vector<Command> sent;
  std::vector<command::Reply> replies;
  std::vector<Record> journal;
  std::shared_ptr<const config::ModelManifest> model = test_model();
  Now now{1'000'000, 1'700'000'000'000};
  bool check_every_step = true;

 private:
  Settings settings_;
  State state_;
  std::uint64_t random_ = 1;
  RequestId next_request_ = 1;
  std::map<std::string, std::string> rows_;  // of the snapshot
  std::size_t behind_ = 0;                   // records of the journal that it contains
};

// A worker that does what it is told; the test decides when. Results are functions of the task alone, as on a
// farm where takes are reproducible.
class SimWorker {
 public:
  SimWorker(TestFarm& farm, std::string name, std::uint32_t slots = 1, std::uint32_t prefetch = 1);

  void hello();
  void beat();
  // Takes the commands that are for this worker out of farm.sent.
  void receive();
  // Starts and completes everything that it holds, until nothing is left. Returns how many.
  std::size_t work();
  void start(const AttemptId& ref);
  void complete(const AttemptId& ref);
  void fail(const AttemptId& ref, FailKind kind = FailKind::kEngine);
  void lose_everything() { held.clear(); }

  // What the critics say of a task; the default passes with a score of its own for every take.
  std::function<Critique(const Task&)> critic;

  // How long an attempt takes; none: a second.
  std::function<double(const Task&)> seconds;

  std::vector<std::string> delivers{"movie.mp4"};  // files of a delivery

  std::string name;
  std::vector<AttemptId> held;
  std::vector<AttemptId> revoked;
  std::size_t accepted = 0, refused = 0;
  WorkerOffer offer;
  WorkerProcess process;  // none: a build that does not say
  bool leaving = false;

 private:
  void say(protocol::WorkerMessage message);
  TestFarm& farm_;
};

// The worker's slots become GPU slots, each with 16 GiB of its own; `cpu_slots` beside them.
void use_gpu(SimWorker& worker, const std::string& numeric_class, std::uint32_t cpu_slots = 0);

TaskResult result_for(const State& state, const Task& task,
                      const std::function<Critique(const Task&)>& critic);

// Lets the workers work until nothing moves any more.
void run_to_end(TestFarm& farm, std::vector<SimWorker*> workers);

}  // namespace rushes::scheduler
