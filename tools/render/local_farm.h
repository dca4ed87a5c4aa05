// The farm in one process: the same core, planner and stages as on a farm, with one worker and no wire,
// journal or vault. Takes made here have the pixels that a farm of the same numeric class makes.
//
// Thread contract: one thread.
#pragma once

#include <deque>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "config/farm.h"
#include "config/result.h"
#include "config/shot.h"
#include "scheduler/core/core.h"
#include "worker/engine/stage.h"

namespace rushes::tools {

struct LocalFarmOptions {
  std::vector<std::filesystem::path> model_roots;
  std::filesystem::path deliveries;  // created; results appear below it
  std::filesystem::path colour;      // OCIO configuration
  std::filesystem::path artifacts;   // working folder for intermediate results, the caller's to remove
  int threads = 2;
  std::function<bool()> stopped{};  // true: the task that runs ends soon, and step() fails; may be empty
  config::Retention retention{};    // event::CollectGarbage lets takes go by it, whose files stay
};

class LocalFarm {
 public:
  // What runs now, and how far it is (0..1).
  using Progress = std::function<void(const std::string& task, double fraction, const std::string& words)>;

  static Result<std::unique_ptr<LocalFarm>> open(const LocalFarmOptions& options);

  // Checks the batch against its models and plans it. Error: one line per problem; nothing is planned then.
  Status submit(const config::Batch& batch);
  // A person's wish about a shot: event::Approve, Retry, Revert ... Error: why it is refused.
  Status ask(const scheduler::Event& wish);
  // Runs the next task. False when no task is left that could run. Error: kConflict (stopped).
  Result<bool> step(const Progress& progress);
  const scheduler::State& state() const { return state_; }
  // Whether the last task that ran failed because of this host: its disk is full, or takes no files.
  bool host_failed() const { return host_failed_; }
  const worker::LocalArtifacts& artifacts() const { return artifacts_; }
  scheduler::Now now() const;

 private:
  LocalFarm(const LocalFarmOptions& options, worker::LocalArtifacts artifacts, worker::Models models);
  void say_hello();
  void say(protocol::WorkerMessage message);  // as the worker
  void feed(const scheduler::Event& event);
  Result<scheduler::event::ShotRequest> request_for(const config::Shot& shot);
  Result<scheduler::StoredPicture> stored_picture(const config::KeyFrame& key);  // checked to its last byte
  protocol::WorkerMessage run(const protocol::Assign& assign, const Progress& progress);

  LocalFarmOptions options_;
  worker::LocalArtifacts artifacts_;
  worker::Models models_;
  scheduler::State state_;
  scheduler::Settings settings_;
  std::deque<protocol::Assign> assigned_;
  std::string refused_;  // why the last request was refused
  bool host_failed_ = false;
};

}  // namespace rushes::tools
