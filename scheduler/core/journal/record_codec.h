// Records as bytes: storage/records/records.capnp `Record`, for the journal.
//
// Thread contract: pure functions.
#pragma once

#include <cstdint>
#include <span>

#include "config/result.h"
#include "scheduler/core/state/record.h"

namespace rushes::scheduler {

// An unpacked Cap'n Proto message. The record must be durable.
Bytes encode_record(const Record& record);
// As record::TaskRow and record::ShotRow, without a copy of what may be large.
Bytes encode_row(const TaskFacts& task);
Bytes encode_row(ShotId id, const ShotFacts& shot);

// Bytes from a disk are hostile: traversal and nesting limits, every list and text bounded, enums checked.
// Error: kCorrupt, says which field.
Result<Record> decode_record(std::span<const std::uint8_t> bytes);

}  // namespace rushes::scheduler
