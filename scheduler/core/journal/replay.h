// A State as bytes and back: what recovery does with what it reads, wherever that was kept.
//
// Bytes from a disk are hostile: every record is bounded, decoded and checked against the state before it is
// applied.
//
// Thread contract: pure functions of their arguments; the thread that owns the State.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "config/result.h"
#include "scheduler/core/state/record.h"
#include "scheduler/core/state/state.h"

namespace rushes::scheduler {

// Applies one record that encode_record() made. Error: kCorrupt; the state is unchanged.
Status replay_record(State& state, std::string_view bytes);

// The two halves of it: what a record is, whatever the state, and what it does to the state.
Result<Record> read_record(std::string_view bytes);
Status replay_record(State& state, const Record& record);

// One row of a snapshot. Its key is the same in every snapshot, so a later row replaces an earlier one.
struct SnapshotRow {
  std::string key, record;
};

// The rows that differ from the snapshot before. After they are written, or queued where a lost write ends
// the process, apply record::Snapshotted. The newest row of every key, in the order of the keys, are records
// that rebuild the state.
std::vector<SnapshotRow> changed_rows(const State& state);

}  // namespace rushes::scheduler
