#include "config/rate.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <numeric>
#include <optional>
#include <utility>

#include "config/limits.h"

namespace rushes::config {
namespace {

// The decimals that people write for the NTSC family.
constexpr std::array<std::pair<std::string_view, Rate>, 7> kNtsc{{{"23.976", {24000, 1001}},
                                                                  {"23.98", {24000, 1001}},
                                                                  {"29.97", {30000, 1001}},
                                                                  {"47.952", {48000, 1001}},
                                                                  {"47.95", {48000, 1001}},
                                                                  {"59.94", {60000, 1001}},
                                                                  {"119.88", {120000, 1001}}}};

constexpr std::size_t kMaxDecimal = 16;  // characters of a rate that is written as a decimal

// "24.0" to "24", "23.9760" to "23.976"; any other text as it is.
std::string_view without_trailing_zeros(std::string_view text) {
  const auto point = text.find('.');
  if (point == std::string_view::npos || point == 0 || point + 1 == text.size() || text.size() > kMaxDecimal)
    return text;
  const auto last = text.find_last_not_of('0');
  return text.substr(0, last == point ? point : std::max(last + 1, point));
}

std::optional<std::int32_t> whole(std::string_view text) {
  std::int32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// A number without a sign.
std::optional<std::int32_t> digits(std::string_view text) {
  return text.find_first_not_of("0123456789") == std::string_view::npos ? whole(text) : std::nullopt;
}

bool may_drop(Rate rate) { return rate == Rate{30000, 1001} || rate == Rate{60000, 1001}; }

}  // namespace

Result<Rate> parse_rate(std::string_view written) {
  const std::string_view text = without_trailing_zeros(written);
  for (const auto& [word, rate] : kNtsc)
    if (word == text) return rate;
  const auto slash = text.find('/');
  const auto numerator = whole(text.substr(0, slash));
  const auto denominator =
      slash == std::string_view::npos ? std::optional<std::int32_t>(1) : whole(text.substr(slash + 1));
  if (!numerator || !denominator || *numerator < 1 || *denominator < 1 || *numerator < *denominator ||
      *numerator / *denominator > 240 || (*numerator / *denominator == 240 && *numerator % *denominator != 0))
    return fail(ErrorKind::kInvalid,
                "expected frames per second from 1 to 240 such as 24, 23.976 or 24000/1001, found '" +
                    std::string(written) + "'");
  const std::int32_t divisor = std::gcd(*numerator, *denominator);
  const Rate rate{*numerator / divisor, *denominator / divisor};
  if (rate.denominator > kMaxRateDenominator)
    return fail(ErrorKind::kInvalid, "expected frames per second with a denominator of at most " +
                                         std::to_string(kMaxRateDenominator) +
                                         " such as 24000/1001, found '" + std::string(written) + "'");
  return rate;
}

std::string to_string(Rate rate) {
  const std::string numerator = std::to_string(rate.numerator);
  return rate.denominator == 1 ? numerator : numerator + "/" + std::to_string(rate.denominator);
}

// To the nearest number, as libavformat counts in the timecode track of a movie.
int timecode_base(Rate rate) {
  const std::int64_t rounded = (2 * std::int64_t{rate.numerator} + rate.denominator) / (2 * rate.denominator);
  return static_cast<int>(std::max<std::int64_t>(rounded, 1));
}

bool has_timecode(Rate rate) { return timecode_base(rate) <= kMaxTimecodeBase; }

Result<Timecode> parse_timecode(std::string_view text, Rate rate) {
  const auto bad = [&](const std::string& why) {
    return fail(ErrorKind::kInvalid, why + ", found '" + std::string(text) + "'");
  };
  const int base = timecode_base(rate);
  if (!has_timecode(rate))
    return bad("expected no timecode at " + to_string(rate) + " frames per second: it counts up to " +
               std::to_string(kMaxTimecodeBase) + " frames a second");
  const std::string expected = "expected a timecode HH:MM:SS:FF at " + to_string(rate) + " frames per second";
  if (text.size() < 11 || text.size() > 12 || text[2] != ':' || text[5] != ':' ||
      (text[8] != ':' && text[8] != ';'))
    return bad(expected);
  const auto hours = digits(text.substr(0, 2)), minutes = digits(text.substr(3, 2)),
             seconds = digits(text.substr(6, 2)), frames = digits(text.substr(9));
  if (!hours || !minutes || !seconds || !frames || *hours > 23 || *minutes > 59 || *seconds > 59)
    return bad(expected);
  const Timecode code{*hours, *minutes, *seconds, *frames, text[8] == ';'};
  if (code.frames >= base) return bad("expected frames below " + std::to_string(base));
  if (text.size() != (code.frames > 99 ? 12U : 11U)) return bad(expected);
  if (!code.drop) return code;
  if (!may_drop(rate))
    return bad("expected ':' before the frames: drop-frame counting exists at 29.97 and 59.94 only");
  const int dropped = base / 15;
  if (code.minutes % 10 != 0 && code.seconds == 0 && code.frames < dropped)
    return bad("expected a number that drop-frame counting does not skip");
  return code;
}

std::string to_string(const Timecode& code) {
  std::array<char, 48> text{};
  std::snprintf(text.data(), text.size(), "%02d:%02d:%02d%c%02d", code.hours, code.minutes, code.seconds,
                code.drop ? ';' : ':', code.frames);
  return text.data();
}

Timecode advance(const Timecode& start, std::int64_t frames, Rate rate) {
  const std::int64_t base = timecode_base(rate), dropped = start.drop ? base / 15 : 0;
  const std::int64_t minute = base * 60 - dropped, ten = base * 600 - 9 * dropped, day = ten * 144;
  // Frame index of `start`: its number less the numbers that counting skipped before it.
  const std::int64_t minutes = start.hours * 60 + start.minutes;
  std::int64_t index =
      (minutes * 60 + start.seconds) * base + start.frames - dropped * (minutes - minutes / 10);
  index = ((index + frames) % day + day) % day;
  // Back to a number: inside each ten minutes the first minute is full, the nine others are `dropped` short.
  const std::int64_t tens = index / ten, rest = index % ten;
  std::int64_t skipped = tens * 9 * dropped;
  if (dropped != 0 && rest >= base * 60) skipped += dropped * ((rest - base * 60) / minute + 1);
  const std::int64_t number = index + skipped;
  return {static_cast<int>(number / (base * 3600)), static_cast<int>(number / (base * 60) % 60),
          static_cast<int>(number / base % 60), static_cast<int>(number % base), start.drop};
}

}  // namespace rushes::config
