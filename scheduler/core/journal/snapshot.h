// The kept part of a State as records: snapshots, and the hash that compares two states.
//
// Thread contract: pure functions; the thread that owns the State.
#pragma once

#include <string>
#include <vector>

#include "scheduler/core/state/record.h"

namespace rushes::scheduler {

// Records that rebuild the kept part of the state when applied to an empty State: one per shot, task, worker,
// batch and estimate. They replace all older journal records.
std::vector<Record> snapshot(const State& state);

// One row of a snapshot on disk. Its key is the same in every snapshot, so a later row replaces an earlier one.
struct SnapshotRow {
  std::string key, record;
};

// The rows that differ from the snapshot before. After they are written, or queued where a lost write ends
// the process, apply record::Snapshotted. The newest row of every key, in the order of the keys, are records
// that rebuild the state.
std::vector<SnapshotRow> changed_rows(const State& state);

// BLAKE2b-256 over the kept part: equal after any replay of the same records.
Digest state_hash(const State& state);

}  // namespace rushes::scheduler
