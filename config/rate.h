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

// "24", "24.0", "23.976", "24000/1001". The NTSC decimals (23.976, 23.98, 29.97, 47.952, 59.94, 119.88) mean n/1001;
// zeros at the end of a decimal change nothing. Range 1..240, reduced denominators of at most 1001. Error: kInvalid,
// says what was expected.
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
