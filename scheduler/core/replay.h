// A State as bytes and back: what recovery does with what it reads, wherever that was kept.
//
// Bytes from a disk are hostile: every record is bounded, decoded and checked against the state before it is
// applied.
//
// Thread contract: pure functions of their arguments; the thread that owns the State.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "config/result.h"
#include "scheduler/core/record.h"
#include "scheduler/core/state.h"

namespace rushes::scheduler {

// Applies one record that encode_record() made. Error: kCorrupt; the state is unchanged.
Status replay_record(State& state, std::string_view bytes);

// The two halves of it: what a record is, whatever the state, and what it does to the state.
Result<Record> read_record(std::string_view bytes);
Status replay_record(State& state, const Record& record);

// All records of snapshot(state), each preceded by its length (4 bytes, big endian).
std::string encode_snapshot(const State& state);

// Applies what encode_snapshot() made to an empty State. Error: kCorrupt, names the row.
Status replay_snapshot(State& state, std::string_view rows);

// Every record of what encode_snapshot() made, rows counted from 1, until `visit` returns an error; it gets
// the row's name in front. Error: kCorrupt, names the row.
Status for_each_row(std::string_view rows, const std::function<Status(std::string_view bytes)>& visit);

}  // namespace rushes::scheduler
