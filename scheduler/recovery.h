// The ledger's content becomes a State again (core/journal/replay.h does it record by record).
//
// Reading and decoding run ahead on a thread of their own: they cost as much as applying.
//
// Thread contract: the thread that owns the State.
#pragma once

#include <cstdint>

#include "config/result.h"
#include "scheduler/core/journal/replay.h"
#include "storage/ledger.h"

namespace rushes::scheduler {

struct Recovered {
  std::uint64_t last_sequence = 0;  // of the last journal record applied
  std::uint64_t records_since_snapshot = 0;
};

// The snapshot, then every record after it. Each record is checked against the state before it is applied.
// Error: kCorrupt, names the record.
Result<Recovered> recover_state(const storage::Ledger& ledger, State& state);

}  // namespace rushes::scheduler
