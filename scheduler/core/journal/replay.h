// Records from a disk onto a State: what recovery does with the bytes that it reads.
//
// Bytes from a disk are hostile: every record is bounded, decoded and checked against the state before it is
// applied.
//
// Thread contract: pure functions of their arguments; the thread that owns the State.
#pragma once

#include <string_view>

#include "config/result.h"
#include "scheduler/core/state/record.h"
#include "scheduler/core/state/state.h"

namespace rushes::scheduler {

// Applies one record that encode_record() made. Error: kCorrupt; the state is unchanged.
Status replay_record(State& state, std::string_view bytes);

// The two halves of it: what a record is, whatever the state, and what it does to the state.
Result<Record> read_record(std::string_view bytes);
Status replay_record(State& state, const Record& record);

// Whether the record's references exist and its transition is possible. apply() takes only such records.
Status check(const State& state, const Record& record);

}  // namespace rushes::scheduler
