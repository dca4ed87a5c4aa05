// Whether a RocksDB write-ahead log was damaged where RocksDB would only see its end.
//
// RocksDB takes a record that runs over the end of a log for a write that a crash cut short, and a record of
// the recycled kind for the rest of an older log; it drops it and everything behind it without a word. One
// flipped bit in a length or a kind looks the same and would cost records that were acknowledged. We never
// recycle logs, and a write that was cut short has no checksum that fits what is there of it: so the two can
// be told apart.
//
//   layout (rocksdb/db/log_format.h): blocks of 32 KiB; a record never crosses one; what is left of a block
//   below 7 bytes is padding. Header: crc32c of kind and payload, masked (4 bytes), length (2), kind (1):
//   full 1, first 2, middle 3, last 4, recycled ones 5..8. Little endian.
//
// Thread contract: pure function of the file system; no process may write the folder meanwhile.
#pragma once

#include <filesystem>

#include "config/result.h"

namespace rushes::storage {

// Looks at every *.log of a database folder. Error: kCorrupt, names the file and the place.
Status check_logs(const std::filesystem::path& folder);

}  // namespace rushes::storage
