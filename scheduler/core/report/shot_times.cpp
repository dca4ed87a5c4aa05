#include "scheduler/core/report/shot_times.h"

#include <algorithm>
#include <iterator>

namespace rushes::scheduler::view {
namespace {

// For how long at least one of the spans lasted within the life.
std::int64_t covered_ms(const WallSpan& life, std::vector<WallSpan> spans) {
  std::sort(spans.begin(), spans.end(),
            [](const WallSpan& a, const WallSpan& b) { return a.begin_ms < b.begin_ms; });
  std::int64_t covered = 0, until = life.begin_ms;
  for (const WallSpan& span : spans) {
    const std::int64_t begin = std::max(span.begin_ms, until);
    const std::int64_t end = span.end_ms == 0 ? life.end_ms : std::min(span.end_ms, life.end_ms);
    if (end <= begin) continue;
    covered += end - begin;
    until = end;
  }
  return covered;
}

}  // namespace

ShotTimes shot_times(const WallSpan& life, std::vector<WallSpan> ran,
                     const std::vector<WallSpan>& person_waits) {
  const auto seconds = [](std::int64_t ms) { return static_cast<double>(ms) / 1000; };
  const std::int64_t all = std::max<std::int64_t>(life.end_ms - life.begin_ms, 0);  // a clock may be set back
  const std::int64_t running = covered_ms(life, ran);
  std::copy_if(person_waits.begin(), person_waits.end(), std::back_inserter(ran),
               [](const WallSpan& span) { return !span.over; });
  const std::int64_t running_or_person = covered_ms(life, ran);
  ran.insert(ran.end(), person_waits.begin(), person_waits.end());
  const std::int64_t with_over = covered_ms(life, std::move(ran));
  return {seconds(all - with_over), seconds(running), seconds(running_or_person - running)};
}

}  // namespace rushes::scheduler::view
