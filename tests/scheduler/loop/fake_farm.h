// A farm in one process for tests: a real ledger, vault, core and loop, and workers that make a few bytes per
// task.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "config/model.h"
#include "scheduler/clock.h"
#include "scheduler/loop.h"
#include "tests/storage/temporary_folder.h"

namespace rushes::scheduler {

// A model named "tiny" in FOLDER/tiny/model.yaml (no weights: no test opens them).
void write_model(const std::filesystem::path& folder);
// A batch of show "demo" with shots of 9 frames.
std::string batch_text(const std::vector<std::string>& shots, int takes = 1);
// The event that the gateway would make of it.
event::SubmitBatch batch_event(const std::string& text, const std::filesystem::path& models,
                               storage::Vault& vault, const std::string& key = {});

// Runs every task it is assigned in its own thread: Started, outputs into the vault, Completed.
class FakeWorker {
 public:
  FakeWorker(Loop& loop, storage::Vault& vault, std::string name, const std::filesystem::path& models);
  ~FakeWorker();
  void hello();
  void receive(const protocol::SchedulerMessage& message);  // on the loop's sending thread

  std::atomic<bool> hold{false};          // keeps assignments without running them
  std::atomic<bool> lose_outputs{false};  // claims outputs that it never uploads
  std::atomic<int> ran{0}, accepted{0}, refused{0};

 private:
  void run();
  void run_task(const protocol::Assign& assign);
  Loop& loop_;
  storage::Vault& vault_;
  const std::string name_;
  Digest model_{};
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<protocol::Assign> queue_;
  bool stopping_ = false;
  std::thread thread_;
};

class FakeFarm {
 public:
  FakeFarm();
  ~FakeFarm();
  void start(std::uint64_t snapshot_every = 20'000);
  void stop();  // as far as the ledger is concerned this is a kill: nothing is written at the end
  FakeWorker& add_worker(const std::string& name);

  std::filesystem::path folder() const { return folder_.path(); }
  std::filesystem::path models() const { return folder_.path() / "models"; }
  Loop& loop() { return *loop_; }
  storage::Ledger& ledger() { return *ledger_; }
  storage::Vault& vault() { return *vault_; }
  VaultJanitor& janitor() { return *janitor_; }

  Result<Answer> submit(const std::string& text, const std::string& key = {});
  // State of "demo/NAME" as the core sees it, "" when there is none.
  std::string shot_state(const std::string& name);
  // Waits until every shot is delivered or in need of attention; false after ten seconds.
  bool wait_done();
  Digest state_hash_now();
  std::vector<Error> failures;  // what the loop reported; read after stop()
  Settings settings;            // for the loop; set before start(), as all below
  std::chrono::milliseconds sweep_age = std::chrono::hours(24);        // of uploads without a reference
  std::function<void(std::chrono::nanoseconds)> on_sync, on_dispatch;  // for the loop; set before start()

 private:
  storage::TemporaryFolder folder_;
  std::unique_ptr<storage::Ledger> ledger_;
  std::unique_ptr<storage::Vault> vault_;
  std::unique_ptr<VaultJanitor> janitor_;
  std::unique_ptr<Loop> loop_;
  std::mutex workers_mutex_;
  std::map<std::string, std::unique_ptr<FakeWorker>> workers_;
};

}  // namespace rushes::scheduler
