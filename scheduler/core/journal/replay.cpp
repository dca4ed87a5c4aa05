#include "scheduler/core/journal/replay.h"

#include <span>

#include "scheduler/core/core.h"
#include "scheduler/core/journal/record_codec.h"

namespace rushes::scheduler {

Result<Record> read_record(std::string_view bytes) {
  return decode_record(std::span(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()));
}

Status replay_record(State& state, const Record& record) {
  if (auto fits = check(state, record); !fits) return fits;
  apply(state, record);
  return {};
}

Status replay_record(State& state, std::string_view bytes) {
  const auto record = read_record(bytes);
  if (!record) return tl::unexpected<Error>(record.error());
  return replay_record(state, *record);
}

}  // namespace rushes::scheduler
