// Which takes give their disk space back: those that nobody chose, some days after the last that happened to them.
//
// What a take made can be rendered again from its recipe, so it is kept for as long as somebody may want to look at
// it: a dropped take, and whatever lies in a shot that was cancelled or removed, for one number of days; a take that was
// only never approved, in a shot where all is done, for another. What a person chose stays for ever: what is approved or
// was delivered, and what is kept and not dropped; and so does whatever a task still needs.
//
// Thread contract: pure functions.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

namespace rushes::scheduler::policy {

// Days of 24 hours, infinity: for ever.
struct RetentionDays {
  double dropped = 0, drafts = 0;
};

// A take that has artifacts.
struct RetainedTake {
  bool dropped = false;
  bool approved = false;               // now
  bool was_approved = false;           // once: a delivery of it was planned
  bool delivered = false;              // once
  bool kept_by_person = false;         // a person wants the version that it has
  bool in_work = false;                // a task of it is open
  bool needed = false;                 // an open task of another needs what it made
  bool shot_over = false;              // cancelled, or removed
  bool shot_at_rest = false;           // in review or delivered, and none of its tasks is open
  bool upgrade_under_way = false;      // its shot was asked for an upgrade that is not delivered yet
  std::int64_t changed_wall_ms = 0;    // when the take changed last
  std::int64_t shot_over_wall_ms = 0;  // when its shot was cancelled or removed
};

enum class LeavesAs : std::uint8_t { kDropped, kShotOver, kUnapproved };

struct Leave {
  LeavesAs as = LeavesAs::kDropped;
  std::int64_t since_wall_ms = 0;  // from when its days count
};

// As what the take leaves when its days are over; nothing: it stays whatever the days are.
inline std::optional<Leave> may_leave(const RetainedTake& take) {
  if (take.approved || take.delivered || take.in_work || take.needed || take.upgrade_under_way)
    return std::nullopt;
  if (take.dropped) return Leave{LeavesAs::kDropped, take.changed_wall_ms};
  if (take.kept_by_person) return std::nullopt;
  if (take.shot_over)
    return Leave{LeavesAs::kShotOver, std::max(take.changed_wall_ms, take.shot_over_wall_ms)};
  if (take.shot_at_rest && !take.was_approved) return Leave{LeavesAs::kUnapproved, take.changed_wall_ms};
  return std::nullopt;
}

inline double days_of(LeavesAs as, const RetentionDays& days) {
  return as == LeavesAs::kUnapproved ? days.drafts : days.dropped;
}

inline bool is_due(const Leave& leave, const RetentionDays& days, std::int64_t now_wall_ms) {
  constexpr double kDayMs = 24.0 * 3600 * 1000;
  return static_cast<double>(now_wall_ms - leave.since_wall_ms) >= days_of(leave.as, days) * kDayMs;
}

}  // namespace rushes::scheduler::policy
