#include "config/instant.h"

#include <chrono>
#include <cstdio>
#include <optional>

namespace rushes::config {
namespace {

using namespace std::chrono;

// Reads digits and separators from the front of a text.
class Cursor {
 public:
  explicit Cursor(std::string_view text) : rest_(text) {}
  std::optional<int> digits(std::size_t count) {
    if (rest_.size() < count) return std::nullopt;
    int value = 0;
    for (const char c : rest_.substr(0, count)) {
      if (c < '0' || c > '9') return std::nullopt;
      value = value * 10 + (c - '0');
    }
    rest_.remove_prefix(count);
    return value;
  }
  bool skip(char wanted) {
    if (rest_.empty() || rest_.front() != wanted) return false;
    rest_.remove_prefix(1);
    return true;
  }
  bool at_end() const { return rest_.empty(); }

 private:
  std::string_view rest_;
};

std::optional<minutes> read_offset(Cursor& cursor) {
  if (cursor.skip('Z')) return minutes(0);
  const bool east = cursor.skip('+');
  if (!east && !cursor.skip('-')) return std::nullopt;
  const auto h = cursor.digits(2);
  if (!h || !cursor.skip(':')) return std::nullopt;
  const auto m = cursor.digits(2);
  if (!m || *h > 14 || *m > 59) return std::nullopt;
  return (east ? 1 : -1) * (hours(*h) + minutes(*m));
}

std::optional<std::int64_t> read(std::string_view text) {
  Cursor cursor(text);
  const auto y = cursor.digits(4);
  if (!y || !cursor.skip('-')) return std::nullopt;
  const auto mo = cursor.digits(2);
  if (!mo || !cursor.skip('-')) return std::nullopt;
  const auto d = cursor.digits(2);
  if (!d || !cursor.skip('T')) return std::nullopt;
  const auto h = cursor.digits(2);
  if (!h || !cursor.skip(':')) return std::nullopt;
  const auto mi = cursor.digits(2);
  if (!mi) return std::nullopt;
  int s = 0, ms = 0;
  if (cursor.skip(':')) {
    const auto read_seconds = cursor.digits(2);
    if (!read_seconds) return std::nullopt;
    s = *read_seconds;
    if (cursor.skip('.')) {
      const auto read_ms = cursor.digits(3);
      if (!read_ms) return std::nullopt;
      ms = *read_ms;
    }
  }
  const auto offset = read_offset(cursor);
  const year_month_day date{year(*y), month(static_cast<unsigned>(*mo)), day(static_cast<unsigned>(*d))};
  if (!offset || !cursor.at_end() || !date.ok() || *y < 1970 || *h > 23 || *mi > 59 || s > 59)
    return std::nullopt;
  const auto instant = sys_days(date) + hours(*h) + minutes(*mi) + seconds(s) + milliseconds(ms) - *offset;
  return duration_cast<milliseconds>(instant.time_since_epoch()).count();
}

}  // namespace

Result<std::int64_t> parse_instant(std::string_view text) {
  if (const auto ms = read(text)) return *ms;
  return fail(
      ErrorKind::kInvalid,
      "expected a time with its offset such as 2026-12-01T18:00:00+01:00, found '" + std::string(text) + "'");
}

std::string instant_text(std::int64_t ms, Fraction fraction) {
  const sys_time<milliseconds> instant{milliseconds(ms)};
  const auto days = floor<std::chrono::days>(instant);
  const year_month_day date(days);
  const hh_mm_ss time(instant - days);
  char part[8] = "";
  if (fraction == Fraction::kMilliseconds)
    std::snprintf(part, sizeof part, ".%03d", static_cast<int>(time.subseconds().count()));
  char text[40];
  std::snprintf(text, sizeof text, "%04d-%02u-%02uT%02d:%02d:%02d%sZ", static_cast<int>(date.year()),
                static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                static_cast<int>(time.hours().count()), static_cast<int>(time.minutes().count()),
                static_cast<int>(time.seconds().count()), part);
  return text;
}

}  // namespace rushes::config
