#include "config/rate.h"

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

std::optional<std::int32_t> whole(std::string_view text) {
  std::int32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// Frame numbers in one second of timecode: 24 at 24000/1001.
int nominal(Rate rate) { return (rate.numerator + rate.denominator - 1) / rate.denominator; }

bool may_drop(Rate rate) { return rate == Rate{30000, 1001} || rate == Rate{60000, 1001}; }

}  // namespace

Result<Rate> parse_rate(std::string_view text) {
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
                    std::string(text) + "'");
  const std::int32_t divisor = std::gcd(*numerator, *denominator);
  const Rate rate{*numerator / divisor, *denominator / divisor};
  if (rate.denominator > kMaxRateDenominator)
    return fail(ErrorKind::kInvalid, "expected frames per second with a denominator of at most " +
                                         std::to_string(kMaxRateDenominator) +
                                         " such as 24000/1001, found '" + std::string(text) + "'");
  return rate;
}

std::string to_string(Rate rate) {
  const std::string numerator = std::to_string(rate.numerator);
  return rate.denominator == 1 ? numerator : numerator + "/" + std::to_string(rate.denominator);
}

Result<Timecode> parse_timecode(std::string_view text, Rate rate) {
  const auto bad = [&](const std::string& why) {
    return fail(ErrorKind::kInvalid, why + ", found '" + std::string(text) + "'");
  };
  const std::string expected = "expected a timecode HH:MM:SS:FF at " + to_string(rate) + " frames per second";
  if (text.size() != 11 || text[2] != ':' || text[5] != ':' || (text[8] != ':' && text[8] != ';'))
    return bad(expected);
  std::array<int, 4> parts{};
  for (std::size_t i = 0; i < 4; ++i) {
    const char tens = text[3 * i], ones = text[3 * i + 1];
    if (tens < '0' || tens > '9' || ones < '0' || ones > '9') return bad(expected);
    parts[i] = (tens - '0') * 10 + (ones - '0');
  }
  const Timecode code{parts[0], parts[1], parts[2], parts[3], text[8] == ';'};
  if (code.hours > 23 || code.minutes > 59 || code.seconds > 59) return bad(expected);
  if (nominal(rate) > 99) return bad("expected no timecode above 99 frames per second");
  if (code.frames >= nominal(rate)) return bad("expected frames below " + std::to_string(nominal(rate)));
  if (!code.drop) return code;
  if (!may_drop(rate))
    return bad("expected ':' before the frames: drop-frame counting exists at 29.97 and 59.94 only");
  const int dropped = nominal(rate) / 15;
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
  const std::int64_t base = nominal(rate), dropped = start.drop ? base / 15 : 0;
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
