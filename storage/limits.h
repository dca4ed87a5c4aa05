// Bounds of everything that is kept: no record, chunk, list or text is read or written beyond them.
//
// Thread contract: constants.
#pragma once

#include <cstddef>
#include <cstdint>

#include "config/limits.h"

namespace rushes::storage {

constexpr std::size_t kMaxRecordBytes = 64u
                                        << 20;  // one record or snapshot row; a planned shot is the largest
constexpr std::size_t kMaxRowKeyBytes = 1024;   // key of a row
constexpr std::size_t kMaxBatchBytes = 32u
                                       << 20;  // what one synced write gathers, unless one record is larger
constexpr std::size_t kMaxQueuedBytes = 256u << 20;  // appended, not yet synced: append() waits above this
constexpr std::size_t kMaxLogBytes = 64u << 10;      // log tail kept of one attempt
constexpr std::size_t kChunkBytes = 1u << 20;        // artifacts are cut into chunks of this size
constexpr std::size_t kMaxOpenUploads = 256;         // uploads begun and not yet committed
constexpr std::size_t kMaxOwnerBytes = 512;          // who references an artifact: "show/shot/take"

}  // namespace rushes::storage
