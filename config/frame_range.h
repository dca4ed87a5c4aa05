// Frame ranges: "1-30", "3,5-10,47-327", "1-100x4".
//
// A range is a list of runs that never overlap, ascending, never materialised: a million frames cost one run.
// Accepted: N, A-B, A-BxS (step S), descending 10-1, 10-1x-3 and 10-1:-3 (normalised to ascending), commas.
// Refused, with a message that says why and what to write instead: A-B:S (a step in OpenJD, an interleave in
// OpenCue), A-ByS (OpenCue's inverted step), overlapping runs, a step against the direction, step 0.
// Frames may be negative: "-5-10", "-5--1".
//
// Canonical form: runs ascending by first frame, last frame on the step, neighbouring runs of step 1 joined.
//
// Thread contract: immutable values.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "config/result.h"

namespace rushes::config {

inline constexpr std::int64_t kMaxFrameNumber = 100'000'000;  // of either sign
inline constexpr std::size_t kMaxRuns = 4096;

// first, first+step, ..., last. step >= 1; last is on the step; a single frame has step 1.
struct FrameRun {
  std::int64_t first = 0, last = 0, step = 1;
  std::int64_t count() const { return (last - first) / step + 1; }
  bool operator==(const FrameRun&) const = default;
};

class FrameRange {
 public:
  FrameRange() = default;  // no frames

  // Error: kInvalid; the message names the part, what was expected and what to write.
  static Result<FrameRange> parse(std::string_view text);
  // All of first..last; first <= last.
  static FrameRange of(std::int64_t first, std::int64_t last);

  std::int64_t count() const { return count_; }  // O(1)
  bool empty() const { return count_ == 0; }
  bool contains(std::int64_t frame) const;    // O(log runs)
  std::int64_t at(std::int64_t index) const;  // the index-th frame ascending, 0 <= index < count(); O(runs)
  const std::vector<FrameRun>& runs() const { return runs_; }
  std::string text() const;  // canonical; parse(text()) gives the same runs
  bool operator==(const FrameRange&) const = default;

 private:
  std::vector<FrameRun> runs_;
  std::int64_t count_ = 0;
};

}  // namespace rushes::config
