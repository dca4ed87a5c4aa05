// Takes whose days are over leave: by a person's word, and by themselves once an hour.
#include "scheduler/core/state/retention.h"

#include <algorithm>
#include <cstdlib>

#include "scheduler/core/decide/events.h"

namespace rushes::scheduler {
namespace {

constexpr std::int64_t kLookEvery = 3600 * 1000, kLookSoon = 10 * 1000;  // ms
// A farm to which days are told for the first time has many: no decision is long, and no append is large.
constexpr std::size_t kMostAtOnce = 256;

void let_go(Decision& decision, const std::vector<LeavingTake>& takes, const std::string& by) {
  const TaskId before = decision.state().tasks.next_id();
  for (const LeavingTake& leaving : takes)
    decision.emit(record::TakeLeft{leaving.id.shot, leaving.id.take, before, reason_of(leaving),
                                   leaving.bytes, decision.now().wall_ms, by});
}

bool any_days(const Settings& settings) {
  const auto says = [](const config::Retention& retention) {
    return retention.dropped_days.has_value() || retention.draft_days.has_value();
  };
  return says(settings.retention) ||
         std::any_of(settings.shows.begin(), settings.shows.end(),
                     [&](const config::Show& show) { return says(show.retention); });
}

}  // namespace

void collect_if_due(Decision& decision) {
  const State& state = decision.state();
  const Now now = decision.now();
  if (!any_days(decision.settings()) || now.boot_ms < state.look_at_retention_ms) return;
  const std::int64_t clock = now.wall_ms - now.boot_ms;
  // Not at the start: days that were written wrong can still be seen with gc --dry-run. Nor after the wall clock was set:
  // it may be a year ahead until somebody sets it right.
  const bool first = state.look_at_retention_ms == 0;
  if (first || std::abs(clock - state.retention_clock_ms) > kLookEvery)
    return decision.emit(record::RetentionSeen{now.boot_ms + kLookEvery, clock});
  const auto takes = takes_to_leave(state, decision.settings(), {now.wall_ms, kMostAtOnce});
  let_go(decision, takes, "");
  decision.emit(
      record::RetentionSeen{now.boot_ms + (takes.size() < kMostAtOnce ? kLookEvery : kLookSoon), clock});
}

void on(Decision& decision, const event::CollectGarbage& e) {
  const State& state = decision.state();
  const std::int64_t now = decision.now().wall_ms;
  LeavingSearch search{now, kMostAtOnce};
  if (e.after) search.after = {ShotId(e.after->shot), e.after->take};
  if (e.upload_sweep_ms > 0) search.fresh_wall_ms = now - e.upload_sweep_ms;
  const auto takes = takes_to_leave(state, decision.settings(), search);
  command::Collected answer;
  for (const LeavingTake& leaving : takes) {
    answer.takes.push_back({state.shots[leaving.id.shot].key, leaving.id.take, reason_of(leaving),
                            leaving.leave.since_wall_ms, leaving.artifacts, leaving.bytes});
    answer.artifacts += leaving.artifacts;
    answer.bytes += leaving.bytes;
    answer.later_artifacts += leaving.later_artifacts;
    answer.later_bytes += leaving.later_bytes;
  }
  if (takes.size() == kMostAtOnce) answer.next = {takes.back().id.shot.number(), takes.back().id.take};
  if (!e.dry_run) let_go(decision, takes, e.by);
  decision.reply(e.request, std::move(answer));
}

}  // namespace rushes::scheduler
