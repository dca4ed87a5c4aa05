// Records as bytes: storage/records.capnp `Record`, for the journal.
//
// Thread contract: pure functions.
#pragma once

#include <cstdint>
#include <span>

#include "config/result.h"
#include "scheduler/core/record.h"

namespace rushes::scheduler {

// An unpacked Cap'n Proto message. The record must be durable.
Bytes encode_record(const Record& record);
// The same behind its length (4 bytes, the high one first), at the end of `text`.
void append_record(const Record& record, std::string& text);

// Bytes from a disk are hostile: traversal and nesting limits, every list and text bounded, enums checked.
// Error: kCorrupt, says which field.
Result<Record> decode_record(std::span<const std::uint8_t> bytes);

}  // namespace rushes::scheduler
