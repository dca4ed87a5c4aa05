#include "scheduler/recovery.h"

#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

namespace rushes::scheduler {
namespace {

constexpr std::size_t kBatchRecords = 256, kBatches = 32;  // read ahead at most

// Records in order, all rows of the snapshot or all of the journal.
struct Batch {
  std::vector<Record> records;
  std::uint64_t first = 0;     // row or sequence of records[0]
  bool of_snapshot = false;    // rows of the snapshot, else records of the journal
  std::uint64_t snapshot = 0;  // with its last rows: the last record that it contains
};

// The ledger's records, decoded on a thread of their own.
class ReadAhead {
 public:
  explicit ReadAhead(const storage::Ledger& ledger) : thread_([this, &ledger] { run(ledger); }) {}
  ~ReadAhead() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }

  // The next records; none: that was all. Error: why there are no more, behind all that could be read.
  Result<Batch> next() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return !ready_.empty() || end_; });
    if (ready_.empty()) return *end_ ? Result<Batch>(Batch{}) : tl::unexpected<Error>(end_->error());
    Batch batch = std::move(ready_.front());
    ready_.pop_front();
    changed_.notify_all();
    return batch;
  }

 private:
  void run(const storage::Ledger& ledger) {
    Status status = read(ledger);
    hand_over();
    const std::lock_guard lock(mutex_);
    end_ = std::move(status);
    changed_.notify_all();
  }

  Status read(const storage::Ledger& ledger) {
    std::uint64_t row = 0;
    const auto through = ledger.snapshot([&](std::string_view bytes) { return put(true, ++row, bytes); });
    if (!through) return tl::unexpected<Error>(through.error());
    filling_.snapshot = *through;
    hand_over();
    return ledger.replay(*through, [&](const storage::Record& record) -> Status {
      if (auto taken = put(false, record.sequence, record.payload); !taken)
        return with_context(taken.error(), "record " + std::to_string(record.sequence));
      return {};
    });
  }

  Status put(bool of_snapshot, std::uint64_t number, std::string_view bytes) {
    auto record = read_record(bytes);
    if (!record) return tl::unexpected<Error>(record.error());
    if (filling_.records.empty()) filling_.first = number, filling_.of_snapshot = of_snapshot;
    filling_.records.push_back(std::move(*record));
    if (filling_.records.size() < kBatchRecords || hand_over()) return {};
    return fail(ErrorKind::kUnreachable, "the reader has stopped");
  }

  // Waits while enough is ready. False: the reader has stopped.
  bool hand_over() {
    if (filling_.records.empty()) return true;
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return ready_.size() < kBatches || stopping_; });
    ready_.push_back(std::exchange(filling_, {}));
    changed_.notify_all();
    return !stopping_;
  }

  Batch filling_;  // the thread's own
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Batch> ready_;    // guarded by mutex_, as all below
  std::optional<Status> end_;  // set when all is read
  bool stopping_ = false;
  std::thread thread_;
};

Status replay_batch(State& state, const Batch& batch) {
  for (std::size_t i = 0; i < batch.records.size(); ++i) {
    const auto applied = replay_record(state, batch.records[i]);
    if (applied) continue;
    const std::string number = std::to_string(batch.first + i);
    return with_context(applied.error(), (batch.of_snapshot ? "snapshot: row " : "record ") + number);
  }
  return {};
}

}  // namespace

Result<Recovered> recover_state(const storage::Ledger& ledger, State& state) {
  Recovered recovered;
  ReadAhead ahead(ledger);
  for (;;) {
    const auto batch = ahead.next();
    if (!batch) return tl::unexpected<Error>(batch.error());
    if (batch->records.empty()) return recovered;
    if (auto replayed = replay_batch(state, *batch); !replayed)
      return tl::unexpected<Error>(replayed.error());
    if (batch->of_snapshot) {
      recovered.last_sequence = batch->snapshot;
    } else {
      recovered.last_sequence = batch->first + batch->records.size() - 1;
      recovered.records_since_snapshot += batch->records.size();
    }
  }
}

}  // namespace rushes::scheduler
