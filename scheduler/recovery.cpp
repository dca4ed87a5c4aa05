#include "scheduler/recovery.h"

namespace rushes::scheduler {

Result<Recovered> recover_state(const storage::Ledger& ledger, State& state) {
  Recovered recovered;
  const auto snapshot = ledger.latest_snapshot();
  if (!snapshot) return tl::unexpected<Error>(snapshot.error());
  if (*snapshot) {
    if (auto restored = replay_snapshot(state, (*snapshot)->payload); !restored)
      return with_context(restored.error(), "snapshot " + std::to_string((*snapshot)->sequence));
    recovered.last_sequence = (*snapshot)->sequence;
  }
  const auto replayed = ledger.replay(recovered.last_sequence, [&](const storage::Record& record) -> Status {
    if (auto applied = replay_record(state, record.payload); !applied)
      return with_context(applied.error(), "record " + std::to_string(record.sequence));
    recovered.last_sequence = record.sequence;
    ++recovered.records_since_snapshot;
    return {};
  });
  if (!replayed) return tl::unexpected<Error>(replayed.error());
  return recovered;
}

}  // namespace rushes::scheduler
