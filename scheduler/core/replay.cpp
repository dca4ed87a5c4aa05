#include "scheduler/core/replay.h"

#include <span>

#include "scheduler/core/core.h"
#include "scheduler/core/record_codec.h"

namespace rushes::scheduler {

Status replay_record(State& state, std::string_view bytes) {
  const auto record =
      decode_record(std::span(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()));
  if (!record) return tl::unexpected<Error>(record.error());
  if (auto fits = check(state, *record); !fits) return fits;
  apply(state, *record);
  return {};
}

Status replay_snapshot(State& state, std::string_view rest) {
  for (std::uint64_t row = 1; !rest.empty(); ++row) {
    const std::string name = "row " + std::to_string(row);
    std::size_t length = 0;
    if (rest.size() >= 4)
      for (int i = 0; i < 4; ++i) length = length << 8 | static_cast<unsigned char>(rest[i]);
    if (rest.size() < 4 || length > rest.size() - 4) return fail(ErrorKind::kCorrupt, name + ": is cut off");
    if (auto applied = replay_record(state, rest.substr(4, length)); !applied)
      return with_context(applied.error(), name);
    rest.remove_prefix(4 + length);
  }
  return {};
}

}  // namespace rushes::scheduler
