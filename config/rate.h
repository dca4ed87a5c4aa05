// Frame rates as exact fractions and SMPTE timecodes (ST 12-1).
//
// Thread contract: plain values.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "config/result.h"

namespace rushes::config {

// Frames per second as a reduced fraction; 23.976 is exactly 24000/1001.
struct Rate {
  std::int32_t numerator = 24;
  std::int32_t denominator = 1;
  double value() const { return static_cast<double>(numerator) / denominator; }
  bool operator==(const Rate&) const = default;
};

// "24", "24.0", "23.976", "12.5", "24000/1001". A decimal of two or more places that is less than one unit of its last
// place from n*1000/1001 with a whole n means that (23.97, 23.98, 23.976024, 59.94); any other is the fraction that it
// is, and one of a single place near n*1000/1001 (59.9) could be either and is refused. Zeros at the end of a decimal
// say how exact it is. Range 1..240, reduced denominators of at most kMaxRateDenominator. Error: kInvalid, says what was
// expected and what helps.
Result<Rate> parse_rate(std::string_view text);
std::string to_string(Rate rate);  // "24" or "24000/1001"

// Frame numbers in one second of timecode: 24 at 24000/1001.
int timecode_base(Rate rate);
// Timecode counts up to kMaxTimecodeBase frames a second; a faster delivery carries none.
inline constexpr int kMaxTimecodeBase = 120;
bool has_timecode(Rate rate);

// Hours, minutes, seconds, frames; `drop` means drop-frame counting, written with ';' before the frames.
struct Timecode {
  int hours = 1, minutes = 0, seconds = 0, frames = 0;
  bool drop = false;
  bool operator==(const Timecode&) const = default;
};

// "01:00:00:00" or, at 30000/1001 and 60000/1001 only, "01:00:00;02". Frames from 100 have three digits. Error:
// kInvalid, says what works at this rate.
Result<Timecode> parse_timecode(std::string_view text, Rate rate);
std::string to_string(const Timecode& timecode);

// The timecode `frames` later (or earlier), wrapping at 24 hours. Drop-frame counting skips the first 2 (4 at
// 60000/1001) numbers of every minute that is not a multiple of ten (ST 12-1, 5.2.2).
Timecode advance(const Timecode& start, std::int64_t frames, Rate rate);

}  // namespace rushes::config
