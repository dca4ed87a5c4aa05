// The scheduler's simulated disk: a journal with group commit and snapshots, as storage/ledger.h gives it.
//
// What is appended while a sync is under way goes into the next one. After a kill all that was synced is
// there; of the group that was being written a whole number of appends from its front may be (a torn tail is
// cut off by the checksum of the write-ahead log).
//
// Thread contract: one thread.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "config/result.h"
#include "scheduler/core/journal/replay.h"
#include "scheduler/core/journal/snapshot.h"
#include "scheduler/core/state/state.h"
#include "tests/simulation/dice.h"
#include "tests/simulation/timeline.h"

namespace rushes::simulation {

class Disk {
 public:
  struct Append {
    std::vector<std::string> records;
    std::vector<scheduler::SnapshotRow> snapshot;  // that changed, of the state after all records before
    std::function<void(const Status&)> done;
  };

  // How long one sync takes now, in milliseconds; none: the disk is full.
  using SyncTime = std::function<std::optional<std::int64_t>()>;
  Disk(Timeline& timeline, SyncTime sync_time, std::uint64_t seed);

  void append(Append append);
  // The process died: nothing more is called back. Returns how many records of all times survive.
  std::uint64_t crash();
  // What a recovery reads. Error: kCorrupt.
  Result<scheduler::State> read() const;
  std::uint64_t synced() const { return synced_; }  // records of all times that are on the disk
  std::uint64_t syncs() const { return syncs_; }

 private:
  void begin_sync();
  void end_sync();
  void keep(Append& append);

  Timeline& timeline_;
  SyncTime sync_time_;
  Dice dice_;
  std::uint64_t life_ = 0;  // of the process that writes
  std::vector<Append> queued_, writing_;
  std::optional<Error> failure_;
  std::map<std::string, std::string> snapshot_;
  std::vector<std::string> records_;  // behind the snapshot
  std::uint64_t synced_ = 0, syncs_ = 0;
};

}  // namespace rushes::simulation
