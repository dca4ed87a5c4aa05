#include "scheduler/core/replay.h"

#include <span>

#include "scheduler/core/core.h"
#include "scheduler/core/record_codec.h"

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

Status replay_snapshot(State& state, std::string_view rows) {
  return for_each_row(rows, [&state](std::string_view bytes) { return replay_record(state, bytes); });
}

Status for_each_row(std::string_view rest, const std::function<Status(std::string_view)>& visit) {
  for (std::uint64_t row = 1; !rest.empty(); ++row) {
    const auto name = [row] { return "row " + std::to_string(row); };
    std::size_t length = 0;
    if (rest.size() >= 4)
      for (int i = 0; i < 4; ++i) length = length << 8 | static_cast<unsigned char>(rest[i]);
    if (rest.size() < 4 || length > rest.size() - 4)
      return fail(ErrorKind::kCorrupt, name() + ": is cut off");
    if (auto visited = visit(rest.substr(4, length)); !visited) return with_context(visited.error(), name());
    rest.remove_prefix(4 + length);
  }
  return {};
}

}  // namespace rushes::scheduler
