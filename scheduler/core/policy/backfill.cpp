#include "scheduler/core/policy/backfill.h"

#include <algorithm>
#include <vector>

namespace rushes::scheduler::policy {
namespace {

bool fits_at(const Resources& room, std::span<const Occupant> held, const Footprint& wide,
             std::int64_t at_ms) {
  std::uint64_t taken = wide.host_bytes;
  std::uint32_t slots = 1;  // of its kind
  for (const Occupant& occupant : held) {
    if (occupant.ends_ms <= at_ms) continue;
    taken += occupant.takes.host_bytes;
    slots += occupant.takes.kind == wide.kind ? 1 : 0;
  }
  return slots <= room.slots[wide.kind] && taken <= room.host_bytes;
}

}  // namespace

std::optional<std::int64_t> earliest_start(const Resources& room, std::span<const Occupant> held,
                                           const Footprint& wide, std::int64_t now_ms) {
  std::vector<std::int64_t> times{now_ms};
  for (const Occupant& occupant : held) times.push_back(std::max(now_ms, occupant.ends_ms));
  std::sort(times.begin(), times.end());
  for (const std::int64_t at : times) {
    if (fits_at(room, held, wide, at)) return at;
  }
  return std::nullopt;
}

bool may_backfill(const Resources& room, std::span<const Occupant> held, const Footprint& wide,
                  std::int64_t start_ms, const Occupant& candidate, std::int64_t now_ms) {
  if (now_ms < start_ms && candidate.ends_ms <= start_ms) return true;
  std::vector<Occupant> with(held.begin(), held.end());
  with.push_back(candidate);
  return fits_at(room, with, wide, std::max(now_ms, start_ms));
}

}  // namespace rushes::scheduler::policy
