#include "config/frame_range.h"

#include <algorithm>
#include <charconv>
#include <optional>

namespace rushes::config {
namespace {

tl::unexpected<Error> refuse(std::string_view part, const std::string& why) {
  return fail(ErrorKind::kInvalid, "frame range '" + std::string(part) + "': " + why);
}

std::string trim(std::string_view text) {
  const auto first = text.find_first_not_of(' ');
  if (first == std::string_view::npos) return {};
  return std::string(text.substr(first, text.find_last_not_of(' ') - first + 1));
}

// Takes a signed integer off the front of `text`; nothing when there is none or it is out of bounds.
std::optional<std::int64_t> take_integer(std::string_view& text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || value > kMaxFrameNumber || value < -kMaxFrameNumber) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return value;
}

std::string number(std::int64_t value) { return std::to_string(value); }

std::string run_text(const FrameRun& run) {
  if (run.first == run.last) return number(run.first);
  const std::string span = number(run.first) + "-" + number(run.last);
  return run.step == 1 ? span : span + "x" + number(run.step);
}

// Ascending run of `first`, `last` and a step whose sign must agree with their direction.
Result<FrameRun> directed_run(std::string_view part, std::int64_t first, std::int64_t last,
                              std::int64_t step) {
  if (step == 0) return refuse(part, "step 0 never ends; write x1 or more");
  const bool descending = last < first;
  if (first != last && descending != (step < 0))
    return refuse(part, descending ? "a descending range needs a negative step; write '" + number(first) +
                                         "-" + number(last) + "x-" + number(step) + "'"
                                   : "an ascending range needs a positive step; write '" + number(first) +
                                         "-" + number(last) + "x" + number(-step) + "'");
  const std::int64_t stride = step < 0 ? -step : step;
  const std::int64_t steps = (descending ? first - last : last - first) / stride;
  const std::int64_t end = first + (descending ? -steps : steps) * stride;
  FrameRun run{std::min(first, end), std::max(first, end), stride};
  if (run.first == run.last) run.step = 1;
  return run;
}

Result<FrameRun> parse_part(std::string_view part) {
  const std::string expected =
      "expected a frame, A-B or A-BxS with frames within +-" + number(kMaxFrameNumber);
  std::string_view rest = part;
  const auto first = take_integer(rest);
  if (!first) return refuse(part, expected);
  if (rest.empty()) return FrameRun{*first, *first, 1};
  if (rest.front() != '-') return refuse(part, expected);
  rest.remove_prefix(1);
  const auto last = take_integer(rest);
  if (!last) return refuse(part, expected);
  if (rest.empty()) return directed_run(part, *first, *last, *last < *first ? -1 : 1);

  const char mark = rest.front();
  rest.remove_prefix(1);
  const auto step = take_integer(rest);
  if ((mark != 'x' && mark != ':' && mark != 'y') || !step || !rest.empty()) return refuse(part, expected);
  const std::string span = number(*first) + "-" + number(*last);
  if (mark == 'y') return refuse(part, "the inverted step 'y' is not supported; list the frames you mean");
  if (mark == ':' && *step >= 0)
    return refuse(part, "':' is a step in OpenJD and an interleave in OpenCue; write '" + span + "x" +
                            number(*step) + "' for a step");
  return directed_run(part, *first, *last, *step);
}

// Sorted runs with neighbours of step 1 joined, or the first overlap.
Result<std::vector<FrameRun>> canonical(std::vector<FrameRun> runs, std::string_view text) {
  std::sort(runs.begin(), runs.end(), [](const FrameRun& a, const FrameRun& b) { return a.first < b.first; });
  std::vector<FrameRun> joined;
  for (const FrameRun& run : runs) {
    if (joined.empty()) {
      joined.push_back(run);
      continue;
    }
    FrameRun& before = joined.back();
    if (run.first <= before.last)
      return refuse(text, run_text(before) + " and " + run_text(run) +
                              " overlap; every frame may be named once, in runs that do not interleave");
    if (before.step == 1 && run.step == 1 && run.first == before.last + 1)
      before.last = run.last;
    else
      joined.push_back(run);
  }
  return joined;
}

}  // namespace

Result<FrameRange> FrameRange::parse(std::string_view text) {
  if (trim(text).empty()) return refuse(text, "expected frames such as '1-30' or '3,5-10', found nothing");
  std::vector<FrameRun> runs;
  for (std::size_t start = 0; start <= text.size();) {
    const std::size_t comma = std::min(text.find(',', start), text.size());
    if (runs.size() == kMaxRuns)
      return refuse(text.substr(0, 20), "more than " + std::to_string(kMaxRuns) + " parts");
    auto run = parse_part(trim(text.substr(start, comma - start)));
    if (!run) return tl::unexpected(run.error());
    runs.push_back(*run);
    start = comma + 1;
  }
  auto joined = canonical(std::move(runs), text.size() > 60 ? text.substr(0, 60) : text);
  if (!joined) return tl::unexpected(joined.error());
  FrameRange range;
  range.runs_ = std::move(*joined);
  for (const FrameRun& run : range.runs_) range.count_ += run.count();
  return range;
}

FrameRange FrameRange::of(std::int64_t first, std::int64_t last) {
  FrameRange range;
  if (last < first) return range;
  range.runs_ = {{first, last, 1}};
  range.count_ = last - first + 1;
  return range;
}

bool FrameRange::contains(std::int64_t frame) const {
  const auto after =
      std::upper_bound(runs_.begin(), runs_.end(), frame,
                       [](std::int64_t value, const FrameRun& run) { return value < run.first; });
  if (after == runs_.begin()) return false;
  const FrameRun& run = *(after - 1);
  return frame <= run.last && (frame - run.first) % run.step == 0;
}

std::int64_t FrameRange::at(std::int64_t index) const {
  for (const FrameRun& run : runs_) {
    if (index < run.count()) return run.first + index * run.step;
    index -= run.count();
  }
  return runs_.empty() ? 0 : runs_.back().last;
}

std::string FrameRange::text() const {
  std::string out;
  for (const FrameRun& run : runs_) out += (out.empty() ? "" : ",") + run_text(run);
  return out;
}

}  // namespace rushes::config
