#include "config/rate.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <numeric>
#include <optional>

#include "config/limits.h"

namespace rushes::config {
namespace {

constexpr int kMaxRate = 240;
constexpr std::size_t kMaxPlaces = 9;  // behind the point

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

tl::unexpected<Error> wrong(std::string_view written, const std::string& expected) {
  return fail(ErrorKind::kInvalid, "expected " + expected + ", found '" + std::string(written) + "'");
}

Result<Rate> checked(std::int64_t numerator, std::int64_t denominator, std::string_view written) {
  if (numerator < denominator || numerator > kMaxRate * denominator)
    return wrong(written, "1 to " + std::to_string(kMaxRate) + " frames per second");
  const std::int64_t divisor = std::gcd(numerator, denominator);
  numerator /= divisor, denominator /= divisor;
  if (denominator > kMaxRateDenominator)
    return fail(ErrorKind::kInvalid,
                "expected frames per second that are a fraction with a denominator of at most " +
                    std::to_string(kMaxRateDenominator) + " such as 24000/1001, found '" +
                    std::string(written) + "', which is " + std::to_string(numerator) + "/" +
                    std::to_string(denominator));
  return Rate{static_cast<std::int32_t>(numerator), static_cast<std::int32_t>(denominator)};
}

// value / scale frames per second, where scale is 10 to the power of the places that are written; `unit` of the value
// is one of the last place that is not 0. An n*1000/1001 with a whole n is meant where it is less than one unit away.
Result<Rate> decimal_rate(std::int64_t value, std::int64_t scale, std::int64_t unit,
                          std::string_view written) {
  if (unit == scale) return checked(value, scale, written);  // a whole number
  const bool one_place = unit == scale / 10;
  const std::int64_t n = (2 * value * 1001 + scale * 1000) / (2 * scale * 1000);  // the nearest
  const std::int64_t reach = 1001 * (one_place ? 1 : unit);
  if (n < 1 || std::abs(value * 1001 - n * 1000 * scale) >= reach) return checked(value, scale, written);
  if (scale > 10) return checked(n * 1000, 1001, written);
  const auto divisor = std::gcd(value, scale);
  return wrong(written, "one of the two that it could mean, " + std::to_string(n * 1000) + "/1001 and " +
                            std::to_string(value / divisor) + "/" + std::to_string(scale / divisor));
}

}  // namespace

Result<Rate> parse_rate(std::string_view written) {
  const auto other = [&] {
    return wrong(written,
                 "frames per second as a number or a fraction, such as 24, 23.976, 12.5 or 24000/1001");
  };
  if (const auto slash = written.find('/'); slash != std::string_view::npos) {
    const auto numerator = digits(written.substr(0, slash)), denominator = digits(written.substr(slash + 1));
    if (!numerator || !denominator || *denominator < 1) return other();
    return checked(*numerator, *denominator, written);
  }
  const auto point = std::min(written.find('.'), written.size());
  const auto before = digits(written.substr(0, point));
  std::string_view places = written.substr(std::min(point + 1, written.size()));
  if (!before || (point < written.size() && places.empty())) return other();
  // Zeros at the end say how exact the number is, up to kMaxPlaces of them.
  const std::size_t exact = places.find_last_not_of('0') + 1;
  if (exact > kMaxPlaces) return other();
  places = places.substr(0, kMaxPlaces);
  std::optional<std::int32_t> behind = 0;
  if (!places.empty()) behind = digits(places);
  if (!behind) return other();
  if (*before > kMaxRate) return checked(*before, 1, written);
  std::int64_t scale = 1, unit = 1;
  for (std::size_t i = 0; i < places.size(); ++i) {
    scale *= 10;
    if (i >= exact) unit *= 10;
  }
  return decimal_rate(*before * scale + *behind, scale, unit, written);
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
