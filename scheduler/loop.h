// The scheduler's main loop: the one thread that owns the State.
//
// Events come in from sockets, HTTP and the clock; decide() answers them; records go to the ledger; commands,
// replies and answers to readers leave only after the sync that holds everything decided before them. So
// no reply or message tells what a crash could take back.
//
// Thread contract: post(), request(), query() and wait_events() may be called from any thread. `send` and
// `on_failure` run on the ledger's writer thread or on the core thread, one call at a time, and must not
// block or throw. recover() before start(); stop() (or the destructor) ends the core thread, then the ledger
// may be closed.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <variant>
#include <vector>

#include "config/log.h"
#include "config/result.h"
#include "scheduler/core/core.h"
#include "scheduler/core/state/retention.h"
#include "scheduler/protocol/messages.h"
#include "scheduler/vault_janitor.h"
#include "storage/ledger.h"
#include "storage/vault.h"

namespace rushes::scheduler {

struct LoopOptions {
  Settings settings;
  std::function<Now()> clock;
  std::function<std::uint64_t()> random;
  std::chrono::milliseconds tick{250};
  std::uint64_t snapshot_every = 32'768;  // journal records between snapshots: what a recovery has to replay
  // For metrics, called as `send` is; may be empty. A sync: from the append of a turn's records until they
  // are on the disk. A dispatch: from the arrival of a turn's oldest event until its assignments left.
  std::function<void(std::chrono::nanoseconds)> on_sync, on_dispatch;
};

using Answer = std::variant<command::Submitted, command::Collected, command::Done>;

class Loop {
 public:
  static constexpr std::size_t kMaxQueued = 100'000;  // events that wait; more are refused
  static constexpr std::chrono::milliseconds kPatience{30'000};

  // The ledger, the vault and the janitor outlive the loop.
  Loop(storage::Ledger& ledger, storage::Vault& vault, VaultJanitor& janitor, LoopOptions options);
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  // Rebuilds the state from the ledger and renews every lease once. Error: kCorrupt names the record.
  Status recover();

  using Send = std::function<void(const command::ToWorker&)>;
  using OnFailure =
      std::function<void(const Error& error)>;  // the ledger lost a write: the process has to end
  void start(Send send, OnFailure on_failure);
  void stop();

  void post(Event event);
  // A message of a worker. A result whose outputs are not in the vault becomes a failed attempt.
  // process: WorkerProcess::id of its Hello.
  void post(const std::string& worker, protocol::WorkerMessage message, const std::string& process = {});

  // An event of a person (its `request` is filled in); returns its reply, after the sync. kUnreachable: no
  // answer within `patience`, or the farm is stopping.
  Result<Answer> request(Event event, std::chrono::milliseconds patience = kPatience);

  // Runs `read` on the core thread; returns its value once everything that it saw is synced. It may run after query()
  // has lost its patience: it owns what it captures.
  template <class Read>
  auto query(Read read, std::chrono::milliseconds patience = kPatience)
      -> Result<std::invoke_result_t<Read, const State&, Now>>;

  // Waits until an event after `since` is synced; false when `patience` ran out first.
  bool wait_events(std::uint64_t since, std::chrono::milliseconds patience);

 private:
  using Deliver = std::function<void()>;
  using Query = std::function<Deliver(const State&, Now)>;
  struct Item {
    std::variant<Event, Query> what;
    std::chrono::steady_clock::time_point arrived = std::chrono::steady_clock::now();
  };
  // What one turn of the loop decided and owes to others.
  struct Turn {
    storage::Append append;
    std::vector<std::vector<Command>> commands;  // of each decision
    std::vector<Deliver> deliveries;
    std::vector<TakeId> left;  // takes whose artifacts are given up
    std::uint64_t last_event = 0;
    std::vector<std::pair<log::Level, std::string>> lines;  // of the log, what happened
    std::chrono::steady_clock::time_point arrived;          // of its oldest event
    std::chrono::steady_clock::time_point appended;         // zero: nothing to sync
  };

  bool enqueue(Item item);
  void run();
  void take_turn(std::deque<Item>& items);
  void decide_one(const Event& event, Turn& turn);
  void finish(Turn turn);
  void leave(const Turn& turn, const Status& status);
  void observe(const Turn& turn) const;
  void describe(Turn& turn);
  void answer(const command::Reply& reply);
  void fail_all(const Error& error);
  void snapshot_if_due();
  void retain(const Record& record);
  void retain_everything();
  // What the takes made and nothing else needs, once the records that say so are synced.
  void release_later(std::vector<TakeId> takes);
  std::string missing_output(const TaskResult& result) const;  // empty: all are there
  static Error stopping();

  storage::Ledger& ledger_;
  storage::Vault& vault_;
  VaultJanitor& janitor_;
  const LoopOptions options_;
  Send send_;
  OnFailure on_failure_;

  State state_;                        // core thread only, as the three below
  std::uint64_t described_event_ = 0;  // newest event that has a line
  std::uint64_t records_since_snapshot_ = 0;
  std::uint64_t last_sequence_ = 0;  // of the last record appended
  std::atomic<int> in_flight_{0};    // turns that were appended and have not left yet

  std::mutex mutex_;
  std::condition_variable wake_, happened_;
  std::deque<Item> queue_;     // guarded by mutex_, as all below
  std::uint64_t dropped_ = 0;  // since warned_, because the queue was full
  std::chrono::steady_clock::time_point warned_{};
  std::uint64_t published_event_ = 0;  // newest synced event
  std::map<RequestId, std::shared_ptr<std::promise<Result<Answer>>>> waiting_;
  RequestId next_request_ = 1;
  std::optional<Error> failure_;
  bool running_ = false, stopping_ = false;
  std::thread thread_;
};

template <class Read>
auto Loop::query(Read read, std::chrono::milliseconds patience)
    -> Result<std::invoke_result_t<Read, const State&, Now>> {
  using Value = std::invoke_result_t<Read, const State&, Now>;
  auto promise = std::make_shared<std::promise<Value>>();
  auto value = promise->get_future();
  Query run = [promise, read = std::move(read)](const State& state, Now now) -> Deliver {
    auto seen = std::make_shared<Value>(read(state, now));
    return [promise, seen] { promise->set_value(std::move(*seen)); };
  };
  promise.reset();  // the query alone holds it now: when the loop drops the query, the future says so
  if (!enqueue({std::move(run)}) || value.wait_for(patience) != std::future_status::ready)
    return tl::unexpected<Error>(stopping());
  try {
    return value.get();
  } catch (const std::future_error&) {
    return tl::unexpected<Error>(stopping());
  }
}

}  // namespace rushes::scheduler
