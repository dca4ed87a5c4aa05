// Takes whose days are over, and what of the vault only they need (policy/retention.h has the rule).
//
// A take leaves with everything that its tasks made so far; what they said (results, critiques, costs) stays. Rendered
// again, it has artifacts again: its newer tasks are behind TakeLeft::before. Artifacts of the shot (conditioning, key
// frames) stay.
//
// Thread contract: pure functions of the State; begin_days_of_older_takes() is used by apply() only.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "scheduler/core/policy/retention.h"
#include "scheduler/core/settings.h"
#include "scheduler/core/state/state.h"

namespace rushes::scheduler {

struct TakeId {
  ShotId shot;
  std::uint32_t take = 0;
  auto operator<=>(const TakeId&) const = default;
};

// Whether the outputs of a task, and the pictures of a version, left.
bool has_left(const State& state, const Task& task);
inline bool has_left(const Take& take, const Version& version) {
  return version.graph.critique < take.left.before;
}
// Of the version that is shown and delivered.
inline bool has_left(const Take& take) {
  return !take.versions.empty() && has_left(take, take.versions[take.kept]);
}
// "the pictures of take 2 of show/sh010 left on 2026-12-01 by the retention of its show (never approved, 30 days): render
// it again as it was (rushes retry show/sh010 --take 2)"
std::string why_left(const Shot& shot, const Take& take);

// Journals of before do not say when a take changed last: its days begin when a scheduler that counts them starts.
void begin_days_of_older_takes(State& state, std::int64_t wall_ms);

struct LeavingTake {
  TakeId id;
  policy::Leave leave;
  double days = 0;                         // that it was kept since
  std::uint64_t artifacts = 0, bytes = 0;  // that nothing else needs; of a shared one the first take has it
  std::uint64_t later_artifacts = 0, later_bytes = 0;  // of these: made since `fresh_wall_ms`
};

std::string reason_of(const LeavingTake& leaving);  // "never approved, 30 days"

// Which takes are looked at.
struct LeavingSearch {
  std::int64_t now_wall_ms = 0;
  std::size_t most = 0;                     // takes
  TakeId after = {ShotId(0), 0};            // only those behind it
  std::int64_t fresh_wall_ms = kNothingIs;  // what was made since then is swept later
  static constexpr std::int64_t kNothingIs = std::numeric_limits<std::int64_t>::max();
};
// The takes whose days are over, at most so many.
std::vector<LeavingTake> takes_to_leave(const State& state, const Settings& settings,
                                        const LeavingSearch& search);

// What the takes made, that left, and that no other task made too.
std::vector<Digest> unneeded_artifacts(const State& state, const std::vector<TakeId>& takes);
// All takes of which something left.
std::vector<TakeId> takes_that_left(const State& state);

}  // namespace rushes::scheduler
