// The ledger: the farm's journal of records, its snapshots, and the logs of attempts.
//
// A record says what was decided; state is a snapshot plus the records after it. Records and logs that are
// appended together are written together, and `done` is called only after they are synced to disk.
//
//   family     key                            value
//   records    be64(sequence)                 be64(wall microseconds), 16 bytes of BLAKE2b, payload
//   snapshots  a zero byte                    the same, the payload be64(last sequence contained)
//              a row's key                    the same, the payload a row of the state
//   logs       be64(task) be32(attempt)       text
//
// The checksum covers the key, the time and the payload: a record that was damaged or moved is found by
// replay.
//
// Thread contract: append() and the readers may be called from any thread. `done` runs on the writer thread
// and must be short and not throw. The destructor writes what is queued.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/result.h"

namespace rocksdb {
class Env;
}

namespace rushes::storage {

// What an attempt printed; longer text loses its middle.
struct Log {
  std::uint64_t task = 0;
  std::uint32_t attempt = 0;
  std::string text;
};

struct Record {
  std::uint64_t sequence = 0;          // from 1, without gaps
  std::int64_t wall_microseconds = 0;  // when it was appended; for display only
  std::string payload;
};

// A row of a snapshot replaces the one that has the same key. Keys do not begin with a zero byte.
struct SnapshotRow {
  std::string key, value;
};

// What is written in one piece: all of it or, after a crash before `done`, perhaps nothing.
struct Append {
  std::vector<std::string> records;
  std::vector<Log> logs;
  std::function<void(const Status&)> done;  // may be empty
};

struct LedgerOptions {
  // How long the writer gathers appends before one sync while writes follow each other; 0: it takes what
  // queued up during the sync before.
  std::uint32_t gather_microseconds = 0;
  std::uint64_t keep_records = 100'000;  // kept behind a snapshot, for readers of events
  rocksdb::Env* env = nullptr;           // null: the machine's own; tests plant faults here
};

// What the writer has put on disk since the ledger was opened.
struct Written {
  std::uint64_t syncs = 0;
  std::uint64_t bytes = 0;  // of the write-ahead log: records, snapshots, logs and their keys
};

class Ledger {
 public:
  // Opens or creates the ledger in a folder of its own. Errors: kConflict (locked by another process),
  // kDenied (read-only), kExhausted (disk full), kCorrupt, kInvalid (another format).
  static Result<std::unique_ptr<Ledger>> open(const std::filesystem::path& folder,
                                              LedgerOptions options = {});
  ~Ledger();
  Ledger(const Ledger&) = delete;
  Ledger& operator=(const Ledger&) = delete;

  // Queues; returns the sequence of the last record queued so far (this append's last, when it has records).
  // Waits while more than kMaxQueuedBytes are queued. kInvalid: a record beyond storage/limits.h,
  // nothing is queued. After a failed write every append is refused with that error: a ledger that lost a
  // write must be opened again.
  Result<std::uint64_t> append(Append append);

  // Queues a snapshot of the state after record `through`: the rows that differ from the one before. Records
  // that it makes superfluous are removed in time.
  Status append_snapshot(std::uint64_t through, std::vector<SnapshotRow> rows,
                         std::function<void(const Status&)> done = {});

  // Returns when everything that was queued before the call is synced, or the error that stopped the writer.
  Status flush();

  // Recovery: the snapshot, then every record after it in order. snapshot() visits its rows by their keys and
  // returns the last record that it contains, 0 when there is none. What is damaged or missing stops with
  // kCorrupt and its name; an error of `visit` stops and is returned.
  Result<std::uint64_t> snapshot(const std::function<Status(std::string_view row)>& visit) const;
  Status replay(std::uint64_t after, const std::function<Status(const Record&)>& visit) const;

  // At most `limit` synced records after `sequence`, or after the oldest kept one.
  Result<std::vector<Record>> records(std::uint64_t after, std::size_t limit) const;
  std::uint64_t first_sequence() const;   // oldest record kept; last + 1 when none is
  std::uint64_t synced_sequence() const;  // the last record that is safely on disk; 0: none
  Written written() const;

  // The ledger as it is now in a new folder, which opens as one: every record that was synced before the call is in it.
  Status checkpoint(const std::filesystem::path& folder) const;
  // Reads every table of the database against its checksums. kCorrupt: damaged.
  Status verify() const;

  // All logs of a task, oldest attempt first.
  Result<std::vector<std::pair<std::uint32_t, std::string>>> logs(std::uint64_t task) const;

 private:
  class Impl;
  explicit Ledger(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace rushes::storage
