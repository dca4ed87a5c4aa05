#include "scheduler/core/policy/backfill.h"

#include <algorithm>
#include <vector>

namespace rushes::scheduler::policy {
namespace {

bool fits_at(const Room& room, std::span<const Occupant> held, std::uint64_t bytes, std::int64_t at_ms) {
  std::uint64_t taken = bytes;
  std::uint32_t slots = 1;
  for (const Occupant& occupant : held) {
    if (occupant.ends_ms <= at_ms) continue;
    taken += occupant.memory_bytes;
    ++slots;
  }
  return slots <= room.slots && taken <= room.memory_bytes;
}

}  // namespace

std::optional<std::int64_t> earliest_start(const Room& room, std::span<const Occupant> held,
                                           std::uint64_t memory_bytes, std::int64_t now_ms) {
  std::vector<std::int64_t> times{now_ms};
  for (const Occupant& occupant : held) times.push_back(std::max(now_ms, occupant.ends_ms));
  std::sort(times.begin(), times.end());
  for (const std::int64_t at : times) {
    if (fits_at(room, held, memory_bytes, at)) return at;
  }
  return std::nullopt;
}

bool may_backfill(const Room& room, std::span<const Occupant> held, std::uint64_t wide_bytes,
                  std::int64_t start_ms, const Occupant& candidate, std::int64_t now_ms) {
  if (now_ms < start_ms && candidate.ends_ms <= start_ms) return true;
  std::vector<Occupant> with(held.begin(), held.end());
  with.push_back(candidate);
  return fits_at(room, with, wide_bytes, std::max(now_ms, start_ms));
}

}  // namespace rushes::scheduler::policy
