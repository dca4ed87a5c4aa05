#include "scheduler/recovery.h"

#include <span>

#include "scheduler/core/core.h"
#include "scheduler/core/record_codec.h"

namespace rushes::scheduler {
namespace {

Status apply_bytes(State& state, std::string_view bytes) {
  const auto record =
      decode_record(std::span(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()));
  if (!record) return tl::unexpected<Error>(record.error());
  if (auto fits = check(state, *record); !fits) return fits;
  apply(state, *record);
  return {};
}

Status restore(State& state, const storage::Record& snapshot) {
  std::string_view rest = snapshot.payload;
  for (std::uint64_t row = 1; !rest.empty(); ++row) {
    const std::string name = "snapshot " + std::to_string(snapshot.sequence) + " row " + std::to_string(row);
    std::size_t length = 0;
    if (rest.size() >= 4)
      for (int i = 0; i < 4; ++i) length = length << 8 | static_cast<unsigned char>(rest[i]);
    if (rest.size() < 4 || length > rest.size() - 4) return fail(ErrorKind::kCorrupt, name + ": is cut off");
    if (auto applied = apply_bytes(state, rest.substr(4, length)); !applied)
      return with_context(applied.error(), name);
    rest.remove_prefix(4 + length);
  }
  return {};
}

}  // namespace

Result<Recovered> recover_state(const storage::Ledger& ledger, State& state) {
  Recovered recovered;
  const auto snapshot = ledger.latest_snapshot();
  if (!snapshot) return tl::unexpected<Error>(snapshot.error());
  if (*snapshot) {
    if (auto restored = restore(state, **snapshot); !restored) return tl::unexpected<Error>(restored.error());
    recovered.last_sequence = (*snapshot)->sequence;
  }
  const auto replayed = ledger.replay(recovered.last_sequence, [&](const storage::Record& record) -> Status {
    if (auto applied = apply_bytes(state, record.payload); !applied)
      return with_context(applied.error(), "record " + std::to_string(record.sequence));
    recovered.last_sequence = record.sequence;
    ++recovered.records_since_snapshot;
    return {};
  });
  if (!replayed) return tl::unexpected<Error>(replayed.error());
  return recovered;
}

std::string encode_snapshot(const State& state) {
  std::string bytes;
  for (const auto& record : snapshot(state)) {
    const Bytes row = encode_record(record);
    for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(row.size() >> shift);
    bytes.append(row.begin(), row.end());
  }
  return bytes;
}

}  // namespace rushes::scheduler
